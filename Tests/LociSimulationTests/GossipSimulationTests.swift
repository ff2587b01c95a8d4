import LociSimulation
import Testing

/// Gossip in virtual time. A failing seed is printed; `loci-simulate gossip` runs such lives again.
@Suite struct GossipSimulationTests {
    /// The rounds grow as the logarithm of the number of nodes.
    @Test(arguments: [2, 3, 4, 8, 16, 32], [0, 0.1, 0.3])
    func anEntryOfEachNodeReachesAllInLogarithmicRounds(nodes: Int, loss: Double) {
        for seed in 1...3 as ClosedRange<UInt64> {
            let report = GossipSimulation(.spread(nodes: nodes, seed: seed, loss: loss)).run()
            #expect(report.violation == nil, "seed \(seed): \(report.violation ?? "")")
            #expect(report.rounds <= bound(nodes, loss), "seed \(seed): \(report.rounds) rounds")
            #expect(report.entries == nodes)
        }
    }

    @Test func aThousandNodesAgree() {
        let report = GossipSimulation(.spread(nodes: 1000, seed: 1, loss: 0)).run()
        #expect(report.violation == nil)
        #expect(report.entries == 1000)
        #expect(report.rounds <= bound(1000, 0))
    }

    /// Loss, repetition, late messages, crashes and restarts, cuts that heal, short-lived entries
    /// and withdrawals, all at once.
    @Test(arguments: 0..<5)
    func afterFaultsAllNodesHoldWhatTheirOriginsSay(group: UInt64) {
        var (crashes, cuts) = (0, 0)
        for seed in (group * 3 + 1)...(group * 3 + 3) {
            let report = GossipSimulation(.life(seed: seed, nodes: 3 + Int(seed % 6))).run()
            #expect(report.violation == nil, "seed \(seed): \(report.violation ?? "")")
            crashes += report.crashes
            cuts += report.cuts
        }
        #expect(crashes > 0 && cuts > 0)
    }

    /// What nodes that lie have said is gone after the longest life, and has filled nothing.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func nodesThatLieAreForgotten(seed: UInt64) {
        let report = GossipSimulation(.life(seed: seed, nodes: 4, hostile: 1)).run()
        #expect(report.violation == nil, "seed \(seed): \(report.violation ?? "")")
        #expect(report.forged > 1000)
        #expect(report.unasked > 50)
    }

    @Test func theSameSeedIsTheSameRun() {
        let first = GossipSimulation(.life(seed: 7, nodes: 4, hostile: 1)).run()
        let second = GossipSimulation(.life(seed: 7, nodes: 4, hostile: 1)).run()
        #expect(first == second)
        let other = GossipSimulation(.life(seed: 8, nodes: 4, hostile: 1)).run()
        #expect(first.digest != other.digest)
    }

    /// The slowest of 200 seeds stayed within it for up to 16 nodes; of fewer seeds for more.
    private func bound(_ nodes: Int, _ loss: Double) -> Double {
        let (slope, start) =
            loss == 0 ? (0.6, 1.0) : loss <= 0.1 ? (0.8, 3.0) : (1.7, 9.0)
        return slope * GossipReport.logarithm(of: nodes) + start
    }
}
