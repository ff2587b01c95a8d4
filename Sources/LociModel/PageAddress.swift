public import LociBase

/// Where a page lives: a space, a partition of it, and the page's number within the partition.
public struct PageAddress: Hashable, Comparable, Sendable {
    public let space: SpaceID
    public let partition: PartitionIndex
    public let page: UInt64

    @inlinable public init(space: SpaceID, partition: PartitionIndex, page: UInt64) {
        self.space = space
        self.partition = partition
        self.page = page
    }

    public static func < (left: PageAddress, right: PageAddress) -> Bool {
        (left.space, left.partition, left.page) < (right.space, right.partition, right.page)
    }
}

/// Constants of the layout on disk. They are part of the format.
public enum Layout {
    public static let smallestPageBytes = 4 << 10
    public static let defaultPageBytes = 16 << 10
    public static let largestPageBytes = 2 << 20
    /// Virtual bytes of a segment file.
    public static let segmentBytes: UInt64 = 64 << 30
    /// Run of a field's bytes that goes to one partition before the next one's turn.
    public static let stripeBytes = 4 << 20
}
