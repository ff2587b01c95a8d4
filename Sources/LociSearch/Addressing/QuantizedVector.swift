import LociKernels

/// A difference of two vectors as int8 times a scale. Its memory is used again.
struct QuantizedVector {
    private(set) var codes: [Int8]
    private(set) var scale: Float = 0
    /// Euclidean distance between the difference and what the codes say.
    private(set) var error: Float = 0
    private var rest: [Float]

    /// Adding this to a small float32 leaves the nearest whole number in its low bits.
    private static let rounder: Float = 12_582_912

    init(dimension: Int) {
        codes = Array(repeating: 0, count: dimension)
        rest = Array(repeating: 0, count: dimension)
    }

    /// - Parameter roundingScaleUp: The scale gets 8 bits of mantissa, so that its upper half says
    ///   all of it.
    mutating func quantize(_ vector: [Float], minus centre: [Float], roundingScaleUp: Bool = false)
    {
        let count = codes.count
        precondition(vector.count == count && centre.count == count && rest.count == count)
        // Magnitudes compare like their bits.
        var largest: UInt32 = 0
        for element in 0..<count {
            let difference = vector[element] - centre[element]
            rest[element] = difference
            largest = max(largest, difference.bitPattern & 0x7FFF_FFFF)
        }
        scale = Float(bitPattern: largest) / 127
        if roundingScaleUp {
            scale = Float(bitPattern: (scale.bitPattern &+ 0xFFFF) & 0xFFFF_0000)
        }
        // A scale whose inverse is no number is as good as none.
        let inverse = 1 / scale
        guard inverse.isFinite else {
            scale = 0
            for element in 0..<count { codes[element] = 0 }
            error = Kernels.dot(rest, rest).squareRoot()
            return
        }
        let step = scale
        for element in 0..<count {
            let shifted = rest[element] * inverse + Self.rounder
            codes[element] = Int8(truncatingIfNeeded: shifted.bitPattern)
            rest[element] -= (shifted - Self.rounder) * step
        }
        error = Kernels.dot(rest, rest).squareRoot()
    }
}
