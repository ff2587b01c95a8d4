import LociBase
public import LociKernels

/// A random orthogonal map that spreads every vector's length evenly over all coordinates, so that
/// codes of the same few bits serve any data. Four rounds of random signs and fast Hadamard
/// transforms of the first and the last 2^k coordinates, and sums and differences of the halves
/// between them (the Kac walk of RaBitQ-Library's FhtKacRotator), so that dimensions are padded to
/// a multiple of 64 only. Costs O(n log n): about a microsecond for 1,024.
///
/// Invariants:
/// - The same dimension and seed give the same map, bit for bit, on every machine.
/// - Lengths and angles stay as they are, up to rounding of float32.
public struct CodeRotation: Sendable {
    public let dimension: Int
    /// Elements of a rotated vector: the dimension, rounded up to a multiple of 64.
    public let paddedDimension: Int
    /// For each of four rounds, a random sign times the round's scale.
    private let factors: [Float]

    /// - Precondition: the dimension is 1 to `Limits.dimension`.
    public init(dimension: Int, seed: UInt64) {
        precondition((1...Limits.dimension).contains(dimension), "not a dimension")
        let padded = CodeFormat.paddedDimension(dimension)
        var part = 64
        while 2 * part <= padded { part *= 2 }
        let hadamard = 1 / Float(part).squareRoot()
        let halves: Float = part == padded ? 1 : Float(0.5).squareRoot()
        var random = SeededRandom(seed: seed)
        var factors: [Float] = []
        factors.reserveCapacity(4 * padded)
        for round in 0..<4 {
            let transformed = round % 2 == 0 ? 0..<part : (padded - part)..<padded
            for word in 0..<(padded / 64) {
                let signs = random.next()
                for bit in 0..<64 {
                    let scale = transformed.contains(64 * word + bit) ? hadamard * halves : halves
                    factors.append(signs >> UInt64(bit) & 1 == 0 ? scale : -scale)
                }
            }
        }
        self.dimension = dimension
        self.paddedDimension = padded
        self.factors = factors
    }

    /// - Precondition: the vector has `dimension` elements.
    /// - Returns: `paddedDimension` elements.
    public func rotate(_ vector: [Float], level: InstructionLevel = .best) -> [Float] {
        precondition(vector.count == dimension, "not the rotation's dimension")
        return Kernels.rotate(vector, factors: factors, level: level)
    }
}
