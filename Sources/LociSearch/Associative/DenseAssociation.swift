import Glibc
public import LociBase
import LociKernels
public import LociModel

/// The state of a dense associative memory (modern Hopfield network) on its way to a fixed point:
/// each step replaces it by the mean of the stored vectors, weighted by the softmax of their
/// similarities to it (Ramsauer et al., Hopfield Networks is All You Need, 2020):
/// `state <- X softmax(beta X^T state)`.
///
/// Invariants:
/// - Similarities are such that larger is nearer: the dot product for cosine, whose states and rows
///   have length 1, and for dot; -|x - state|^2 / 2 for l2, which is the dot product less what the
///   lengths of the vectors add, so that a long vector does not win by its length.
/// - One step over parts of the rows, merged, is the step over all of them.
public struct DenseAssociation: Sendable {
    /// A state is a fixed point when a step moves it by less than this share of its length.
    public static let tolerance: Float = 1e-5

    public let metric: Metric
    /// The vector as it is restored so far; of length 1 for cosine unless it is 0.
    public private(set) var state: [Float]
    public private(set) var steps = 0
    public private(set) var isFixedPoint = false

    /// - Precondition: the elements are finite.
    public init(_ query: [Float], metric: Metric) {
        precondition(!query.isEmpty)
        self.metric = metric
        state = query
        if metric == .cosine { _ = Kernels.normalize(&state) }
    }

    /// Takes the merged partial over all rows for the present state. Without rows nothing changes,
    /// which is a fixed point.
    public mutating func advance(_ partial: SoftmaxPartial) {
        precondition(partial.weighted.count == state.count || partial.isEmpty)
        steps += 1
        guard var next = partial.mean else {
            isFixedPoint = true
            return
        }
        if metric == .cosine { _ = Kernels.normalize(&next) }
        var moved: [Float] = []
        Kernels.score(.squaredL2, query: state, rows: next, into: &moved)
        let length = Kernels.dot(next, next)
        isFixedPoint = moved[0] <= Self.tolerance * Self.tolerance * length
        state = next
    }

    /// How well a vector is known, from 0 to 1, told by the partial over the rows for it: what its
    /// difference from the most similar stored vector leaves of both,
    /// `1 - |q - x|^2 / (|q|^2 + |x|^2)`, at least 0; for dot, whose lengths say nothing about
    /// what is alike, the same of the vectors scaled to length 1. So it is 1 for what is stored,
    /// falls as noise is added, is the cosine for vectors of one length, does not depend on beta,
    /// and is 0 when nothing is stored.
    public static func familiarity(
        of query: [Float], metric: Metric, partial: SoftmaxPartial
    ) -> Float {
        guard !partial.isEmpty else { return 0 }
        let squaredNorm = Double(Kernels.dot(query, query))
        let rowNorm = partial.nearestSquaredNorm
        let similarity = Double(partial.largest)
        let share =
            switch metric {
            case .cosine: similarity / max(squaredNorm.squareRoot(), .leastNormalMagnitude)
            case .dot: similarity / max((squaredNorm * rowNorm).squareRoot(), .leastNormalMagnitude)
            case .l2:
                squaredNorm + rowNorm > 0 ? 1 + 2 * similarity / (squaredNorm + rowNorm) : 1
            }
        return Float(min(max(share, 0), 1))
    }
}

/// What a part of the stored vectors adds to one step of a dense associative memory: the largest
/// similarity, the sum of exponentials relative to it, and the vectors weighted with these.
///
/// Invariants:
/// - `merge` of the partials of parts is the partial of all their rows, in any order, but for
///   rounding: sums over rows and over parts are in double precision.
/// - `exponentials` and `weighted` are relative to exp(beta * largest), so nothing overflows.
public struct SoftmaxPartial: Sendable, Equatable {
    public let beta: Float
    /// Similarities of all rows, whatever their weights.
    public private(set) var spread = SimilaritySpread()
    /// The largest similarity; minus infinity when there are no rows.
    public private(set) var largest: Float = -.infinity
    /// |x|^2 of the row with the largest similarity.
    public private(set) var nearestSquaredNorm = 0.0
    /// Sum of exp(beta * (similarity - largest)).
    public private(set) var exponentials = 0.0
    /// Sum of the rows times exp(beta * (similarity - largest)).
    public private(set) var weighted: [Double]

    /// - Parameter beta: the inverse temperature, 0 or more; at 0 every row weighs the same, which
    ///   is enough to learn the spread and from it a good beta.
    public init(dimension: Int, beta: Float) {
        precondition(dimension > 0 && beta >= 0 && beta.isFinite)
        self.beta = beta
        weighted = [Double](repeating: 0, count: dimension)
    }

    /// As it arrives from another part.
    public init(
        beta: Float, spread: SimilaritySpread, largest: Float, nearestSquaredNorm: Double,
        exponentials: Double, weighted: [Double]
    ) {
        self.beta = beta
        self.spread = spread
        self.largest = largest
        self.nearestSquaredNorm = nearestSquaredNorm
        self.exponentials = exponentials
        self.weighted = weighted
    }

    public var isEmpty: Bool { exponentials == 0 }

    /// The softmax-weighted mean of the rows: the next state. Nil when there are none.
    public var mean: [Float]? {
        isEmpty ? nil : weighted.map { Float($0 / exponentials) }
    }

    /// Adds `count` contiguous float32 rows that start at byte `offset`. For cosine the rows have
    /// length 1, as they are stored.
    /// - Precondition: the rows lie within the bytes, and their elements are finite.
    public mutating func add(
        _ rows: Bytes, at offset: Int = 0, count: Int, state: [Float], metric: Metric
    ) {
        precondition(state.count == weighted.count)
        guard count > 0 else { return }
        var similarities: [Float] = []
        similarities.reserveCapacity(count)
        switch metric {
        case .cosine, .dot:
            Kernels.score(
                .dot, query: state, rows: rows, at: offset, count: count, into: &similarities)
        case .l2:
            Kernels.score(
                .squaredL2, query: state, rows: rows, at: offset, count: count,
                into: &similarities)
            for index in similarities.indices { similarities[index] *= -0.5 }
        }
        add(similarities, of: rows, at: offset)
    }

    /// Adds what another part has found for the same state and beta.
    public mutating func merge(_ other: SoftmaxPartial) {
        precondition(other.beta == beta && other.weighted.count == weighted.count)
        guard !other.isEmpty else { return }
        spread.merge(other.spread)
        if other.largest > largest {
            nearestSquaredNorm = other.nearestSquaredNorm
            rescale(to: other.largest)
        }
        let factor = exp(Double(beta) * Double(other.largest - largest))
        exponentials += other.exponentials * factor
        for index in weighted.indices { weighted[index] += other.weighted[index] * factor }
    }

    private mutating func add(_ similarities: [Float], of rows: Bytes, at offset: Int) {
        var nearest = 0
        for index in similarities.indices {
            spread.add(Double(similarities[index]))
            if similarities[index] > similarities[nearest] { nearest = index }
        }
        if similarities[nearest] > largest {
            let rowBytes = weighted.count * MemoryLayout<Float>.stride
            let start = offset + nearest * rowBytes
            let row = rows.slice(start..<(start + rowBytes)).values(Float.self)
            nearestSquaredNorm = Double(Kernels.dot(row, row))
            rescale(to: similarities[nearest])
        }
        var weights: [Float] = []
        weights.reserveCapacity(similarities.count)
        for similarity in similarities {
            let weight = exp(Double(beta) * Double(similarity - largest))
            // As it is added to the vectors, so that the weights of the mean add up to 1.
            weights.append(Float(weight))
            exponentials += Double(Float(weight))
        }
        Kernels.addWeighted(rows, at: offset, weights: weights, to: &weighted)
    }

    /// Makes `similarity` what everything is relative to. Nothing was, while there were no rows.
    private mutating func rescale(to similarity: Float) {
        defer { largest = similarity }
        guard !isEmpty else { return }
        let factor = exp(Double(beta) * Double(largest - similarity))
        exponentials *= factor
        for index in weighted.indices { weighted[index] *= factor }
    }
}
