import LociBase
import LociModel
import Testing

@testable import LociSearch

@Suite struct ClosureTests {
    /// The rule as it is written: no block kernels, every chosen one looked at.
    private static func expected(
        _ vector: [Float], _ rows: [[Float]], most: Int, epsilon: Float
    ) -> [Int] {
        let distances = rows.map { Mixture.squaredDistance(vector, $0) }
        var chosen: [Int] = []
        for (candidate, row) in rows.enumerated() {
            if candidate > 0, distances[candidate] > (1 + epsilon) * distances[0] { break }
            let isCovered = chosen.contains {
                Mixture.squaredDistance(rows[$0], row) < distances[candidate]
            }
            if !isCovered { chosen.append(candidate) }
            if chosen.count == most { break }
        }
        return chosen
    }

    /// Small whole numbers: distances are exact and ties are common.
    @Test func theChosenAreThoseOfTheRule() {
        var random = SeededRandom(seed: 8)
        for _ in 0..<400 {
            let vector = (0..<3).map { _ in Float(random.below(7) - 3) }
            let rows = (0..<(1 + random.below(30)))
                .map { _ in (0..<3).map { _ in Float(random.below(9) - 4) } }
                .sorted {
                    Mixture.squaredDistance(vector, $0) < Mixture.squaredDistance(vector, $1)
                }
            let most = 1 + random.below(8)
            let epsilon: Float = random.chance(0.3) ? .infinity : Float(random.below(8)) / 2
            let found = Closure.choose(
                distances: rows.map { Mixture.squaredDistance(vector, $0) },
                rows: rows.flatMap(\.self), most: most, epsilon: epsilon)
            #expect(found == Self.expected(vector, rows, most: most, epsilon: epsilon))
        }
        #expect(Closure.choose(distances: [], rows: [], most: 8, epsilon: 1).isEmpty)
    }

    @Test func aVectorGoesToItsNearestLocationAndToOthersInOtherDirections() {
        var index = LocationIndex(dimension: 2)
        let places: [[Float]] = [[1, 0], [1.2, 0], [-1.5, 0], [0, 9], [0, -2]]
        for (location, place) in places.enumerated() {
            index.insert(
                LocationKey(partition: 0, location: LocationID(location)), generation: 4,
                centroid: place)
        }
        index.insert(LocationKey(partition: 1, location: 0), generation: 5, centroid: [0, 0])
        let found = index.closure(of: [0, 0], generation: 4, epsilon: 10)
        #expect(found.map(\.key.location) == [0, 2, 4])
        #expect(found.map(\.score) == [1, 2.25, 4])
        let narrow = index.closure(of: [0, 0], generation: 4, epsilon: 1.5)
        #expect(narrow.map(\.key.location) == [0, 2])
        #expect(index.closure(of: [0, 0], generation: 4, most: 1, epsilon: 10).count == 1)
        #expect(index.closure(of: [0, 0], generation: 6, epsilon: 10).isEmpty)
    }
}
