import Glibc
public import LociBase
public import LociModel

/// Turns text into vectors without a model: words and runs of 3 to 5 characters, weighted by how
/// often they occur in the text and how rare they are among the texts learned so far, are hashed
/// with random signs into a dense code. Texts that share rare words come to lie near each other.
///
/// Sources: feature hashing after Weinberger et al., "Feature Hashing for Large Scale Multitask
/// Learning" (2009), with several positions per feature as in Kane and Nelson, "Sparser
/// Johnson-Lindenstrauss Transforms" (2014); weights after Salton and Buckley (1988).
///
/// Invariants:
/// - The code depends on nothing but the text and the texts learned, in any order.
/// - `counters` has a fixed size: memory does not grow with what is learned.
public struct LexicalEncoder: Sendable {
    /// Elements of a code.
    public static let dimension = 1024

    /// Each position of a word lies in a part of its own, so that a word cannot cancel itself.
    private static let parts = 4
    private static let partLength = dimension / parts
    private static let counterCount = 1 << 18
    private static let runWeight: Float = 0.3
    /// First byte of a stored state.
    private static let stateVersion: UInt8 = 1

    /// In how many texts a feature occurred, by its hash; features may share a counter.
    private var counters = [UInt32](repeating: 0, count: counterCount)
    private var textCount: UInt64 = 0

    public init() {}

    /// Counts the features of one text that is about to be stored.
    public mutating func learn(_ text: String) {
        textCount += 1
        TextFeatures(text).visit { hash, _ in
            let index = Self.counterIndex(hash)
            if counters[index] < .max { counters[index] += 1 }
        }
    }

    /// The code of a text, of length 1; zero only if the text has no letter and no digit.
    /// - Parameter isQuery: rarity counts by its root in a question, since in what it is compared
    ///   with it counts in full: measured, that finds more than full rarity on both sides.
    public func encode(_ text: String, isQuery: Bool) -> [Float] {
        var code = [Float](repeating: 0, count: Self.dimension)
        TextFeatures(text).visit { hash, occurrences in
            let dampened = occurrences == 1 ? 1 : 1 + logf(Float(occurrences))
            let rarity = rarity(of: hash)
            let emphasis = isQuery ? rarity.squareRoot() : rarity
            Self.add(hash, weight: dampened * emphasis, to: &code)
        }
        let norm = code.reduce(0) { $0 + $1 * $1 }.squareRoot()
        if norm > 0 { for index in code.indices { code[index] /= norm } }
        return code
    }

    /// Inverse document frequency: near 0 for what is in every text, never below.
    private func rarity(of hash: UInt64) -> Float {
        let occurrences = Float(counters[Self.counterIndex(hash)])
        return max(logf((Float(textCount) + 1) / (occurrences + 0.5)), 0.01)
    }

    private static func counterIndex(_ hash: UInt64) -> Int {
        Int((hash >> 1) % UInt64(counterCount))
    }

    /// A word goes to one position in each part of the code, a run of characters to two of them.
    private static func add(_ hash: UInt64, weight: Float, to code: inout [Float]) {
        let bits = mix64(hash ^ 0x2545_F491_4F6C_DD1D)
        let isWord = hash & 1 == 1
        let step = isWord ? 1 : 2
        let first = isWord ? 0 : Int(bits >> 40 & 1)
        let share = isWord ? weight * 0.5 : weight * runWeight * Float(0.5).squareRoot()
        for part in stride(from: first, to: parts, by: step) {
            let position = part * partLength + Int(bits >> (8 * part) % UInt64(partLength))
            code[position] += bits >> (32 + part) & 1 == 0 ? share : -share
        }
    }
}

extension LexicalEncoder {
    /// What was learned, to be stored: counters that are not zero, at most about 2 MiB.
    public var encodedState: Bytes {
        var writer = ByteWriter()
        writer.write(Self.stateVersion)
        writer.write(textCount)
        writer.write(UInt32(counters.count { $0 > 0 }))
        var last = -1
        for (index, count) in counters.enumerated() where count > 0 {
            Self.write(UInt32(index - last), to: &writer)
            Self.write(count, to: &writer)
            last = index
        }
        return writer.finished
    }

    /// - Throws: DATA_LOSS when the bytes are not a state.
    public init(encodedState: Bytes) throws(LociError) {
        self.init()
        var reader = ByteReader(encodedState)
        guard (try? read(&reader)) == true else {
            throw LociError(
                .dataLoss,
                "What the text encoder learned is damaged before byte \(reader.position).",
                advice: "Import the texts again.")
        }
    }

    /// False when the bytes are long enough and yet no state.
    private mutating func read(_ reader: inout ByteReader) throws(TruncatedBytes) -> Bool {
        guard try reader.read(UInt8.self) == Self.stateVersion else { return false }
        textCount = try reader.read(UInt64.self)
        let used = try reader.read(UInt32.self)
        var index = -1
        for _ in 0..<used {
            guard let gap = try Self.readNumber(&reader), let count = try Self.readNumber(&reader)
            else { return false }
            index += Int(gap)
            guard gap > 0, index < Self.counterCount, count > 0 else { return false }
            counters[index] = count
        }
        return reader.isAtEnd
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    private static func write(_ number: UInt32, to writer: inout ByteWriter) {
        var rest = number
        while rest >= 0x80 {
            writer.write(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        writer.write(UInt8(rest))
    }

    private static func readNumber(_ reader: inout ByteReader) throws(TruncatedBytes) -> UInt32? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 35, by: 7) {
            let byte = try reader.read(UInt8.self)
            number |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return UInt32(exactly: number) }
        }
        return nil
    }
}
