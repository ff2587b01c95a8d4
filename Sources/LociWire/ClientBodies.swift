public import LociBase
public import LociModel

// What clients ask and coordinators answer. `bulk` says what the frames beside the body hold.

public struct CreateField: Equatable, Sendable {
    public var name: String
    public var elementType: ElementType
    public var shape: [UInt64]
    /// 0 lets the coordinator choose.
    public var pageBytes: UInt32

    public init(name: String, elementType: ElementType, shape: [UInt64], pageBytes: UInt32 = 0) {
        self.name = name
        self.elementType = elementType
        self.shape = shape
        self.pageBytes = pageBytes
    }
}

public struct DropField: Equatable, Sendable {
    public var name: String
    public init(name: String) { self.name = name }
}

public struct CreateCollection: Equatable, Sendable {
    public var name: String
    public var dimension: UInt32
    public var metric: Metric
    public var isText: Bool
    /// Bits of each dimension in a posting's codes; 0 lets the coordinator choose.
    public var codeBits: UInt32
    /// Hard locations of a partition that a code is written to, at most; 0 means 1.
    public var copies: UInt32
    public var indexedFields: [String]

    public init(
        name: String, dimension: UInt32, metric: Metric, isText: Bool = false,
        codeBits: UInt32 = 0, copies: UInt32 = 0, indexedFields: [String] = []
    ) {
        self.name = name
        self.dimension = dimension
        self.metric = metric
        self.isText = isText
        self.codeBits = codeBits
        self.copies = copies
        self.indexedFields = indexedFields
    }

    public init(
        name: String, dimension: UInt32, metric: Metric, isText: Bool = false,
        options: CollectionOptions
    ) {
        self.init(
            name: name, dimension: dimension, metric: metric, isText: isText,
            codeBits: UInt32(clamping: options.codeBits), copies: UInt32(clamping: options.copies),
            indexedFields: options.indexedFields)
    }

    /// What was chosen, checked when the collection is made.
    public var options: CollectionOptions {
        var options = CollectionOptions(indexedFields: indexedFields)
        if codeBits != 0 { options.codeBits = Int(codeBits) }
        if copies != 0 { options.copies = Int(copies) }
        return options
    }
}

public struct DropCollection: Equatable, Sendable {
    public var name: String
    public init(name: String) { self.name = name }
}

/// Bulk: nothing for a range, `[cells: UInt64 each]` if scattered.
public struct ReadCells: Equatable, Sendable {
    public var field: String
    public var first: CellIndex
    public var count: UInt64
    public var isScattered: Bool
    /// Cells whose pages lie in slower tiers are skipped; nil asks all tiers.
    public var maxTier: Tier?
    /// Of the field that is meant; 0 means whichever has the name.
    public var identity: UInt64
    public var withTiers: Bool
    /// Cells of shards that do not answer are named instead of failing the read.
    public var allowsPartial: Bool

    public init(
        field: String, first: CellIndex = 0, count: UInt64, isScattered: Bool = false,
        maxTier: Tier? = nil, identity: UInt64 = 0, withTiers: Bool = false,
        allowsPartial: Bool = false
    ) {
        self.field = field
        self.first = first
        self.count = count
        self.isScattered = isScattered
        self.maxTier = maxTier
        self.identity = identity
        self.withTiers = withTiers
        self.allowsPartial = allowsPartial
    }
}

/// Bulk: `[bytes]` for a range, `[cells: UInt64 each, bytes]` if scattered.
public struct WriteCells: Equatable, Sendable {
    public var field: String
    public var first: CellIndex
    public var count: UInt64
    public var isScattered: Bool

    public init(field: String, first: CellIndex = 0, count: UInt64, isScattered: Bool = false) {
        self.field = field
        self.first = first
        self.count = count
        self.isScattered = isScattered
    }
}

/// Bulk: `[ids: UInt64 each, vectors: Float each, payload lengths: UInt32 each, payloads]`, or for
/// text `[ids, text lengths: UInt32 each, texts, payload lengths, payloads]`.
public struct Upsert: Equatable, Sendable {
    public var collection: String
    public var count: UInt32
    public var isText: Bool

    public init(collection: String, count: UInt32, isText: Bool = false) {
        self.collection = collection
        self.count = count
        self.isText = isText
    }
}

/// Bulk: `[vector: Float each]`, or nothing if `text` is the question.
public struct Query: Equatable, Sendable {
    public var collection: String
    public var k: UInt32
    public var isExact: Bool
    public var withPayload: Bool
    public var withVector: Bool
    /// Hard locations to look at, with a radius at least so many; 0 lets the coordinator choose.
    public var probes: UInt32
    public var text: String
    /// Postings whose pages lie in slower tiers are skipped; nil asks all tiers.
    public var maxTier: Tier?
    /// Only points whose payload passes; empty means all. At most `Limits.filterBytes`.
    public var filter: String
    /// The part of the true neighbours that is wanted, below 1; 0 means as the collection is tuned.
    public var recall: Float
    /// Hard locations within this factor of the nearest one's squared distance are active; 0 lets
    /// the coordinator choose.
    public var radius: Float

    public init(
        collection: String, k: UInt32, isExact: Bool = false, withPayload: Bool = true,
        withVector: Bool = false, probes: UInt32 = 0, text: String = "", maxTier: Tier? = nil,
        filter: String = "", recall: Float = 0, radius: Float = 0
    ) {
        self.filter = filter
        self.recall = recall
        self.radius = radius
        self.collection = collection
        self.k = k
        self.isExact = isExact
        self.withPayload = withPayload
        self.withVector = withVector
        self.probes = probes
        self.text = text
        self.maxTier = maxTier
    }
}

/// Bulk: `[ids: UInt64 each]`. Ids that do not exist are missing from the answer.
public struct Retrieve: Equatable, Sendable {
    public var collection: String
    public var withVector: Bool

    public init(collection: String, withVector: Bool = false) {
        self.collection = collection
        self.withVector = withVector
    }
}

/// Points in the order of their ids, from `from` on, or a sample of them.
public struct Scroll: Equatable, Sendable {
    public var collection: String
    public var from: PointID
    public var limit: UInt32
    public var withVector: Bool
    /// Not 0: `limit` random points of the whole collection instead, or somewhat fewer, without
    /// payloads and in no order; the same for the same seed and points.
    public var sampleSeed: UInt64
    /// Without payloads.
    public var idsOnly: Bool

    public init(
        collection: String, from: PointID = 0, limit: UInt32 = 100, withVector: Bool = false,
        sampleSeed: UInt64 = 0, idsOnly: Bool = false
    ) {
        self.idsOnly = idsOnly
        self.sampleSeed = sampleSeed
        self.collection = collection
        self.from = from
        self.limit = limit
        self.withVector = withVector
    }
}

public struct Count: Equatable, Sendable {
    public var collection: String
    public init(collection: String) { self.collection = collection }
}

/// Bulk: `[ids: UInt64 each]`. The answer counts those that existed.
public struct DeletePoints: Equatable, Sendable {
    public var collection: String
    public init(collection: String) { self.collection = collection }
}

/// Something was done, and is durable, to so many things.
public struct Acknowledged: Equatable, Sendable {
    public var count: UInt64
    public var receipt: Receipt
    /// From shards: version of the partition's hard locations, to be compared with one's copy.
    public var locationsVersion: UInt64

    public init(count: UInt64, receipt: Receipt = Receipt(), locationsVersion: UInt64 = 0) {
        self.count = count
        self.receipt = receipt
        self.locationsVersion = locationsVersion
    }
}

/// Bulk: `[catalog]` as `Catalog.encoded`.
public struct CatalogAnswer: Equatable, Sendable {
    public var version: UInt64
    public init(version: UInt64) { self.version = version }
}

public struct StatusAnswer: Equatable, Sendable {
    public var clusterID: UInt64
    public var incarnation: UInt64
    public var partitions: UInt32
    public var requestsInFlight: UInt32
    public var shards: [ShardStatus]
    public var collections: [CollectionStatus]

    public init(
        clusterID: UInt64, incarnation: UInt64, partitions: UInt32, requestsInFlight: UInt32,
        shards: [ShardStatus], collections: [CollectionStatus]
    ) {
        self.clusterID = clusterID
        self.incarnation = incarnation
        self.partitions = partitions
        self.requestsInFlight = requestsInFlight
        self.shards = shards
        self.collections = collections
    }
}

/// A shard as the coordinator last heard of it.
public struct ShardStatus: Equatable, Sendable {
    public var shard: ShardIndex
    public var isUp: Bool
    public var incarnation: UInt64
    public var endpoint: String
    public var vitals: ShardVitals

    public init(
        shard: ShardIndex, isUp: Bool, incarnation: UInt64, endpoint: String, vitals: ShardVitals
    ) {
        self.shard = shard
        self.isUp = isUp
        self.incarnation = incarnation
        self.endpoint = endpoint
        self.vitals = vitals
    }
}

/// What the coordinator knows of a collection's hard locations.
public struct CollectionStatus: Equatable, Sendable {
    public var name: String
    public var locations: UInt32
    /// Generation of hard locations learned over the whole collection; 0 before the first.
    public var generation: UInt32
    /// Data without clusters: every shard is asked.
    public var isUnroutable: Bool
    /// Points whose move to a newer generation is still to come.
    public var isMoving: Bool
    public var points: UInt64

    public init(
        name: String, locations: UInt32, generation: UInt32, isUnroutable: Bool, isMoving: Bool,
        points: UInt64
    ) {
        self.name = name
        self.locations = locations
        self.generation = generation
        self.isUnroutable = isUnroutable
        self.isMoving = isMoving
        self.points = points
    }
}

/// Bulk: `[bytes, skipped, tiers, missing]`, in the order asked for, duplicates included; empty
/// frames at the end are left out. Skipped: positions (UInt32 each, ascending) of cells that
/// `maxTier` left out; their bytes are zero. Tiers: one byte for each cell, `Tier.rawValue` + 1, or
/// 0 if unknown. Missing: positions of cells whose shard did not answer; their bytes are 0xFF.
public struct CellsAnswer: Equatable, Sendable {
    public var cellBytes: UInt32
    public var count: UInt64
    public var receipt: Receipt

    public init(cellBytes: UInt32, count: UInt64, receipt: Receipt) {
        self.cellBytes = cellBytes
        self.count = count
        self.receipt = receipt
    }
}

/// Bulk: `[ids: UInt64 each, versions: UInt64 each, scores: Float each, payload lengths: UInt32
/// each, payloads, vectors: Float each or empty]`, best first. Payloads are empty if not asked for.
public struct MatchesAnswer: Equatable, Sendable {
    public var count: UInt32
    public var receipt: Receipt
    /// Some shard that should have been asked did not answer: there may be nearer points.
    public var isDegraded: Bool
    /// Fewer than k points exist that pass the filter.
    public var isExhausted: Bool
    /// Points that were looked at and passed the filter, estimated where payloads decide; 0 without
    /// one, or if nobody counted.
    public var passed: UInt64
    /// Partitions in which every point was compared that passes the filter: at most
    /// `Limits.partitions`. Only shards say so.
    public var wholePartitions: [PartitionIndex]

    public init(
        count: UInt32, receipt: Receipt, isDegraded: Bool = false, isExhausted: Bool = false,
        passed: UInt64 = 0, wholePartitions: [PartitionIndex] = []
    ) {
        self.passed = passed
        self.wholePartitions = wholePartitions
        self.count = count
        self.receipt = receipt
        self.isDegraded = isDegraded
        self.isExhausted = isExhausted
    }
}

/// Bulk: `[ids: UInt64 each, versions: UInt64 each, payload lengths: UInt32 each, payloads,
/// vectors: Float each or empty]`.
public struct PointsAnswer: Equatable, Sendable {
    public var count: UInt32
    public var receipt: Receipt
    public var hasMore: Bool
    public var isDegraded: Bool

    public init(
        count: UInt32, receipt: Receipt, hasMore: Bool = false, isDegraded: Bool = false
    ) {
        self.count = count
        self.receipt = receipt
        self.hasMore = hasMore
        self.isDegraded = isDegraded
    }
}
