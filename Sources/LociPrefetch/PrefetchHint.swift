public import LociBase

/// Advice that a page will be needed. It never changes an answer: losing, repeating, delaying or
/// forging one changes only when pages are fetched.
public struct PrefetchHint: Hashable, Sendable {
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
}
