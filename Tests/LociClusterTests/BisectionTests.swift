import LociBase
import Testing

@testable import LociSearch

@Suite struct BisectionTests {
    private static func normal(_ random: inout SeededRandom) -> Float {
        Float((0..<12).reduce(-6.0) { sum, _ in sum + random.unit() })
    }

    private static func rows(
        _ count: Int, dimension: Int, clusters: Int, seed: UInt64
    ) -> [Float] {
        var random = SeededRandom(seed: seed)
        let centres = (0..<max(clusters, 1)).map { _ in
            (0..<dimension).map { _ in clusters == 0 ? 0 : 20 * normal(&random) }
        }
        return (0..<count).flatMap { _ in
            centres[random.below(centres.count)].map { $0 + normal(&random) }
        }
    }

    @Test func everyRowIsInOnePartAndSizesAreWithinOneOfEachOther() {
        for count in [0, 1, 2, 3, 7, 16, 50, 129] {
            let rows = Self.rows(count, dimension: 3, clusters: 4, seed: UInt64(count))
            for parts in [1, 2, 3, 5, 7, 16] {
                var bisection = BalancedBisection(rows: rows, dimension: 3, seed: 1)
                let split = bisection.split(into: parts)
                #expect(split.count == parts)
                #expect(split.flatMap(\.self).sorted() == Array(0..<count))
                let sizes = split.map(\.count)
                #expect(sizes.max()! - sizes.min()! <= 1, "\(count) rows, \(parts) parts: \(sizes)")
            }
        }
    }

    @Test func theSameSeedGivesTheSameParts() {
        let rows = Self.rows(1500, dimension: 2, clusters: 0, seed: 3)
        var first = BalancedBisection(rows: rows, dimension: 2, seed: 5)
        var second = BalancedBisection(rows: rows, dimension: 2, seed: 5)
        let parts = first.split(into: 8)
        let again = second.split(into: 8)
        #expect(parts == again)
    }

    @Test func rowsThatAreAllEqualAreSharedToo() {
        var bisection = BalancedBisection(
            rows: Array(repeating: 1.5, count: 4 * 40), dimension: 4, seed: 1)
        let parts = bisection.split(into: 4)
        #expect(parts.map(\.count) == [10, 10, 10, 10])
    }

    @Test func twoClustersAreCutApart() {
        var rows: [Float] = []
        for index in 0..<40 { rows += [Float(index % 2 * 100) + Float(index) / 40, 0] }
        var bisection = BalancedBisection(rows: rows, dimension: 2, seed: 9)
        for part in bisection.split(into: 2) {
            #expect(Set(part.map { $0 % 2 }).count == 1)
        }
        #expect(bisection.mean(of: []) == [0, 0])
        #expect(abs(bisection.mean(of: [1, 3])[0] - 100.05) < 1e-4)
    }

    @Test func clusteredDataIsRoutable() {
        let sample = Self.rows(1024, dimension: 16, clusters: 40, seed: 11)
        let outcome = LocationLearning(
            dimension: 16, partitions: 8, sample: sample, seed: 1
        ).run()
        #expect(!outcome.isUnroutable)
        #expect(outcome.meanPartitions < 2.5, "\(outcome.meanPartitions)")
        #expect(outcome.centroids.count == 8)
        let all = outcome.centroids.reduce(0) { $0 + $1.count } / 16
        #expect(all == 8 * LocationLearning.locationsPerPartition)
        #expect(outcome.centroids.allSatisfy { !$0.isEmpty })
        #expect(outcome.imbalance <= 1.06, "\(outcome.imbalance)")
    }

    @Test func noiseWithoutClustersIsUnroutable() {
        let sample = Self.rows(768, dimension: 64, clusters: 0, seed: 12)
        let outcome = LocationLearning(
            dimension: 64, partitions: 8, sample: sample, seed: 1
        ).run()
        #expect(outcome.isUnroutable, "\(outcome.meanPartitions)")
    }

    @Test func aSmallSampleLearnsWhatThereIs() {
        for count in [0, 1, 5] {
            let sample = Self.rows(count, dimension: 2, clusters: 1, seed: 4)
            let outcome = LocationLearning(
                dimension: 2, partitions: 4, sample: sample, seed: 1
            ).run()
            #expect(outcome.centroids.flatMap(\.self).count == 2 * count)
        }
    }
}
