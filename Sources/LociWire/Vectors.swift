public import LociBase
public import LociModel

/// Checks of vectors that came over the wire, one behind the other.
public enum Vectors {
    /// - Returns: The dimension of `count` vectors in `bytes`.
    /// - Throws: INVALID_ARGUMENT if the bytes are not `count` vectors of 1 to `Limits.dimension`
    ///   elements, or one has an element that is not finite or beyond 1e15.
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
        if let index = firstUnusable(in: bytes) {
            let place =
                count == 1
                ? "element \(index)"
                : "element \(index % dimension) of vector \(index / dimension)"
            guard bytes.load(Float.self, at: index * 4).isFinite else {
                throw LociError(
                    .invalidArgument, "The vector has a NaN or an infinity at \(place).",
                    advice: "Every element must be a finite number.")
            }
            throw LociError(
                .invalidArgument, "The vector has a number beyond 1e15 at \(place).",
                advice: "Scale the vectors: squares and sums of such numbers overflow.")
        }
        return dimension
    }

    /// Position of the first float that is a NaN, an infinity, or so large that squares and sums
    /// could overflow.
    static func firstUnusable(in bytes: Bytes) -> Int? {
        let bound = Float(1e15).bitPattern
        let count = bytes.count / 4
        return unsafe bytes.withUnsafeBytes { source in
            var largest: UInt32 = 0
            for index in 0..<count {
                let bits = unsafe source.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
                largest = max(largest, bits & 0x7FFF_FFFF)
            }
            guard largest > bound else { return nil }
            for index in 0..<count {
                let bits = unsafe source.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
                if bits & 0x7FFF_FFFF > bound { return index }
            }
            return nil
        }
    }
}
