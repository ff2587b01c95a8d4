import Synchronization

/// What moving extents between tiers has come to, over all partitions of a slice.
final class MigrationCounters: Sendable {
    private let state = Mutex(MigrationCounts())

    func count(_ body: @Sendable (inout MigrationCounts) -> Void) { state.withLock { body(&$0) } }

    var counts: MigrationCounts { state.withLock { $0 } }
}

/// Counts since a slice was opened.
public struct MigrationCounts: Equatable, Sendable {
    /// From the segments to the cold tier.
    public var demotedExtents: UInt64 = 0
    public var demotedPages: UInt64 = 0
    /// Bytes of the pages that went to the cold tier, and of the objects that were written for them
    /// and for pages that were there already.
    public var demotedBytes: UInt64 = 0
    public var writtenBytes: UInt64 = 0
    /// Back to the segments.
    public var promotedExtents: UInt64 = 0
    public var promotedPages: UInt64 = 0
    public var promotedBytes: UInt64 = 0
    /// Extents that stayed where they are because a page of them is damaged.
    public var skippedExtents: UInt64 = 0
    /// Objects that nothing refers to, removed.
    public var orphans: UInt64 = 0
    /// Times that the tier refused or failed.
    public var failures: UInt64 = 0

    public init() {}
}
