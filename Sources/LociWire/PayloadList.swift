public import LociBase
public import LociModel

/// Byte strings of different lengths as two bulk frames: the lengths (UInt32 each), and all bytes
/// behind one another. Payloads and texts travel so.
public struct PayloadList: Equatable, Sendable {
    public let items: [Bytes]

    public init(_ items: [Bytes]) { self.items = items }

    /// The items are slices of `blob`, without a copy.
    /// - Throws: INVALID_ARGUMENT if there are not `count` lengths, an item is longer than
    ///   `Limits.payloadBytes`, or the lengths do not add up to the blob.
    public init(lengths: Bytes, blob: Bytes, count: Int) throws(LociError) {
        var items: [Bytes] = []
        items.reserveCapacity(count)
        try Self.walk(lengths: lengths, blob: blob, count: count) { range in
            items.append(blob.slice(range))
        }
        self.items = items
    }

    /// First of the two frames.
    public var lengths: Bytes { Bytes(values: items.map { UInt32($0.count) }) }

    /// Second of the two frames.
    public var blob: Bytes { Bytes.joined(items) }

    /// As `init(lengths:blob:count:)`, but only checks.
    static func check(lengths: Bytes, blob: Bytes, count: Int) throws(LociError) {
        try walk(lengths: lengths, blob: blob, count: count) { _ in }
    }

    private static func walk(
        lengths: Bytes, blob: Bytes, count: Int, _ visit: (Range<Int>) -> Void
    ) throws(LociError) {
        guard count >= 0, lengths.count == count * 4 else {
            throw LociError(
                .invalidArgument,
                "\(count) items come with \(lengths.count) bytes of lengths, not \(count * 4).")
        }
        var position = 0
        for index in 0..<count {
            let length = Int(lengths.load(UInt32.self, at: index * 4))
            guard length <= Limits.payloadBytes else {
                throw LociError(
                    .invalidArgument,
                    "Item \(index) has \(length) bytes; \(Limits.payloadBytes) are the most.",
                    advice: "Shorten the payload or text, or split it.")
            }
            guard length <= blob.count - position else {
                throw LociError(
                    .invalidArgument,
                    "\(blob.count) bytes came for \(count) items; their lengths add up to more.")
            }
            visit(position..<(position + length))
            position += length
        }
        guard position == blob.count else {
            throw LociError(
                .invalidArgument,
                "\(blob.count) bytes came for \(count) items; their lengths add up to \(position).")
        }
    }
}
