import LociBase
import LociModel
import LociSearch
import LociWire

/// One step's part of a completion on the wire.
extension PartialCompletion {
    init(_ partial: SoftmaxPartial, isDegraded: Bool, receipt: Receipt) {
        self.init(
            maximum: partial.isEmpty ? 0 : Double(partial.largest), sum: partial.exponentials,
            rows: partial.spread.count, isDegraded: isDegraded, receipt: receipt,
            mean: partial.spread.mean, squaredDeviations: partial.spread.squares,
            nearestSquaredNorm: partial.nearestSquaredNorm)
    }
}

extension SoftmaxPartial {
    /// What `PartialCompletion` says, for the beta that was asked with.
    /// - Parameter sums: The weighted sum of the vectors.
    init(_ answer: PartialCompletion, beta: Float, sums: Bytes) {
        let isEmpty = answer.rows == 0 || answer.sum <= 0
        self.init(
            beta: beta,
            spread: SimilaritySpread(
                count: answer.rows, mean: answer.mean, squares: answer.squaredDeviations,
                largest: isEmpty ? -.infinity : answer.maximum),
            largest: isEmpty ? -.infinity : Float(answer.maximum),
            nearestSquaredNorm: answer.nearestSquaredNorm,
            exponentials: isEmpty ? 0 : answer.sum, weighted: sums.values(Double.self))
    }
}
