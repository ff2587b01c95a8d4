import LociBase
import Testing

@testable import LociSearch

@Suite struct PackingTests {
    @Test(arguments: 1...6) func loadsAreEvenAndEveryLocationHasAHome(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let partitions = 2 + random.below(14)
        let count = partitions * (16 + random.below(20))
        let rows = Mixture.rows(count, dimension: 6, clusters: 12, seed: seed)
        let loads = (0..<count).map { _ in 1 + 9 * random.unit() }
        let packing = Packing(
            loads: loads, centroids: rows, dimension: 6, partitions: partitions)
        #expect(packing.partitions.count == count)
        #expect(packing.imbalance <= 1.06, "\(partitions): \(packing.imbalance)")
        var sums = [Double](repeating: 0, count: partitions)
        for (home, load) in zip(packing.partitions, loads) { sums[home] += load }
        #expect(zip(sums, packing.loads).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    @Test func everyPartitionGetsALocationWhenThereAreEnough() {
        for count in 1...12 {
            let rows = Mixture.rows(count, dimension: 2, clusters: 0, seed: UInt64(count))
            // One is so heavy that it alone is more than a share.
            let loads = (0..<count).map { $0 == 0 ? 1000.0 : 0 }
            let packing = Packing(loads: loads, centroids: rows, dimension: 2, partitions: 5)
            #expect(Set(packing.partitions).count == min(count, 5))
        }
        #expect(
            Packing(loads: [], centroids: [], dimension: 2, partitions: 3).partitions.isEmpty)
    }

    /// Locations of one cluster lie on few partitions, though the clusters come in any order.
    @Test func neighboursLieTogether() {
        var random = SeededRandom(seed: 3)
        let centres = (0..<24).map { _ in (0..<4).map { _ in 30 * Mixture.normal(&random) } }
        let cluster = (0..<480).map { _ in random.below(24) }
        let rows = cluster.flatMap { centres[$0].map { $0 + Mixture.normal(&random) } }
        let packing = Packing(
            loads: [Double](repeating: 1, count: 480), centroids: rows, dimension: 4,
            partitions: 8)
        #expect(packing.imbalance <= 1.06)
        let homes = (0..<24).map { one in
            Set(cluster.indices.filter { cluster[$0] == one }.map { packing.partitions[$0] }).count
        }
        let mean = Double(homes.reduce(0, +)) / 24
        #expect(mean < 2, "\(mean)")
    }
}
