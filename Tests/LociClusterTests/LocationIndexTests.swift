import LociBase
import LociModel
import Testing

@testable import LociSearch

@Suite struct LocationIndexTests {
    /// Small whole numbers, so that distances are exact and ties are common.
    private static func vector(_ random: inout SeededRandom) -> [Float] {
        (0..<3).map { _ in Float(random.below(5) - 2) }
    }

    private static func score(_ left: [Float], _ right: [Float], _ metric: Metric) -> Float {
        zip(left, right).reduce(0) { sum, pair in
            metric == .dot
                ? sum + pair.0 * pair.1 : sum + (pair.0 - pair.1) * (pair.0 - pair.1)
        }
    }

    /// What the address should be: sorted by score and key, the most nearest, within the factor.
    private static func expected(
        _ all: [LocationKey: [Float]], _ query: [Float], _ metric: Metric, most: Int,
        epsilon: Float
    ) -> [ActiveLocation] {
        let ranked = all.map { ActiveLocation(key: $0, score: score($1, query, metric)) }
            .sorted { left, right in
                if left.score == right.score { return left.key < right.key }
                return metric == .dot ? left.score > right.score : left.score < right.score
            }.prefix(most)
        guard metric != .dot, let nearest = ranked.first else { return Array(ranked) }
        return ranked.filter {
            $0.score == nearest.score || $0.score <= (1 + epsilon) * nearest.score
        }
    }

    @Test(arguments: 1...4) func theAddressIsThatOfASortedScan(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var index = LocationIndex(dimension: 3)
        var model: [LocationKey: [Float]] = [:]
        for _ in 0..<400 {
            let key = LocationKey(
                partition: PartitionIndex(random.below(4)), location: LocationID(random.below(12)))
            if random.chance(0.35) {
                index.remove(key)
                model[key] = nil
            } else {
                let centroid = Self.vector(&random)
                index.insert(key, generation: 0, centroid: centroid)
                model[key] = centroid
            }
            #expect(index.count == model.count && index.contains(key) == (model[key] != nil))
            #expect(index.centroid(of: key) == model[key])
            let query = Self.vector(&random)
            let most = 1 + random.below(10)
            let epsilon = Float(random.below(4)) / 2
            for metric in [Metric.l2, .cosine, .dot] {
                let found = index.address(of: query, metric: metric, most: most, epsilon: epsilon)
                let expected = Self.expected(
                    model, query, metric, most: most, epsilon: epsilon)
                #expect(found == expected)
            }
        }
    }

    @Test func tiesGoByKeyWhateverTheHistory() {
        let keys = (0..<6).map { LocationKey(partition: $0 % 2, location: $0) }
        for order in permutations(of: keys) {
            var index = LocationIndex(dimension: 2)
            for key in order { index.insert(key, generation: 0, centroid: [1, 1]) }
            index.remove(order[0])
            let found = index.address(of: [0, 0], metric: .l2, most: 3, epsilon: 0).map(\.key)
            #expect(found == Array(order.dropFirst().sorted().prefix(3)))
        }
    }

    /// A request that names a number of probes gets so many, however near the nearest is.
    @Test func withoutABoundAsManyAreActiveAsAskedFor() {
        var index = LocationIndex(dimension: 1)
        for location in LocationID(0)..<5 {
            index.insert(
                LocationKey(partition: 0, location: location), generation: 0,
                centroid: [Float(location)])
        }
        let near = index.address(of: [0.25], metric: .l2, most: 3, epsilon: .infinity)
        #expect(near.map(\.key.location) == [0, 1, 2])
        let exact = index.address(of: [0], metric: .l2, most: 3, epsilon: .infinity)
        #expect(exact.map(\.key.location) == [0, 1, 2])
    }

    @Test func onlyAllowedLocationsAreActive() {
        var index = LocationIndex(dimension: 1)
        for location in LocationID(0)..<6 {
            index.insert(
                LocationKey(partition: 0, location: location), generation: location % 2,
                centroid: [Float(location)])
        }
        let generations = index.generations
        let found = index.address(
            of: [4], metric: .l2, most: 2, epsilon: 100, among: { generations[$0] == 1 })
        #expect(found.map(\.key.location) == [3, 5])
        #expect(index.latestGeneration == 1)
        #expect(
            LocationIndex(dimension: 1).address(of: [0], metric: .l2, most: 3, epsilon: 1).isEmpty)
    }
}
