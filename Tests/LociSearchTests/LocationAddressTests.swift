import LociBase
import LociKernels
import LociModel
import Testing

@testable import LociSearch

/// What the bounds of a search leave out is what nobody asked for.
@Suite struct LocationAddressTests {
    private static let dimension = 12

    private static func index(
        _ count: Int, keepsExact: Bool = true, _ rows: [Float]
    ) -> LocationIndex {
        var index = LocationIndex(dimension: dimension, keepsExact: keepsExact)
        index.insert(
            (0..<count).map { LocationKey(partition: 0, location: LocationID($0)) },
            generation: 1, centroids: Array(rows[..<(count * dimension)]))
        return index
    }

    private static func row(_ rows: [Float], _ index: Int) -> [Float] {
        Array(rows[(index * dimension)..<((index + 1) * dimension)])
    }

    /// However many are allowed, a bounded address is the front of the unbounded one.
    @Test func aBoundedAddressIsThePartOfTheFullOneWithinItsBound() {
        let count = 900
        let rows = Mixture.rows(
            count + 30, dimension: Self.dimension, clusters: 40, spread: 1, seed: 12)
        let index = Self.index(count, rows)
        var random = SeededRandom(seed: 3)
        for query in count..<(count + 30) {
            let vector = Self.row(rows, query)
            let all = index.address(of: vector, metric: .l2, most: count, epsilon: .infinity)
            #expect(all.count == count)
            for most in [1, 5, 64, 2000] {
                let least = 1 + random.below(12)
                let epsilon = Float(random.below(6)) / 4
                let found = index.address(
                    of: vector, metric: .l2, most: most, least: least, epsilon: epsilon)
                let near = all.prefix { $0.score <= (1 + epsilon) * all[0].score }
                #expect(found == Array(all.prefix(min(most, max(near.count, least)))))
            }
        }
    }

    /// One element is so large that the others, all in one direction, round to nothing: the codes
    /// mislead, and the bounds must leave room for it. So few locations are in one group.
    @Test func aQueryThatRoundsBadlyIsAnsweredExactly() {
        let dimension = 100
        var random = SeededRandom(seed: 21)
        let rows = (0..<100).flatMap { _ in
            [0] + [Float](repeating: Float(random.below(2001) - 1000) / 1000, count: dimension - 1)
        }
        var index = LocationIndex(dimension: dimension)
        index.insert(
            (0..<100).map { LocationKey(partition: 0, location: $0) }, generation: 1,
            centroids: rows)
        for query in 0..<20 {
            let others = 0.75 - Float(query) / 1000
            let vector = [200] + [Float](repeating: others, count: dimension - 1)
            for (kind, metric) in [(ScoreKind.squaredL2, Metric.l2), (.dot, .dot)] {
                var scores: [Float] = []
                Kernels.score(kind, query: vector, rows: rows, into: &scores)
                let order = scores.indices.sorted {
                    let (left, right) = (scores[$0], scores[$1])
                    if left == right { return $0 < $1 }
                    return metric == .dot ? left > right : left < right
                }
                let found = index.address(of: vector, metric: metric, most: 8, epsilon: .infinity)
                #expect(found.map { Int($0.key.location) } == Array(order.prefix(8)))
                #expect(found.map(\.score) == order.prefix(8).map { scores[$0] })
            }
        }
    }

    /// The closure of a large index is that of the rule over a sorted list of its 64 nearest.
    @Test func theClosureIsThatOfTheRuleOverASortedScan() {
        let count = 700
        let rows = Mixture.rows(
            count + 40, dimension: Self.dimension, clusters: 20, spread: 1, seed: 4)
        let index = Self.index(count, rows)
        var copies = 0
        for query in count..<(count + 40) {
            let vector = Self.row(rows, query)
            let near = index.address(of: vector, metric: .l2, most: 64, epsilon: .infinity)
            for (most, epsilon) in [(1, 0.5), (2, 0.5), (8, 1), (8, .infinity)] as [(Int, Float)] {
                let expected = Closure.choose(
                    distances: near.map(\.score),
                    rows: near.flatMap { Self.row(rows, Int($0.key.location)) }, most: most,
                    epsilon: epsilon)
                let found = index.closure(
                    of: vector, generation: 1, most: most, epsilon: epsilon)
                #expect(found == expected.map { near[$0] })
                copies += found.count
            }
        }
        #expect(copies > 40 * 6, "the rule chose from more than one")
    }

    @Test func theScoreOfALocationIsThatOfItsCentroid() {
        let rows = Mixture.rows(301, dimension: Self.dimension, clusters: 5, seed: 2)
        for keepsExact in [true, false] {
            var index = Self.index(300, keepsExact: keepsExact, rows)
            let vector = Self.row(rows, 300)
            for location in stride(from: 0, to: 300, by: 7) {
                let key = LocationKey(partition: 0, location: LocationID(location))
                let centroid = index.centroid(of: key)!
                var squared: [Float] = []
                Kernels.score(.squaredL2, query: vector, rows: centroid, into: &squared)
                #expect(index.score(.squaredL2, of: key, with: vector) == squared[0])
                #expect(index.score(.dot, of: key, with: vector) == Kernels.dot(vector, centroid))
                let unknown = LocationKey(partition: 1, location: 0)
                let scores = index.scores(
                    of: [unknown, key], with: vector, wantsProducts: true)
                #expect(scores.count == 2 && scores[0] == nil)
                #expect(scores[1]?.squaredDistance == squared[0])
                #expect(scores[1]?.product == Kernels.dot(vector, centroid))
                index.remove(key)
                #expect(index.score(.dot, of: key, with: vector) == nil)
            }
        }
    }
}
