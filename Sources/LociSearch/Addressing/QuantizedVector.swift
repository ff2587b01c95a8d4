import LociKernels

/// A difference of two vectors as int8 times a scale. Its memory is used again.
struct QuantizedVector {
    private(set) var codes: [Int8]
    private(set) var scale: Float = 0
    /// Euclidean distance between the difference and what the codes say.
    private(set) var error: Float = 0

    init(dimension: Int) {
        codes = Array(repeating: 0, count: dimension)
    }

    /// - Parameter row: Of `centres`, which are one after the other.
    /// - Parameter roundingScaleUp: The scale gets 8 bits of mantissa, so that its upper half says
    ///   all of it.
    mutating func quantize(
        _ vector: [Float], minus row: Int, of centres: [Float], roundingScaleUp: Bool = false
    ) {
        (scale, error) = Kernels.encodeDifference(
            vector, minus: row, of: centres, shortScale: roundingScaleUp, codes: &codes)
    }
}
