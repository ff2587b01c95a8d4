import ArgumentParser
import LociSimulation

/// `loci-simulate addressing`: recall, copies and shards asked of hard locations, in memory.
struct AddressingCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "addressing",
        abstract: "Learns hard locations of a clustered set and counts whom queries would ask.",
        discussion: """
            Vectors of 64 dimensions from 400 components of very different sizes; hard locations \
            for 18.6 % of them; each vector on up to 8 lists by the relative neighbourhood rule. \
            Nothing is stored or sent. Beside it a control without clusters, which has to be found \
            unroutable. 100,000 points take some 30 seconds and 200 MB.
            """)

    @Option(help: "How many points, from 1,000 to 1,000,000.")
    var points = 100_000

    @Option(help: "How many queries, from 1 to 100,000.")
    var queries = 1000

    @Option(help: "Numbers of shards, separated by commas, each from 2 to 10,000.")
    var shards = "32"

    @Option(help: "Points of the control, from 1,000 to 1,000,000.")
    var control = 20_000

    @Option(help: "The seed.")
    var seed: UInt64 = 1

    private var shardCounts: [Int]? {
        let counts = shards.split(separator: ",", omittingEmptySubsequences: false).map {
            Int($0) ?? 0
        }
        return counts.allSatisfy { (2...10_000).contains($0) } ? counts : nil
    }

    func validate() throws {
        for (name, count) in [("points", points), ("control", control)]
        where !(1000...1_000_000).contains(count) {
            throw ValidationError("--\(name) is from 1000 to 1000000.")
        }
        if !(1...100_000).contains(queries) {
            throw ValidationError("--queries is from 1 to 100000.")
        }
        if shardCounts == nil {
            throw ValidationError("--shards are numbers from 2 to 10000, such as 32,1000.")
        }
    }

    func run() throws {
        let counts = shardCounts ?? []
        let clustered = AddressingTrial(
            points: points, queries: queries, shards: counts, seed: seed
        ).run()
        print("simulated, seed \(seed): clustered\n\(clustered.table)")
        let isotropic = AddressingTrial(
            points: control, queries: queries, shards: counts, isClustered: false, seed: seed
        ).run()
        print("\nsimulated, seed \(seed): control without clusters\n\(isotropic.table)")
        let isWrong =
            clustered.shards.contains(where: \.isUnroutable)
            || !isotropic.shards.allSatisfy(\.isUnroutable)
        if isWrong {
            print("the clustered set should be routable, the control should not")
            throw ExitCode(1)
        }
    }
}
