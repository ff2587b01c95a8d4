import Foundation
import LociBase
import LociClient
import LociImport
import LociKernels
import LociModel
import LociSearch

/// The vectors of a collection as this process has them, row by row, and what completing over all
/// of them gives.
struct CompletionPatterns {
    let metric: Metric
    let dimension: Int
    let rows: Bytes
    let count: Int

    /// Of a file; of length 1 for cosine, as they are stored.
    init(path: String, metric: Metric) throws(LociError) {
        let (count, dimension, values) = try Import.readFloats(path: path)
        guard count > 0 else {
            throw LociError(.invalidArgument, "\(path) holds no vectors.")
        }
        self.init(values, count: count, dimension: dimension, metric: metric)
    }

    /// Random elements of -1 and 1, compared by dot product.
    init(bipolar count: Int, dimension: Int, using random: inout SeededRandom) {
        let values = (0..<(count * dimension)).map { _ in random.chance(0.5) ? Float(1) : -1 }
        self.init(values, count: count, dimension: dimension, metric: .dot)
    }

    private init(_ values: [Float], count: Int, dimension: Int, metric: Metric) {
        self.metric = metric
        self.dimension = dimension
        self.count = count
        guard metric == .cosine else {
            rows = Bytes(values: values)
            return
        }
        rows = Bytes(
            values: (0..<count).flatMap { row in
                var vector = Array(values[(row * dimension)..<((row + 1) * dimension)])
                _ = Kernels.normalize(&vector)
                return vector
            })
    }

    subscript(row: Int) -> [Float] {
        let size = dimension * MemoryLayout<Float>.stride
        return rows.slice((row * size)..<((row + 1) * size)).values(Float.self)
    }

    /// A row with the signs of a part of its elements turned over.
    func flipped(_ row: Int, share: Double, using random: inout SeededRandom) -> [Float] {
        var vector = self[row]
        let flips = Int((share * Double(dimension)).rounded())
        for element in vector.indices.shuffled(using: &random).prefix(flips) {
            vector[element].negate()
        }
        return vector
    }

    /// A row and normal noise, of such a share of its length.
    func noisy(_ row: Int, share: Double, using random: inout SeededRandom) -> [Float] {
        let vector = self[row]
        let length = Double(Kernels.dot(vector, vector)).squareRoot()
        let deviation = share * length / Double(dimension).squareRoot()
        return vector.map { element in
            // Box and Muller's transform.
            let radius = (-2 * log(1 - random.unit())).squareRoot()
            return element + Float(deviation * radius * cos(2 * .pi * random.unit()))
        }
    }

    /// What completing over all rows gives: the exact softmax, in one part.
    func complete(_ vector: [Float], steps: Int, beta: Float) -> DenseAssociation {
        var association = DenseAssociation(vector, metric: metric)
        while association.steps < steps, !association.isFixedPoint {
            var partial = SoftmaxPartial(dimension: dimension, beta: beta)
            partial.add(rows, count: count, state: association.state, metric: metric)
            association.advance(partial)
        }
        return association
    }

    /// The row that is nearest, by the collection's metric.
    func nearest(_ vector: [Float]) -> Int {
        var scores: [Float] = []
        scores.reserveCapacity(count)
        let kind: ScoreKind = metric == .l2 ? .squaredL2 : .dot
        Kernels.score(kind, query: vector, rows: rows, at: 0, count: count, into: &scores)
        if metric == .l2 { for index in scores.indices { scores[index].negate() } }
        return scores.indices.max { scores[$0] < scores[$1] } ?? 0
    }

    /// |a - b| / |b|; infinite if that is no number.
    static func difference(_ a: [Float], from b: [Float]) -> Double {
        guard a.count == b.count else { return .infinity }
        var (squares, length) = (0.0, 0.0)
        for (x, y) in zip(a, b) {
            squares += (Double(x) - Double(y)) * (Double(x) - Double(y))
            length += Double(y) * Double(y)
        }
        let difference = (squares / max(length, .leastNormalMagnitude)).squareRoot()
        return difference.isFinite ? difference : .infinity
    }
}
