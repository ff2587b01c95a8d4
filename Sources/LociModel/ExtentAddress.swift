public import LociBase

/// 1 MiB of a partition's pages, or one page that is larger: what moves between tiers of files.
public struct ExtentAddress: Hashable, Comparable, Sendable {
    public let space: SpaceID
    public let partition: PartitionIndex
    /// The byte of the partition that it begins at, in MiB.
    public let number: UInt64

    public init(space: SpaceID, partition: PartitionIndex, number: UInt64) {
        self.space = space
        self.partition = partition
        self.number = number
    }

    /// The extent that a page begins in.
    public init(of page: PageAddress, pageBytes: Int) {
        self.init(
            space: page.space, partition: page.partition,
            number: page.page * UInt64(pageBytes) / Layout.extentBytes)
    }

    /// Its pages, numbered over the whole partition.
    public func pages(pageBytes: Int) -> Range<UInt64> {
        let first = number * Layout.extentBytes / UInt64(pageBytes)
        return first..<(first + max(1, Layout.extentBytes / UInt64(pageBytes)))
    }

    public static func < (left: ExtentAddress, right: ExtentAddress) -> Bool {
        (left.partition, left.space, left.number) < (right.partition, right.space, right.number)
    }
}

extension Layout {
    /// Bytes of pages that move between tiers together.
    public static let extentBytes: UInt64 = 1 << 20
}
