public import LociBase
public import LociModel
public import LociWire

// What storage tells a shard's node, beside pages and commits.

/// How the tiers below memory stand; posted now and then.
public struct StorageVitals: Equatable, Sendable {
    /// Without those of memory, which the node knows itself.
    public var tiers: [TierVitals] = []
    /// Since the shard started: pages checked, and damaged beyond repair.
    public var pagesVerified: UInt64 = 0
    public var pagesDamaged: UInt64 = 0
    /// Bytes of writes that are durable in the log and not yet in the segments.
    public var writeBufferBytes: UInt64 = 0
    /// The disk is full: writes are refused.
    public var isFull = false

    public init() {}
}

/// A question which extents of a partition lie on the tiers of files.
public struct SurveyRequest: Hashable, Sendable {
    /// Chosen by the node; the answer repeats it.
    public let number: UInt64
    public let space: SpaceID
    public let partition: PartitionIndex
    public let pageBytes: Int
    /// Extents of 1 MiB from this one on, at most so many.
    public let extent: UInt64
    public let limit: Int
}

/// The extents that have pages on tiers of files, ascending; only `ssd` and `hdd` are filled in.
public struct Survey: Equatable, Sendable {
    public var extents: [ExtentResidency]
    /// There are more behind the last one.
    public var hasMore: Bool

    public init(extents: [ExtentResidency], hasMore: Bool) {
        self.extents = extents
        self.hasMore = hasMore
    }
}

/// How far a scrub is, and what it found.
public struct ScrubProgress: Equatable, Sendable {
    public var isRunning: Bool
    public var pagesVerified: UInt64
    /// Pages that no repair could save.
    public var pagesDamaged: UInt64
    /// The first of them, at most `DamagedPages.perAnswer`.
    public var damaged: [PageAddress]
    /// Why it ended before everything was read, if it did.
    public var failure: LociError?

    public init(
        isRunning: Bool = false, pagesVerified: UInt64 = 0, pagesDamaged: UInt64 = 0,
        damaged: [PageAddress] = [], failure: LociError? = nil
    ) {
        self.failure = failure
        self.isRunning = isRunning
        self.pagesVerified = pagesVerified
        self.pagesDamaged = pagesDamaged
        self.damaged = damaged
    }
}

/// Which snapshot of the cluster a partition is copied for, and where its copy goes.
public struct SnapshotPlace: Hashable, Sendable {
    public let name: String
    /// Of this attempt; never used again in the cluster.
    public let id: UInt64

    public init(name: String, id: UInt64) {
        self.name = name
        self.id = id
    }

    /// The folder within the cluster's snapshot folder, for all partitions, while the snapshot is
    /// being made. Names of snapshots do not begin with a dot, so it cannot pass for a complete
    /// one.
    public var workingFolder: String { ".\(name)-\(String(id, radix: 16))" }
}
