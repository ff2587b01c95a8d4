import LociBase
import LociModel
import Testing

@testable import LociSearch

/// The index with many groups: answers stay those of a scan over everything.
@Suite struct LocationIndexScaleTests {
    private static func key(_ number: Int) -> LocationKey {
        LocationKey(partition: PartitionIndex(number % 5), location: LocationID(number))
    }

    private static func row(_ rows: [Float], _ index: Int, _ dimension: Int) -> [Float] {
        Array(rows[(index * dimension)..<((index + 1) * dimension)])
    }

    /// Locations come and go, so that groups split and dissolve; the answer is that of an index
    /// that got them all at once, to the bit, and for every metric and generation.
    @Test(arguments: [(4, 0), (24, 30)]) func anAddressDoesNotDependOnTheWayThere(
        dimension: Int, clusters: Int
    ) {
        let rows = Mixture.rows(1300, dimension: dimension, clusters: clusters, seed: 5)
        var random = SeededRandom(seed: 9)
        var grown = LocationIndex(dimension: dimension)
        for number in 0..<1200 {
            grown.insert(
                Self.key(number), generation: UInt32(number % 3),
                centroid: Self.row(rows, number, dimension))
        }
        // Everything in one half of space goes, which empties groups, and some is replaced.
        var left: [Int] = []
        for number in 0..<1200 {
            if rows[number * dimension] > 0 {
                grown.remove(Self.key(number))
            } else {
                left.append(number)
            }
        }
        for number in left where number % 7 == 0 {
            grown.insert(
                Self.key(number), generation: 1, centroid: Self.row(rows, number, dimension))
        }
        var fresh = LocationIndex(dimension: dimension)
        for generation in 0..<3 {
            let members = left.filter { ($0 % 7 == 0 ? 1 : $0 % 3) == generation }.shuffled(
                using: &random)
            fresh.insert(
                members.map(Self.key), generation: UInt32(generation),
                centroids: members.flatMap { Self.row(rows, $0, dimension) })
        }
        #expect(grown.count == left.count && fresh.count == left.count)
        for query in 1200..<1230 {
            let vector = Self.row(rows, query, dimension)
            for metric in [Metric.l2, .dot] {
                for generation in [UInt32?.none, 0, 1, 2, 3] {
                    let most = 1 + random.below(40)
                    let one = grown.address(
                        of: vector, metric: metric, most: most, epsilon: .infinity,
                        generation: generation)
                    let other = fresh.address(
                        of: vector, metric: metric, most: most, epsilon: .infinity,
                        generation: generation)
                    #expect(one == other)
                    let scan = Self.scan(left, rows, vector, metric) {
                        generation == nil || UInt32($0 % 7 == 0 ? 1 : $0 % 3) == generation
                    }
                    #expect(one.map(\.key) == scan.prefix(most).map(\.key))
                }
            }
        }
    }

    private static func scan(
        _ members: [Int], _ rows: [Float], _ vector: [Float], _ metric: Metric,
        where isWanted: (Int) -> Bool
    ) -> [(key: LocationKey, cost: Double)] {
        members.filter(isWanted).map { member in
            var cost = 0.0
            for (element, value) in vector.enumerated() {
                let other = Double(rows[member * vector.count + element])
                cost +=
                    metric == .dot
                    ? -Double(value) * other : (Double(value) - other) * (Double(value) - other)
            }
            return (key(member), cost)
        }.sorted { ($0.cost, $0.key) < ($1.cost, $1.key) }
    }

    /// Values whose squares overflow or vanish: nothing is lost and nothing traps.
    @Test func extremeVectorsAreFoundToo() {
        for value: Float in [0, .leastNonzeroMagnitude, 1e-30, 1e19, 3e38] {
            var index = LocationIndex(dimension: 3)
            for number in 0..<300 {
                index.insert(
                    Self.key(number), generation: 1,
                    centroid: [value, -value, Float(number % 2) * value])
            }
            for metric in [Metric.l2, .dot] {
                let found = index.address(
                    of: [value, value, 0], metric: metric, most: 5, epsilon: .infinity)
                #expect(found.count == 5)
            }
        }
    }

    @Test func aCompactCopyFindsNearlyAllAndHoldsOnlyCodes() {
        let (dimension, count) = (64, 5000)
        let rows = Mixture.rows(
            count + 40, dimension: dimension, clusters: 200, spread: 1, seed: 3)
        let keys = (0..<count).map(Self.key)
        let centroids = Array(rows[..<(count * dimension)])
        var exact = LocationIndex(dimension: dimension)
        exact.insert(keys, generation: 1, centroids: centroids)
        var compact = LocationIndex(dimension: dimension, keepsExact: false)
        compact.insert(keys, generation: 1, centroids: centroids)
        var found = 0
        var foundByCodes = 0
        for query in count..<(count + 40) {
            let vector = Self.row(rows, query, dimension)
            let sure = exact.address(of: vector, metric: .l2, most: 16, epsilon: .infinity)
            let coarse = compact.address(of: vector, metric: .l2, most: 16, epsilon: .infinity)
            found += Set(sure.map(\.key)).intersection(coarse.map(\.key)).count
            // Who holds the locations answers by their codes as well, and looks at all groups.
            let estimated = exact.address(
                of: vector, metric: .l2, most: 16, epsilon: .infinity, isEstimate: true)
            foundByCodes += Set(sure.map(\.key)).intersection(estimated.map(\.key)).count
            for active in coarse {
                let true1 = Mixture.squaredDistance(vector, exact.centroid(of: active.key)!)
                #expect(abs(active.score - true1) < 0.05 * true1)
            }
        }
        #expect(Double(found) / (40 * 16) >= 0.97, "\(Double(found) / (40 * 16))")
        #expect(foundByCodes >= found)
        #expect(Double(foundByCodes) / (40 * 16) >= 0.995, "\(Double(foundByCodes) / (40 * 16))")
        // 18 % of the points of 64 dimensions: 5 % of their bytes.
        let points = Double(count) / 0.18
        #expect(Double(compact.codeBytes) <= 0.05 * points * Double(4 * dimension))
        #expect(compact.centroid(of: keys[7]) != exact.centroid(of: keys[7]))
    }

    /// A copy that is told of locations one at a time becomes compact on the way, and keeps up
    /// with their changes after that.
    @Test func aCompactCopyThatGrowsLosesNoLocation() {
        let (dimension, count) = (8, 4300)
        let rows = Mixture.rows(count, dimension: dimension, clusters: 30, seed: 6)
        var compact = LocationIndex(dimension: dimension, keepsExact: false)
        for number in 0..<count {
            compact.insert(
                Self.key(number), generation: 2, centroid: Self.row(rows, number, dimension))
        }
        for number in stride(from: 0, to: count, by: 3) { compact.remove(Self.key(number)) }
        for number in 0..<count {
            #expect(compact.contains(Self.key(number)) == (number % 3 != 0))
        }
        for number in stride(from: 1, to: count, by: 97) where number % 3 != 0 {
            let vector = Self.row(rows, number, dimension)
            let found = compact.address(of: vector, metric: .l2, most: 4, epsilon: .infinity)
            #expect(found.map(\.key).contains(Self.key(number)))
        }
    }

    /// Few of the newest generation among many old ones, far from the query: still all found.
    @Test func aFilterFindsWhatIsFarBehindWhatItRulesOut() {
        let dimension = 8
        let rows = Mixture.rows(4200, dimension: dimension, clusters: 0, seed: 8)
        for keepsExact in [true, false] {
            var index = LocationIndex(dimension: dimension, keepsExact: keepsExact)
            index.insert(
                (0..<4200).map(Self.key), generation: 1, centroids: rows)
            for number in 5000..<5003 {
                index.insert(
                    Self.key(number), generation: 2,
                    centroid: [Float](repeating: 50 + Float(number), count: dimension))
            }
            let generations = index.generations
            let origin = [Float](repeating: 0, count: dimension)
            let filtered = index.address(
                of: origin, metric: .l2, most: 10, epsilon: .infinity,
                among: { generations[$0] == 2 })
            #expect(filtered.map(\.key.location) == [5000, 5001, 5002])
            let named = index.address(
                of: origin, metric: .l2, most: 10, epsilon: .infinity, generation: 2)
            #expect(named.map(\.key) == filtered.map(\.key))
            #expect(index.latestGeneration == 2)
            for number in 5000..<5003 { index.remove(Self.key(number)) }
            #expect(index.latestGeneration == 1)
        }
    }
}
