public import LociBase

/// Advice that a page will be needed. It never changes an answer: losing, repeating, delaying or
/// forging one changes only when pages are fetched.
public struct PageHint: Hashable, Sendable {
    /// Bytes of one on the wire.
    public static let encodedBytes = 13

    public let space: SpaceID
    /// The page's number in the whole field, before it is laid out over partitions.
    public let page: UInt64
    /// How much the fetch is worth, from 1 (a guess) to 255 (certain).
    public let weight: UInt8

    public init(space: SpaceID, page: UInt64, weight: UInt8) {
        self.space = space
        self.page = page
        self.weight = weight
    }

    public static func encoded(_ hints: [PageHint]) -> Bytes {
        var writer = ByteWriter(reserving: hints.count * encodedBytes)
        for hint in hints {
            writer.write(hint.space)
            writer.write(hint.page)
            writer.write(hint.weight)
        }
        return writer.finished
    }

    /// What is not a whole hint at the end is left out.
    public static func decoded(_ bytes: Bytes) -> [PageHint] {
        stride(from: 0, to: bytes.count - encodedBytes + 1, by: encodedBytes).map { start in
            PageHint(
                space: bytes.load(at: start), page: bytes.load(at: start + 4),
                weight: bytes.load(at: start + 12))
        }
    }
}
