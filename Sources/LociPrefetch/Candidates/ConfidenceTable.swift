import LociBase

/// What followed a context the last time, for a bounded number of contexts: direct-mapped, with
/// 14-bit tags and 2-bit saturating confidence. 10 bytes an entry, all of it allocated at once.
///
/// - A value is replaced only when its confidence is 0; being wrong lowers it first.
/// - A context that meets another one in its place lowers that one's confidence, and takes the
///   place when it is 0: one-time contexts cannot wash out what has proved itself.
/// - Two contexts with the same place and tag are taken for one another: one in 2^14 that meet.
struct ConfidenceTable: Sendable {
    private static let mostConfidence: UInt16 = 3
    private static let confidenceMask: UInt16 = 3
    /// No entry; a tag is never 0.
    private static let empty: UInt16 = 0

    private var values: [UInt64]
    private var marks: [UInt16]
    private let shift: UInt64

    /// - Parameter entriesLog2: from 1 to 16.
    init(entriesLog2: Int) {
        precondition((1...16).contains(entriesLog2), "a table has 2 to 65,536 entries")
        values = Array(repeating: 0, count: 1 << entriesLog2)
        marks = Array(repeating: Self.empty, count: 1 << entriesLog2)
        shift = UInt64(64 - entriesLog2)
    }

    var memoryBytes: Int {
        values.count * (MemoryLayout<UInt64>.stride + MemoryLayout<UInt16>.stride)
    }

    /// - Parameter hash: of the context, well mixed in all bits.
    func lookUp(_ hash: UInt64) -> (value: UInt64, confidence: UInt8)? {
        let place = Int(hash >> shift)
        let mark = marks[place]
        guard mark & ~Self.confidenceMask == Self.tag(hash) else { return nil }
        return (values[place], UInt8(mark & Self.confidenceMask))
    }

    /// A context was followed by a value.
    mutating func learn(_ hash: UInt64, _ value: UInt64) {
        let place = Int(hash >> shift)
        let mark = marks[place]
        let tag = Self.tag(hash)
        let confidence = mark & Self.confidenceMask
        if mark & ~Self.confidenceMask == tag, values[place] == value {
            if confidence < Self.mostConfidence { marks[place] = mark + 1 }
        } else if confidence > 0 {
            marks[place] = mark - 1
        } else {
            marks[place] = tag
            values[place] = value
        }
    }

    /// Above the confidence's bits, and never 0.
    private static func tag(_ hash: UInt64) -> UInt16 {
        max(UInt16(truncatingIfNeeded: hash) & ~confidenceMask, confidenceMask + 1)
    }
}
