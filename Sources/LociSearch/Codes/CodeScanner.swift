public import LociBase
public import LociKernels

/// Scans rows of codes for one query. The sign plane of every row is compared first; only rows
/// whose bound it cannot put above the threshold are compared by all their bits.
///
/// Bounds hold with a probability that `epsilon` decides, not with certainty: 1.9 for about 97 % of
/// lower bounds, 3 for practically all.
///
/// A caller that walks postings nearest first and wants the k nearest points keeps the k-th
/// smallest upper bound of different points as its threshold. It may be lowered between any two
/// calls. The same point in two postings gives two candidates, with different bounds.
public struct CodeScanner: Sendable {
    private let query: CodeQuery
    private let epsilon: Float
    private let level: InstructionLevel
    private var buffer: [CodeCandidate]

    /// Rows that are compared before what was found is passed on.
    private static let bufferedRows = 256

    /// - Precondition: `epsilon` is not negative.
    public init(query: CodeQuery, epsilon: Float, level: InstructionLevel = .best) {
        precondition(epsilon >= 0, "a bound's width is not negative")
        self.query = query
        self.epsilon = epsilon
        self.level = level
        buffer = [CodeCandidate](
            repeating: CodeCandidate(cell: 0, tag: 0, estimate: 0, lower: 0, upper: 0),
            count: Self.bufferedRows)
    }

    /// Appends the candidates among `count` rows from byte `offset` of `rows` on, in their order:
    /// those whose lower bound is not above `threshold`. Rows whose estimate is beyond float32 are
    /// always among them, with bounds of -infinity and infinity.
    /// - Precondition: the rows lie within the bytes; all of them were coded with the centroid of
    ///   `origin` and in the query's format.
    public mutating func scan(
        _ rows: Bytes, at offset: Int, count: Int, origin: CodeOrigin, threshold: Float,
        into found: inout [CodeCandidate]
    ) {
        let format = query.format
        let terms = CodeScanTerms(
            addend: origin.score, signSpread: spread(origin, loss: CodeFormat.loss[0]),
            spread: spread(origin, loss: CodeFormat.loss[format.bits - 1]), threshold: threshold)
        var first = 0
        while first < count {
            let part = min(count - first, Self.bufferedRows)
            let kept = Kernels.scanCodes(
                rows, at: offset + first * format.rowBytes, count: part, bits: format.bits,
                query: query.quantised, terms: terms, found: &buffer, level: level)
            found.append(contentsOf: buffer[0..<kept])
            first += part
        }
    }

    /// Brings the first of `count` rows from byte `offset` on towards the processor. Costs little,
    /// and saves waiting for memory if they are scanned a moment later.
    public func fetch(_ rows: Bytes, at offset: Int, count: Int) {
        let format = query.format
        Kernels.fetchCodes(
            rows, at: offset, count: count, bits: format.bits, length: format.paddedDimension)
    }

    /// The rounding of the query adds to a row's error what a query farther away would; a row's
    /// `error` holds the factor sqrt(loss) that this part of the error does not have.
    private func spread(_ origin: CodeOrigin, loss: Float) -> Float {
        epsilon * (origin.distance * origin.distance + query.squaredError / loss).squareRoot()
    }
}
