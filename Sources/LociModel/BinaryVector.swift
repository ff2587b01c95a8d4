public import LociBase

/// A point of the space {0, 1}^n, packed into words, bit 0 in the lowest place of the first word.
///
/// Invariants:
/// - There are as many words as `count` bits need; what the last one has beyond them is 0.
public struct BinaryVector: Hashable, Sendable {
    public let count: Int
    public private(set) var words: [UInt64]

    /// All bits 0.
    public init(zeros count: Int) {
        precondition(count > 0)
        self.count = count
        words = [UInt64](repeating: 0, count: (count + 63) / 64)
    }

    /// What the words have beyond `count` bits is dropped.
    public init(words: [UInt64], count: Int) {
        precondition(count > 0 && words.count == (count + 63) / 64, "another number of words")
        self.count = count
        self.words = words
        if count % 64 != 0 { self.words[words.count - 1] &= (1 << UInt64(count % 64)) - 1 }
    }

    /// From bytes as they travel and as users have them: one byte of 0 or 1 for each bit, or eight
    /// bits to a byte, the lowest first (`numpy.packbits(..., bitorder="little")`).
    /// - Throws: INVALID_ARGUMENT if the bytes are neither.
    public init(_ bytes: Bytes, count: Int) throws(LociError) {
        self.init(zeros: count)
        let isPacked = bytes.count == (count + 7) / 8 && bytes.count != count
        guard isPacked || bytes.count == count else {
            throw LociError(
                .invalidArgument,
                "\(bytes.count) bytes are no vector of \(count) bits.",
                advice: "Give \(count) bytes of 0 or 1, or \((count + 7) / 8) of packed bits.")
        }
        for index in 0..<bytes.count {
            let byte = UInt64(bytes[index])
            if isPacked {
                words[index / 8] |= byte << UInt64(index % 8 * 8)
            } else if byte <= 1 {
                words[index / 64] |= byte << UInt64(index % 64)
            } else {
                throw LociError(.invalidArgument, "Element \(index) is neither 0 nor 1.")
            }
        }
        if let last = words.last, count % 64 != 0, last >> UInt64(count % 64) != 0 {
            throw LociError(.invalidArgument, "There are bits set beyond the first \(count).")
        }
    }

    /// Uniformly random.
    public init(random count: Int, using random: inout some RandomNumberGenerator) {
        self.init(words: (0..<((count + 63) / 64)).map { _ in random.next() }, count: count)
    }

    public subscript(bit: Int) -> Bool {
        get {
            precondition(bit >= 0 && bit < count)
            return words[bit / 64] >> UInt64(bit % 64) & 1 == 1
        }
        set {
            precondition(bit >= 0 && bit < count)
            let mask = UInt64(1) << UInt64(bit % 64)
            if newValue { words[bit / 64] |= mask } else { words[bit / 64] &= ~mask }
        }
    }

    /// In how many bits two vectors of the same length differ: their Hamming distance.
    public func distance(to other: BinaryVector) -> Int {
        precondition(count == other.count, "vectors differ in length")
        var distance = 0
        for (a, b) in zip(words, other.words) { distance += (a ^ b).nonzeroBitCount }
        return distance
    }

    /// Eight bits to a byte, the lowest first.
    public var packed: Bytes {
        let bytes = words.flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
        }
        return Bytes(Array(bytes.prefix((count + 7) / 8)))
    }

    /// Several, packed one after the other, as they travel.
    /// - Throws: INVALID_ARGUMENT if the bytes are not `count` vectors of `bits` bits.
    public static func unpacked(
        _ bytes: Bytes, count: Int, bits: Int
    ) throws(LociError) -> [BinaryVector] {
        let size = (bits + 7) / 8
        guard bytes.count == count * size else {
            throw LociError(
                .invalidArgument,
                "\(bytes.count) bytes are not \(count) vectors of \(bits) bits.",
                advice: "A vector of \(bits) bits takes \(size) bytes.")
        }
        var vectors: [BinaryVector] = []
        for index in 0..<count {
            vectors.append(
                try BinaryVector(bytes.slice((index * size)..<((index + 1) * size)), count: bits))
        }
        return vectors
    }
}
