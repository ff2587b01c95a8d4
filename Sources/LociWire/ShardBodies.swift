public import LociBase
public import LociModel

// What coordinators ask and shards answer. `bulk` says what the frames beside the body hold.

/// Opens a session. The shard answers `welcome` and from then on serves this coordinator's
/// incarnation and no lower one.
public struct Hello: Equatable, Sendable {
    public var clusterID: UInt64
    public var shard: ShardIndex
    /// Partitions of the whole cluster.
    public var partitions: UInt32
    /// Shards of the whole cluster.
    public var shards: UInt32

    public init(clusterID: UInt64, shard: ShardIndex, partitions: UInt32, shards: UInt32) {
        self.clusterID = clusterID
        self.shard = shard
        self.partitions = partitions
        self.shards = shards
    }
}

public struct Welcome: Equatable, Sendable {
    public var catalogVersion: UInt64
    public init(catalogVersion: UInt64) { self.catalogVersion = catalogVersion }
}

/// Bulk: `[(space: UInt32, partition: UInt32, locations version: UInt64, points: UInt64, count:
/// UInt32, ids: UInt64 each) each]`, for every collection's partition here. The ids are of points
/// whose mutation was interrupted.
public struct Pong: Equatable, Sendable {
    public var catalogVersion: UInt64
    public var vitals: ShardVitals

    public init(catalogVersion: UInt64, vitals: ShardVitals) {
        self.catalogVersion = catalogVersion
        self.vitals = vitals
    }
}

/// Bulk: `[catalog]` as `Catalog.encoded`. Answered by `acknowledged` once it is durable.
public struct Install: Equatable, Sendable {
    public var version: UInt64
    public init(version: UInt64) { self.version = version }
}

/// Bulk: `[cells: UInt64 each]`, all of partitions that live here. Answer: `cells`.
public struct ShardRead: Equatable, Sendable {
    public var space: SpaceID
    /// As in `ReadCells`.
    public var maxTier: Tier?
    public var identity: UInt64
    public var withTiers: Bool
    /// Whose stream of reads it belongs to, among those of the sender.
    public var session: UInt64

    public init(
        space: SpaceID, maxTier: Tier? = nil, identity: UInt64 = 0, withTiers: Bool = false,
        session: UInt64 = 0
    ) {
        self.space = space
        self.maxTier = maxTier
        self.identity = identity
        self.withTiers = withTiers
        self.session = session
    }
}

/// Bulk: `[cells: UInt64 each, bytes]`, all of one partition.
public struct ShardWrite: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex

    public init(space: SpaceID, partition: PartitionIndex) {
        self.space = space
        self.partition = partition
    }
}

/// Adds `targets` to the partitions that may hold each id, and answers which were there before.
/// With `isLookup` nothing is added. Bulk: `[ids: UInt64 each, targets]`; targets are one byte of
/// count, then partitions of UInt16, for each id. Answer: `claimed`.
public struct Claim: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex
    public var isLookup: Bool

    public init(space: SpaceID, partition: PartitionIndex, isLookup: Bool) {
        self.space = space
        self.partition = partition
        self.isLookup = isLookup
    }
}

/// Bulk: `[targets]`, laid out as in `Claim`, as they were before it.
public struct Claimed: Equatable, Sendable {
    public var count: UInt32
    public init(count: UInt32) { self.count = count }
}

/// Sets the partitions that hold each id; none forgets the id. Bulk: `[ids, targets]` as in
/// `Claim`.
public struct Settle: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex

    public init(space: SpaceID, partition: PartitionIndex) {
        self.space = space
        self.partition = partition
    }
}

/// Stores points under the header's sequence as their version. Bulk: `[ids: UInt64 each, primary
/// flags: UInt8 each, vectors: Float each, payload lengths: UInt32 each, payloads]`.
public struct Put: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex
    /// Of the hard locations that chose the partition; the points go to some of the same.
    public var generation: UInt32

    public init(space: SpaceID, partition: PartitionIndex, generation: UInt32 = 0) {
        self.space = space
        self.partition = partition
        self.generation = generation
    }
}

/// Removes points whose version is lower than the header's sequence. Bulk: `[ids: UInt64 each]`.
public struct Remove: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex

    public init(space: SpaceID, partition: PartitionIndex) {
        self.space = space
        self.partition = partition
    }
}

/// Adds empty hard locations of a generation. Bulk: `[centroids: Float each]`.
public struct Plant: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex
    public var generation: UInt32

    public init(space: SpaceID, partition: PartitionIndex, generation: UInt32) {
        self.space = space
        self.partition = partition
        self.generation = generation
    }
}

/// Asks for the hard locations that changed after version `since`.
public struct AskNews: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex
    public var since: UInt64
    /// `since` was reached by news that said there was more.
    public var isContinued: Bool

    public init(
        space: SpaceID, partition: PartitionIndex, since: UInt64, isContinued: Bool = false
    ) {
        self.space = space
        self.partition = partition
        self.since = since
        self.isContinued = isContinued
    }
}

/// Bulk: `[added ids: UInt32 each, their generations: UInt32 each, their centroids: Float each,
/// removed ids: UInt32 each]`. `hasMore`: ask again from `version`.
public struct News: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex
    public var since: UInt64
    public var version: UInt64
    public var hasMore: Bool

    public init(
        space: SpaceID, partition: PartitionIndex, since: UInt64, version: UInt64, hasMore: Bool
    ) {
        self.space = space
        self.partition = partition
        self.since = since
        self.version = version
        self.hasMore = hasMore
    }
}

/// Bulk: `[vector: Float each, (partition: UInt32, location: UInt32) each]`; the location
/// `UInt32.max` means all of the partition's, and the one below it those that the shard itself
/// finds nearest. Answer: `matches`.
public struct ShardQuery: Equatable, Sendable {
    public var space: SpaceID
    public var k: UInt32
    public var withPayload: Bool
    public var withVector: Bool
    /// As in `Query`.
    public var maxTier: Tier?
    public var filter: String
    /// How far a code's estimate is trusted, in standard deviations of its error; 0 lets the shard
    /// choose.
    public var bound: Float
    /// A partition of which the filter lets at most this part of the points through compares all
    /// that pass, wherever they lie: 0, for none, to 1.
    public var selectiveShare: Float

    public init(
        space: SpaceID, k: UInt32, withPayload: Bool, withVector: Bool, maxTier: Tier? = nil,
        filter: String = "", bound: Float = 0, selectiveShare: Float = 0
    ) {
        self.filter = filter
        self.bound = bound
        self.selectiveShare = selectiveShare
        self.maxTier = maxTier
        self.space = space
        self.k = k
        self.withPayload = withPayload
        self.withVector = withVector
    }

    public static let everyLocation = LocationID.max
    /// Instead of a location: those that the shard itself finds nearest.
    public static let ownChoice = LocationID.max - 1
}

/// Bulk: `[ids: UInt64 each]`. Answer: `points`, those that are here.
public struct Fetch: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex
    public var withVector: Bool

    public init(space: SpaceID, partition: PartitionIndex, withVector: Bool) {
        self.space = space
        self.partition = partition
        self.withVector = withVector
    }
}

/// All copies of points in the order of their ids, from `from` on, over the given partition or,
/// with `UInt32.max`, all that live here. `generationBelow` keeps to points in postings of hard
/// locations of an older generation; 0 means all. `idsOnly` leaves payloads out.
public struct ShardScroll: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex
    public var from: PointID
    public var limit: UInt32
    public var withVector: Bool
    public var idsOnly: Bool
    public var generationBelow: UInt32
    /// Not 0: a random sample of `limit` points instead, the same for the same seed.
    public var sampleSeed: UInt64

    public init(
        space: SpaceID, partition: PartitionIndex = .max, from: PointID, limit: UInt32,
        withVector: Bool, idsOnly: Bool = false, generationBelow: UInt32 = 0,
        sampleSeed: UInt64 = 0
    ) {
        self.space = space
        self.partition = partition
        self.from = from
        self.limit = limit
        self.withVector = withVector
        self.idsOnly = idsOnly
        self.generationBelow = generationBelow
        self.sampleSeed = sampleSeed
    }
}

/// Counts the ids that the directories here know. Answer: `acknowledged`.
public struct ShardCount: Equatable, Sendable {
    public var space: SpaceID
    public init(space: SpaceID) { self.space = space }
}
