public import LociBase
public import LociModel

// What a collection is made of, and how it is tuned: what is asked and answered.

/// Answer: `collectionReport`.
public struct CollectionInfo: Equatable, Sendable {
    public var collection: String
    public init(collection: String) { self.collection = collection }
}

/// `CollectionInfo` for what lives on the shard. Answer: `collectionReport`.
public struct ShardCollectionInfo: Equatable, Sendable {
    public var space: SpaceID
    public init(space: SpaceID) { self.space = space }
}

/// What a collection is made of: from a shard its part, from a coordinator the whole. What moves is
/// counted since the shards started.
public struct CollectionReport: Equatable, Sendable {
    public var points: UInt64 = 0
    public var locations: UInt64 = 0
    /// Generation of hard locations learned over the whole collection; 0 before the first.
    public var generation: UInt32 = 0
    /// Codes in postings.
    public var rows: UInt64 = 0
    /// ... of them, those whose point has changed or left since.
    public var staleRows: UInt64 = 0
    public var splits: UInt64 = 0
    public var merges: UInt64 = 0
    /// Points that were given to another posting.
    public var moved: UInt64 = 0
    /// Points that were looked at for that.
    public var evaluated: UInt64 = 0
    public var longestPosting: UInt64 = 0
    /// Element `i` counts the postings with `2^i ..< 2^(i+1)` rows, element 0 also the empty ones.
    /// At most 64 elements.
    public var postingLengths: [UInt64] = []
    public var codeBytes: UInt64 = 0
    public var vectorBytes: UInt64 = 0
    public var payloadBytes: UInt64 = 0
    /// In memory: payload indexes.
    public var indexBytes: UInt64 = 0
    /// In memory: tables of points and postings.
    public var tableBytes: UInt64 = 0
    /// In memory: hard locations.
    public var locationBytes: UInt64 = 0
    /// Hard locations of a partition that a code is written to, at most.
    public var copies: UInt32 = 0
    /// Shards that hold a part of it: 1 from a shard.
    public var shards: UInt32 = 0
    /// Each tier once.
    public var tiers: [TierBytes] = []
    /// From coordinators only, as what follows: data without clusters, every shard is asked.
    public var isUnroutable = false
    /// Partitions that a query goes to, on average since the coordinator started; 0 before the
    /// first.
    public var meanPartitions: Double = 0
    /// What a query without a wish for one can expect; 0 if unknown.
    public var recallEstimate: Float = 0
    public var tuning: [RecallSetting] = []
    public var receipt = Receipt()

    public init() {}

    /// Counts a posting of `rows` codes.
    public mutating func count(postingOf rows: Int) {
        let bucket = rows == 0 ? 0 : Int.bitWidth - 1 - rows.leadingZeroBitCount
        while postingLengths.count <= bucket { postingLengths.append(0) }
        postingLengths[bucket] += 1
        longestPosting = max(longestPosting, UInt64(rows))
    }

    /// Adds what another part of the same collection reports. What only coordinators know stays.
    public mutating func add(_ part: CollectionReport) {
        points &+= part.points
        locations &+= part.locations
        generation = max(generation, part.generation)
        rows &+= part.rows
        staleRows &+= part.staleRows
        splits &+= part.splits
        merges &+= part.merges
        moved &+= part.moved
        evaluated &+= part.evaluated
        longestPosting = max(longestPosting, part.longestPosting)
        for (bucket, count) in part.postingLengths.enumerated() {
            if bucket == postingLengths.count { postingLengths.append(0) }
            postingLengths[bucket] &+= count
        }
        codeBytes &+= part.codeBytes
        vectorBytes &+= part.vectorBytes
        payloadBytes &+= part.payloadBytes
        indexBytes &+= part.indexBytes
        tableBytes &+= part.tableBytes
        locationBytes &+= part.locationBytes
        copies = max(copies, part.copies)
        shards &+= part.shards
        for tier in part.tiers { add(tier) }
    }

    private mutating func add(_ bytes: TierBytes) {
        guard let index = tiers.firstIndex(where: { $0.tier == bytes.tier }) else {
            return tiers.append(bytes)
        }
        tiers[index].bytes &+= bytes.bytes
    }
}

/// Bytes of pages that lie in a tier.
public struct TierBytes: Equatable, Sendable {
    public var tier: Tier
    public var bytes: UInt64

    public init(tier: Tier, bytes: UInt64) {
        self.tier = tier
        self.bytes = bytes
    }
}

/// Replaces what is stored for a collection; at most `Limits.recallSettings`, their recalls
/// ascending. Answer: `acknowledged`, once it is durable.
public struct StoreTuning: Equatable, Sendable {
    public var collection: String
    public var tuning: [RecallSetting]

    public init(collection: String, tuning: [RecallSetting]) {
        self.collection = collection
        self.tuning = tuning
    }
}
