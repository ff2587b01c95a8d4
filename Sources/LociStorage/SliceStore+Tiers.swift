public import LociBase
public import LociModel

/// An extent that has pages in files.
public struct StoredExtent: Equatable, Sendable {
    public let address: ExtentAddress
    public let pageBytes: Int
    /// Pages in the segment and on the cold tier; each page is in one of them.
    public var ssdPages = 0
    public var hddPages = 0

    public init(address: ExtentAddress, pageBytes: Int, ssdPages: Int = 0, hddPages: Int = 0) {
        self.address = address
        self.pageBytes = pageBytes
        self.ssdPages = ssdPages
        self.hddPages = hddPages
    }
}

/// What a slice takes on its tiers of files.
public struct TierOccupancy: Equatable, Sendable {
    /// Blocks of the segments, and of the extents on the cold tier.
    public var ssdBytes: UInt64 = 0
    public var hddBytes: UInt64 = 0
    /// Whether all segments were asked; else `ssdBytes` is a part of the truth.
    public var isComplete = true

    public init() {}
}

/// What became of an extent that was to be moved.
public enum ExtentMove: Equatable, Sendable {
    case moved(pages: Int)
    /// There was nothing to move.
    case nothing
    /// A page of it is damaged; such a page stays where it is, and with a demotion all do.
    case damaged
}

/// Tiers below the segments.
extension SliceStore {
    public var hasColdTier: Bool { extents != nil }

    /// Brings an extent's pages to the cold tier, compressed, and gives their space in the segment
    /// back; durable on return. Pages in the write buffer stay. At every instant each page is in
    /// the place that is said to have it; reads, writes and flushes go on meanwhile.
    /// - Throws: `noSpace` and `io` of the tier, with nothing changed.
    public func demote(_ extent: ExtentAddress, pageBytes: Int) throws(StorageError) -> ExtentMove {
        try countingFailures { () throws(StorageError) in
            try store(extent.partition).demote(extent, pageBytes: pageBytes)
        }
    }

    /// Brings an extent's pages back to the segment; durable on return.
    /// - Throws: `noSpace` of the segment's disk and `io` of the tier, with nothing changed.
    public func promote(_ extent: ExtentAddress, pageBytes: Int) throws(StorageError) -> ExtentMove
    {
        try countingFailures { () throws(StorageError) in
            try store(extent.partition).promote(extent, pageBytes: pageBytes)
        }
    }

    private func countingFailures(
        _ move: () throws(StorageError) -> ExtentMove
    ) throws(StorageError) -> ExtentMove {
        do {
            return try move()
        } catch {
            extents?.counters.count { $0.failures += 1 }
            throw error
        }
    }

    /// Removes what interrupted moves have left on the cold tier, and counts what is there; until
    /// then `occupancy` knows only the extents of this life. To be called once for each partition
    /// after its recovery; takes one small read for each extent.
    /// - Parameter shouldStop: Asked now and then; what is left is swept another time.
    public func sweepColdTier(
        _ partition: PartitionIndex, shouldStop: () -> Bool = { false }
    ) throws(StorageError) {
        try store(partition).sweepExtents(shouldStop: shouldStop)
    }

    /// Asks the segments that have changed since the last call, up to a bound.
    public func occupancy() throws(StorageError) -> TierOccupancy {
        var occupancy = TierOccupancy()
        for (_, store) in partitions.sorted(by: { $0.key < $1.key }) {
            try store.space.measure(most: Self.segmentsMeasured) { name throws(StorageError) in
                try store.segments.segment(name, in: store.place, create: false)?
                    .file.allocatedBytes()
            }
            let (bytes, isComplete) = store.space.bytes
            occupancy.ssdBytes += bytes
            occupancy.isComplete = occupancy.isComplete && isComplete
        }
        occupancy.hddBytes = extents?.bytes ?? 0
        return occupancy
    }

    private static let segmentsMeasured = 256

    /// Extents that have pages in files, in the order of their addresses, from one on or from the
    /// first. What a call has to look at is bounded, so there may be few of them or none and yet
    /// more behind them.
    /// - Returns: Up to `limit` of them, and where to go on; nil at the end.
    public func storedExtents(
        from start: ExtentAddress?, limit: Int
    ) throws(StorageError) -> (extents: [StoredExtent], next: ExtentAddress?) {
        let behind = partitionNumbers.filter { $0 >= start?.partition ?? 0 }
        guard let partition = behind.first else { return ([], nil) }
        let first = ExtentAddress(space: 0, partition: partition, number: 0)
        let from = max(start ?? first, first)
        let (extents, next) = try store(partition).storedExtents(from: from, limit: limit)
        if next != nil || behind.count == 1 { return (extents, next) }
        return (extents, ExtentAddress(space: 0, partition: behind[1], number: 0))
    }

    /// Extents of one space in a partition, from a number on.
    /// - Returns: Up to `limit` of them, and whether there are more.
    public func storedExtents(
        of space: SpaceID, partition: PartitionIndex, from number: UInt64, limit: Int
    ) throws(StorageError) -> (extents: [StoredExtent], hasMore: Bool) {
        var found: [StoredExtent] = []
        var start = ExtentAddress(space: space, partition: partition, number: number)
        while found.count < limit {
            let (extents, next) = try store(partition).storedExtents(
                from: start, limit: limit - found.count)
            found += extents.filter { $0.address.space == space }
            guard let next, next.space == space else { return (found, false) }
            start = next
        }
        return (found, true)
    }

    /// Reads of cold extents since the last call, for deciding what to promote.
    public func takeColdReads() -> [ColdReads] { extents?.takeReads() ?? [] }

    public var migrationCounts: MigrationCounts {
        extents?.counters.counts ?? MigrationCounts()
    }
}
