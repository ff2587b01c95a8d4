import LociBase

/// What followed a context the last time, for a bounded number of contexts: sets of two, with
/// 14-bit tags and 2-bit saturating confidence. 10 bytes an entry, all of it allocated at once.
///
/// - A value is replaced only when its confidence is 0; being wrong lowers it first.
/// - A context that finds its set full lowers the lesser confidence there, and takes the place when
///   it is 0: one-time contexts cannot wash out what has proved itself.
/// - Two contexts with the same set and tag are taken for one another: one in 2^14 that meet.
struct ConfidenceTable: Sendable {
    private static let mostConfidence: UInt16 = 3
    private static let confidenceMask: UInt16 = 3
    /// No entry; a tag is never 0.
    private static let empty: UInt16 = 0

    private var values: [UInt64]
    private var marks: [UInt16]
    private let shift: UInt64

    /// - Parameter entriesLog2: from 2 to 16.
    init(entriesLog2: Int) {
        precondition((2...16).contains(entriesLog2), "a table has 4 to 65,536 entries")
        values = Array(repeating: 0, count: 1 << entriesLog2)
        marks = Array(repeating: Self.empty, count: 1 << entriesLog2)
        shift = UInt64(65 - entriesLog2)
    }

    var memoryBytes: Int {
        values.count * (MemoryLayout<UInt64>.stride + MemoryLayout<UInt16>.stride)
    }

    /// - Parameter hash: of the context, well mixed in all bits.
    func lookUp(_ hash: UInt64) -> (value: UInt64, confidence: UInt8)? {
        guard let place = place(of: hash) else { return nil }
        return (values[place], UInt8(marks[place] & Self.confidenceMask))
    }

    /// A context was followed by a value.
    mutating func learn(_ hash: UInt64, _ value: UInt64) {
        guard let place = place(of: hash) else { return insert(hash, value) }
        let mark = marks[place]
        let confidence = mark & Self.confidenceMask
        if values[place] == value {
            if confidence < Self.mostConfidence { marks[place] = mark + 1 }
        } else if confidence > 0 {
            marks[place] = mark - 1
        } else {
            values[place] = value
        }
    }

    private mutating func insert(_ hash: UInt64, _ value: UInt64) {
        let first = Int(hash >> shift) * 2
        let left = marks[first] == Self.empty ? -1 : Int(marks[first] & Self.confidenceMask)
        let right =
            marks[first + 1] == Self.empty ? -1 : Int(marks[first + 1] & Self.confidenceMask)
        // Of two that are worth the same, either one.
        let takesRight = left == right ? hash >> 20 & 1 == 1 : right < left
        let place = takesRight ? first + 1 : first
        if min(left, right) > 0 {
            marks[place] -= 1
        } else {
            marks[place] = Self.tag(hash)
            values[place] = value
        }
    }

    private func place(of hash: UInt64) -> Int? {
        let first = Int(hash >> shift) * 2
        let tag = Self.tag(hash)
        if marks[first] & ~Self.confidenceMask == tag { return first }
        if marks[first + 1] & ~Self.confidenceMask == tag { return first + 1 }
        return nil
    }

    /// Above the confidence's bits, and never 0.
    private static func tag(_ hash: UInt64) -> UInt16 {
        max(UInt16(truncatingIfNeeded: hash) & ~confidenceMask, confidenceMask + 1)
    }
}
