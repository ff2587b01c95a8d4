import LociSimulation
import Testing

/// Lives of small clusters: 3 shards, 3 to 5 partitions, 4 clients, with crashes of shards and
/// coordinator, cut and lossy networks. A failing seed is printed; `loci-simulate --first SEED
/// --seeds 1 --verbose` runs it again.
@Suite struct SimulationTests {
    static let seedsPerGroup: UInt64 = 12

    @Test(arguments: 0..<10)
    func nothingAcknowledgedIsLostAndNothingElseIsThere(group: UInt64) {
        var crashes = 0
        var acknowledged = 0
        var learned = 0
        var prefetched = 0
        var warmed = 0
        var found = 0
        var selected = 0
        let first = group * Self.seedsPerGroup + 1
        for seed in first..<(first + Self.seedsPerGroup) {
            let report = Simulation(seed: seed).run()
            #expect(report.violation == nil, "seed \(seed): \(report.violation ?? "")")
            crashes += report.shardCrashes
            acknowledged += report.acknowledged
            learned += report.generation > 0 ? 1 : 0
            prefetched += report.pagesPrefetched
            warmed += report.pagesWarmed
            found += report.foundByAddress
            selected += report.foundBySelection
        }
        // The runs reach what they are for.
        #expect(crashes >= 10)
        #expect(acknowledged >= 400)
        #expect(learned >= 5)
        #expect(prefetched >= 50)
        #expect(warmed >= 10)
        #expect(found >= 200)
        #expect(selected >= 10)
    }

    /// Without faults and with one client, what processes tell each other changes no answer.
    @Test func gossipAndHintsChangeNoAnswer() {
        for seed in 1...6 as ClosedRange<UInt64> {
            let with = Simulation(seed: seed, gossips: true, isFaultless: true).run()
            let without = Simulation(seed: seed, gossips: false, isFaultless: true).run()
            #expect(with.violation == nil && without.violation == nil, "seed \(seed)")
            #expect(with.reads > 20 && with.messages > without.messages + 100)
            #expect(with.answers == without.answers, "seed \(seed)")
            print(
                "seed \(seed): \(with.reads) reads, answers "
                    + "\(String(with.answers, radix: 16)) with gossip, "
                    + "\(String(without.answers, radix: 16)) without")
            let other = Simulation(seed: seed + 1, gossips: true, isFaultless: true).run()
            #expect(with.answers != other.answers)
        }
    }

    @Test(arguments: [3, 17, 99] as [UInt64])
    func theSameSeedIsTheSameRunByteForByte(seed: UInt64) {
        let first = Simulation(seed: seed).run()
        let second = Simulation(seed: seed).run()
        #expect(first == second)
        #expect(first.digest != Simulation(seed: seed + 1).run().digest)
    }

    @Test(arguments: Sabotage.allCases)
    func aBrokenShardIsNoticed(sabotage: Sabotage) {
        let noticed = (UInt64(1)...10).contains { seed in
            Simulation(seed: seed, sabotage: sabotage).run().violation != nil
        }
        #expect(noticed)
    }
}
