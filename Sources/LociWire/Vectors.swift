public import LociBase
public import LociModel

/// Checks of vectors that came over the wire, one behind the other.
public enum Vectors {
    /// - Returns: The dimension of `count` vectors in `bytes`.
    /// - Throws: INVALID_ARGUMENT if the bytes are not `count` vectors of 1 to `Limits.dimension`
    ///   elements, or one has an element that is not finite.
    public static func dimension(of bytes: Bytes, count: Int) throws(LociError) -> Int {
        guard count > 0, bytes.count > 0, bytes.count % (count * 4) == 0 else {
            throw LociError(
                .invalidArgument, "\(bytes.count) bytes are not \(count) vectors of float32.")
        }
        let dimension = bytes.count / (count * 4)
        guard dimension <= Limits.dimension else {
            throw LociError(
                .invalidArgument,
                "A vector of \(dimension) elements is too long; \(Limits.dimension) are the most.")
        }
        if let index = firstNonFinite(in: bytes) {
            let place =
                count == 1
                ? "element \(index)"
                : "element \(index % dimension) of vector \(index / dimension)"
            throw LociError(
                .invalidArgument, "The vector has a NaN or an infinity at \(place).",
                advice: "Every element must be a finite number.")
        }
        return dimension
    }

    /// Position of the first float that is a NaN or an infinity: all bits of its exponent are set.
    static func firstNonFinite(in bytes: Bytes) -> Int? {
        let infinity: UInt32 = 0x7F80_0000
        let count = bytes.count / 4
        return unsafe bytes.withUnsafeBytes { source in
            var largest: UInt32 = 0
            for index in 0..<count {
                let bits = unsafe source.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
                largest = max(largest, bits & 0x7FFF_FFFF)
            }
            guard largest >= infinity else { return nil }
            for index in 0..<count {
                let bits = unsafe source.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
                if bits & infinity == infinity { return index }
            }
            return nil
        }
    }
}
