import LociSimulation
import Testing

/// The trial of addresses at a size for a debug build. Marks are looser than those of 100,000
/// points: the same components have fewer points each, so queries at the same number of lists find
/// more and ask more shards.
@Suite struct AddressingTrialTests {
    @Test func clusteredDataIsFoundOnFewListsAndFewShards() throws {
        let report = AddressingTrial(points: 2000, queries: 50, shards: [32]).run()
        print(report.table)
        let recall = Dictionary(
            uniqueKeysWithValues: report.closure.map { ($0.lists, $0.recall) })
        #expect(try #require(recall[8]) >= 0.96)
        #expect(try #require(recall[16]) >= 0.99)
        #expect(try #require(recall[32]) >= 0.998)
        #expect((4.0...5.7).contains(report.meanCopies))
        #expect((0.72...0.86).contains(report.copied))
        let single = try #require(report.single.first { $0.lists == 8 })
        #expect(single.recall < recall[8]! - 0.08, "copies are what finds them")
        let shards = try #require(report.shards.first)
        let asked = try #require(shards.asked.first { $0.lists == 16 })
        #expect(asked.mean <= 9, "\(asked.mean)")
        #expect(abs(asked.atRandom - 12.7) < 0.7, "\(asked.atRandom)")
        #expect(shards.imbalance <= 1.06)
        #expect(!shards.isUnroutable)
    }

    @Test func dataWithoutClustersIsUnroutable() throws {
        let report = AddressingTrial(
            points: 1200, queries: 30, shards: [32], isClustered: false
        ).run()
        let shards = try #require(report.shards.first)
        #expect(shards.isUnroutable)
        // So few points have so few lists that 16 are a good part of them; clustered data of this
        // size reaches 0.99.
        let recall = try #require(report.closure.first { $0.lists == 8 }).recall
        #expect(recall < 0.9, "\(recall)")
    }

    @Test func theSameSeedGivesTheSameTable() {
        let trial = AddressingTrial(points: 150, queries: 5, shards: [4], seed: 4)
        #expect(trial.run().table == trial.run().table)
    }
}
