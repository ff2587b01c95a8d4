import ArgumentParser
import LociSimulation

/// `loci-simulate gossip`: how fast advice spreads, and whether it does under faults.
struct GossipCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gossip",
        abstract: "Spreads an entry of each node to all, in virtual time, and counts the rounds.",
        discussion: """
            Without options, a table for 2 to 1,000 nodes and 0, 10 and 30 % of messages lost \
            (and a third of that repeated, a tenth delayed). With --lives, runs with everything at \
            once: crashes, restarts, partitions and, in every second one, nodes that lie; what is \
            checked is that all nodes agree in the end, that nothing outlives its time, and the \
            bounds of memory and bytes.
            """)

    @Option(help: "How many nodes, from 2 to 1,000.")
    var nodes: Int?

    @Option(help: "Part of the messages that is lost, from 0 to 0.3.")
    var loss: Double?

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds; the slowest counts.")
    var seeds: UInt64 = 1

    @Option(help: "Run so many lives under faults, of --nodes nodes (8 by default), instead.")
    var lives: UInt64 = 0

    func validate() throws {
        if let nodes, !(2...1000).contains(nodes) {
            throw ValidationError("--nodes is from 2 to 1000.")
        }
        if let loss, !(0...0.3).contains(loss) {
            throw ValidationError("--loss is from 0 to 0.3.")
        }
        if seeds == 0 || seeds > 1_000_000 || lives > 1_000_000 {
            throw ValidationError("--seeds is from 1 to 1000000, --lives at most that.")
        }
        if lives > 0, nodes == 2 || loss != nil {
            throw ValidationError("--lives takes --nodes from 3 and draws the loss from the seed.")
        }
    }

    func run() throws {
        if lives > 0 { return try runLives() }
        print("  nodes  log2   loss  rounds  bytes/node/round    most  most memory   messages")
        for nodes in nodes.map({ [$0] }) ?? [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000] {
            for loss in loss.map({ [$0] }) ?? [0, 0.1, 0.3] { try runSpread(nodes, loss) }
        }
    }

    private func runSpread(_ nodes: Int, _ loss: Double) throws {
        var slowest: GossipReport?
        for offset in 0..<seeds {
            let scenario = GossipScenario.spread(nodes: nodes, seed: seed &+ offset, loss: loss)
            let report = GossipSimulation(scenario).run()
            try check(report, scenario.seed)
            if report.rounds >= slowest?.rounds ?? 0 { slowest = report }
        }
        guard let slowest else { return }
        print(
            column("\(nodes)", 7), column(tenths(GossipReport.logarithm(of: nodes)), 5),
            column("\(Int((loss * 100).rounded())) %", 6), column("\(slowest.rounds)", 7),
            column("\(Int(slowest.meanBytesPerRound))", 17),
            column("\(slowest.mostBytesPerRound)", 7), column("\(slowest.mostMemoryBytes)", 12),
            column("\(slowest.messages)", 10), separator: "")
    }

    private func runLives() throws {
        var rounds = 0.0
        var (crashes, cuts, forged) = (0, 0, UInt64(0))
        for offset in 0..<lives {
            let hostile = offset % 2 == 0 ? 0 : 1 + Int(offset / 2) % 2
            let scenario = GossipScenario.life(
                seed: seed &+ offset, nodes: nodes ?? 8, hostile: hostile)
            let report = GossipSimulation(scenario).run()
            try check(report, scenario.seed)
            rounds = max(rounds, report.rounds)
            crashes += report.crashes
            cuts += report.cuts
            forged += report.forged
        }
        print(
            """
            \(lives) lives of \(nodes ?? 8) nodes: all agree, the slowest after \(rounds) rounds; \
            \(crashes) crashes, \(cuts) cuts, \(forged) forged entries
            """)
    }

    private func check(_ report: GossipReport, _ seed: UInt64) throws {
        guard let violation = report.violation else { return }
        print("seed \(seed): \(violation)")
        throw ExitCode(1)
    }

    private func column(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
