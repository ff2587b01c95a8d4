import Foundation
import LociBase

/// Points around components of unequal sizes, which lie near a plane of 12 dimensions: what
/// embeddings are like, and hash tables are not.
struct ClusteredPoints {
    static let latent = 12
    let dimension: Int
    private var random: SeededRandom
    private var centres: [[Double]]
    private let weights: [Double]
    private let projection: [Double]

    /// - Parameter components: Their sizes follow Zipf's law with exponent 0.8.
    init(dimension: Int, components: Int, seed: UInt64) {
        var random = SeededRandom(seed: seed)
        self.dimension = dimension
        centres = (0..<components).map { _ in
            (0..<Self.latent).map { _ in Self.normal(&random) }
        }
        var total = 0.0
        weights = (1...components).map { rank in
            total += pow(Double(rank), -0.8)
            return total
        }
        projection = (0..<(Self.latent * dimension)).map { _ in
            Self.normal(&random) / Double(Self.latent).squareRoot()
        }
        self.random = random
    }

    /// Moves every second component somewhere else.
    mutating func shift() {
        for index in stride(from: 0, to: centres.count, by: 2) {
            for axis in 0..<Self.latent { centres[index][axis] += Self.normal(&random) }
        }
    }

    /// - Parameter shiftedOnly: Of every second component alone.
    mutating func next(shiftedOnly: Bool = false) -> [Float] {
        let pick = random.unit() * weights.last!
        var component = weights.firstIndex { $0 >= pick } ?? 0
        if shiftedOnly { component &= ~1 }
        let z = centres[component].map { $0 + 0.45 * Self.normal(&random) }
        var vector = [Float](repeating: 0, count: dimension)
        for column in 0..<dimension {
            var sum = 0.05 * Self.normal(&random)
            for axis in 0..<Self.latent { sum += z[axis] * projection[axis * dimension + column] }
            vector[column] = Float(sum)
        }
        return vector
    }

    mutating func next(_ count: Int, shiftedOnly: Bool = false) -> [[Float]] {
        (0..<count).map { _ in next(shiftedOnly: shiftedOnly) }
    }

    /// The sum of twelve uniform numbers, less six.
    private static func normal(_ random: inout SeededRandom) -> Double {
        var sum = -6.0
        for _ in 0..<12 { sum += random.unit() }
        return sum
    }
}
