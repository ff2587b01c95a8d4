import ArgumentParser
import LociSimulation

@main
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loci-simulate",
        abstract:
            "Lives through small clusters in virtual time, each from a seed, and checks them.",
        subcommands: [AddressingCommand.self, GossipCommand.self, MemoryCommand.self])

    @Option(help: "The first seed.")
    var first: UInt64 = 1

    @Option(help: "How many seeds to run.")
    var seeds: UInt64 = 200

    @Flag(help: "Print a line for each run.")
    var verbose = false

    func run() throws {
        var failures = 0
        var virtualMilliseconds: UInt64 = 0
        for seed in first..<(first + seeds) {
            let report = Simulation(seed: seed).run()
            virtualMilliseconds += report.virtualMilliseconds
            if verbose { print(line(of: report)) }
            if let violation = report.violation {
                failures += 1
                print("seed \(seed): \(violation)")
            }
        }
        let hours = Double(virtualMilliseconds) / 3_600_000
        print("\(seeds) seeds, \(failures) failed, \(hours) simulated hours")
        if failures > 0 { throw ExitCode(1) }
    }

    private func line(of report: SimulationReport) -> String {
        """
        seed \(report.seed) digest \(String(report.digest, radix: 16)) \
        \(report.virtualMilliseconds) ms, \(report.messages) messages \
        (\(report.messagesLost) lost, \(report.messagesDamaged) damaged, \
        \(report.messagesRejected) rejected), crashes \
        \(report.shardCrashes)+\(report.coordinatorCrashes), cuts \(report.partitions), \
        \(report.acknowledged) acknowledged, \(report.unknown) unknown, \(report.reads) reads, \
        \(report.degraded) degraded, \(report.locations) locations, \
        generation \(report.generation)
        """
    }
}
