import LociBase
import LociKernels
import Testing

@testable import LociSearch

/// Vectors of a mixture, or of one normal distribution where there are no clusters.
enum Mixture {
    static func normal(_ random: inout SeededRandom) -> Float {
        Float((0..<12).reduce(-6.0) { sum, _ in sum + random.unit() })
    }

    static func rows(
        _ count: Int, dimension: Int, clusters: Int, spread: Float = 5, seed: UInt64
    ) -> [Float] {
        var random = SeededRandom(seed: seed)
        let centres = (0..<max(clusters, 1)).map { _ in
            (0..<dimension).map { _ in clusters == 0 ? 0 : spread * normal(&random) }
        }
        return (0..<count).flatMap { _ in
            centres[random.below(centres.count)].map { $0 + normal(&random) }
        }
    }

    static func squaredDistance(_ left: [Float], _ right: [Float]) -> Float {
        zip(left, right).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
}

@Suite struct HierarchicalClusteringTests {
    @Test func everyRowIsInOneLeafAndNoLeafIsTooLarge() {
        for count in [0, 1, 2, 9, 40, 300] {
            let rows = Mixture.rows(count, dimension: 4, clusters: 5, seed: UInt64(count))
            for size in [1, 3, 8, 50] {
                var clustering = HierarchicalClustering(rows: rows, dimension: 4, seed: 1)
                let leaves = clustering.split(leafSize: size)
                #expect(leaves.flatMap(\.self).sorted() == Array(0..<count))
                #expect(leaves.allSatisfy { !$0.isEmpty && $0.count <= size })
            }
        }
    }

    @Test func asManyLeavesComeAsAreAskedForOrAsThereAreRows() {
        for count in [1, 2, 9, 40, 300] {
            let rows = Mixture.rows(count, dimension: 4, clusters: 0, seed: UInt64(count))
            for wanted in [1, 2, 31, 33, 64, 200] {
                var clustering = HierarchicalClustering(rows: rows, dimension: 4, seed: 1)
                let leaves = clustering.split(into: wanted)
                #expect(leaves.count == min(wanted, count))
                #expect(leaves.flatMap(\.self).sorted() == Array(0..<count))
                #expect(leaves.allSatisfy { !$0.isEmpty })
            }
        }
    }

    /// Equal rows and far outliers would make a tree of k-means as deep as there are rows.
    @Test(.timeLimit(.minutes(1))) func equalRowsAndOutliersAreCutTooWithoutADeepTree() {
        let equal = [Float](repeating: 2.5, count: 3 * 1200)
        var clustering = HierarchicalClustering(rows: equal, dimension: 3, seed: 1)
        #expect(clustering.split(leafSize: 8).allSatisfy { $0.count <= 8 })
        var geometric: [Float] = []
        var value: Float = 1
        for _ in 0..<120 {
            geometric.append(value)
            value *= 2
        }
        clustering = HierarchicalClustering(rows: geometric, dimension: 1, seed: 1)
        #expect(clustering.split(leafSize: 2).allSatisfy { $0.count <= 2 })
    }

    @Test func theSameSeedGivesTheSameLeavesAndAnotherSeedOthers() {
        let rows = Mixture.rows(500, dimension: 6, clusters: 0, seed: 3)
        func leaves(_ seed: UInt64) -> [[Int]] {
            var clustering = HierarchicalClustering(rows: rows, dimension: 6, seed: seed)
            return clustering.split(leafSize: 20)
        }
        #expect(leaves(5) == leaves(5))
        #expect(leaves(5) != leaves(6))
    }

    /// What the leaves are for: their rows are near their mean, and leaves that follow one another
    /// are near each other.
    @Test func leavesAreCompactAndNeighboursFollowOneAnother() {
        let rows = Mixture.rows(2000, dimension: 8, clusters: 20, seed: 7)
        var clustering = HierarchicalClustering(rows: rows, dimension: 8, seed: 2)
        let leaves = clustering.split(leafSize: 16)
        let means = leaves.map { clustering.mean(of: $0) }
        let whole = clustering.mean(of: Array(0..<2000))
        var (within, total): (Float, Float) = (0, 0)
        for (leaf, members) in leaves.enumerated() {
            for member in members {
                within += Mixture.squaredDistance(clustering.row(member), means[leaf])
                total += Mixture.squaredDistance(clustering.row(member), whole)
            }
        }
        #expect(within < 0.06 * total, "\(within / total)")
        var random = SeededRandom(seed: 1)
        var (next, any): (Float, Float) = (0, 0)
        for leaf in means.indices.dropFirst() {
            next += Mixture.squaredDistance(means[leaf - 1], means[leaf])
            any += Mixture.squaredDistance(means[random.below(means.count)], means[leaf])
        }
        #expect(next < 0.35 * any, "\(next / any)")
        let sizes = leaves.map { Float($0.count) }
        let mean = sizes.reduce(0, +) / Float(sizes.count)
        let spread = sizes.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(sizes.count)
        #expect(spread.squareRoot() < 0.7 * mean, "\(spread.squareRoot() / mean)")
    }

    @Test func theHeadOfALeafIsItsRowNearestToTheMean() {
        let rows: [Float] = [0, 0, 10, 0, 4, 1, 0, 9]
        let clustering = HierarchicalClustering(rows: rows, dimension: 2, seed: 1)
        #expect(clustering.head(of: [0, 1, 2, 3]) == 2)
        #expect(clustering.head(of: [3]) == 3)
    }

    @Test func sharesAreInProportionAndNeverMoreThanThereIs() {
        var random = SeededRandom(seed: 4)
        for _ in 0..<300 {
            let sizes = (0..<(1 + random.below(8))).map { _ in 1 + random.below(40) }
            let total = sizes.reduce(0, +)
            let whole = sizes.count + random.below(2 * total)
            let shares = Apportionment.shares(of: whole, sizes: sizes)
            #expect(shares.reduce(0, +) == min(whole, total))
            #expect(zip(shares, sizes).allSatisfy { 1 <= $0 && $0 <= $1 })
        }
        #expect(Apportionment.shares(of: 10, sizes: [70, 20, 10]) == [7, 2, 1])
    }
}
