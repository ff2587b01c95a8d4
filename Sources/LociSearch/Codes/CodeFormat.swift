import LociBase
public import LociKernels
public import LociModel

/// How points are coded for a scan: the residual of the rotated vector from the rotated centroid of
/// its hard location, one bipolar integer (arXiv 2409.17870) of 1 to 8 bits for each coordinate,
/// with an unbiased estimate of the score and a bound of its error (RaBitQ, Gao and Long, SIGMOD
/// 2024, and for several bits SIGMOD 2025).
///
/// A row, little-endian, without gaps between rows:
///
///     0   cell        UInt32, the caller's
///     4   tag         UInt32, the caller's
///     8   addend, rescale, error   float32, of the sign plane alone
///     20  sign plane  paddedDimension / 8 bytes; element k is bit k % 64 of word k / 64
///
/// and, with 2 bits or more, which most scans do not look at:
///
///     addend, rescale, error   float32, of the whole code
///     the other planes         of paddedDimension / 8 bytes, the most significant first
///
/// Scores are squared distances for l2 and cosine (of normalised vectors) and minus the inner
/// product for dot: the smaller, the nearer. With r = vector - centroid, u the code and
/// s = |r|^2 / <u, r>, the product <r, query> is estimated as s <u, query>, so that
///
///     l2   addend = |r|^2 + 2 s <u, centroid>            rescale = -2 s
///     dot  addend = -<r, centroid> + s <u, centroid>     rescale = -s
///     error = |rescale| sqrt((|r|^2 |u|^2 / <u, r>^2 - 1) / (paddedDimension - 1)) |r| / s
///     estimate = addend + (|query - centroid|^2 or -<query, centroid>) + rescale <u, query>
///     bound = estimate -+ epsilon * error * |query - centroid|
///
/// Invariants:
/// - The planes are all alike: a value is the sum of (2 b_p - 1) 2^p, so never zero.
/// - A row is the same, bit for bit, on every machine.
public struct CodeFormat: Sendable, Equatable {
    public let dimension: Int
    /// Bits of one coordinate, 1 to 8.
    public let bits: Int
    public let metric: Metric
    /// Coordinates of a code: the dimension, rounded up to a multiple of 64.
    public let paddedDimension: Int
    /// Bytes of one row, a multiple of 4.
    public let rowBytes: Int

    /// - Precondition: the dimension is 1 to `Limits.dimension`, the bits are 1 to 8.
    public init(dimension: Int, bits: Int, metric: Metric) {
        precondition((1...Limits.dimension).contains(dimension), "not a dimension")
        precondition((1...8).contains(bits), "a code has 1 to 8 bits")
        self.dimension = dimension
        self.bits = bits
        self.metric = metric
        paddedDimension = Self.paddedDimension(dimension)
        rowBytes = Kernels.codeHeaderBytes(bits: bits) + paddedDimension / 8 * bits
    }

    static func paddedDimension(_ dimension: Int) -> Int { (dimension + 63) / 64 * 64 }

    /// Appends one row. Both vectors are rotated by the same rotation; a residual of zero is fine.
    /// A residual whose square is beyond float32 gives a row that every scan finds.
    /// - Precondition: both have `paddedDimension` finite elements.
    public func append(
        vector: [Float], centroid: [Float], cell: UInt32, tag: UInt32, to rows: inout [UInt8],
        level: InstructionLevel = .best
    ) {
        precondition(
            vector.count == paddedDimension && centroid.count == paddedDimension,
            "not the format's dimension")
        Kernels.appendCode(
            of: vector, centroid: centroid, bits: bits, fineness: Self.fineness[bits - 1],
            isDot: metric == .dot, cell: cell, tag: tag, to: &rows, level: level)
    }

    /// Code steps in one standard deviation of a coordinate that make the cosine of code and
    /// residual largest, for 1 to 8 bits, when coordinates are normally distributed: what a random
    /// rotation makes of them. From 3 bits on, nine steps around it are tried for each vector.
    static let fineness: [Float] = [
        1, 1.0043320, 1.7064280, 2.9832880, 5.3152252, 9.6095626, 17.584685, 32.507238,
    ]

    /// One minus the squared cosine of code and residual, as it is after the search for a step; of
    /// short vectors, which gain most from it.
    static let loss: [Float] = [
        0.36338, 0.11885, 0.0356, 0.0100, 0.00262, 0.00067, 0.000175, 0.000053,
    ]
}
