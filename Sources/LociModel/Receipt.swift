/// What answering cost. Shards fill in their part, the coordinator adds them up; a part that is
/// never reported reads as zero shards answered, so an answer cannot pass for complete.
public struct Receipt: Equatable, Sendable {
    public var shardsAsked: UInt32 = 0
    public var shardsAnswered: UInt32 = 0
    public var partitions: UInt32 = 0
    /// ... of them those in which every point was compared that passes the filter.
    public var wholePartitions: UInt32 = 0
    /// How often the coordinator asked shards for a query, one time after the other.
    public var rounds: UInt32 = 0
    /// Pages that the answer needed: the sum over `tiers` of those that were there and those that
    /// were skipped.
    public var pagesTouched: UInt64 = 0
    /// The same pages by the tier that they came from, and how.
    public var tiers = TierCosts()
    /// Bytes that page-ins read from files.
    public var bytesRead: UInt64 = 0
    /// Vectors compared exactly, element by element.
    public var vectorsScored: UInt64 = 0
    /// Vectors compared by their codes.
    public var codesScanned: UInt64 = 0
    public var locationsActive: UInt32 = 0
    /// Microseconds from the request's arrival at the coordinator to its answer.
    public var totalMicroseconds: UInt64 = 0
    /// ... of them spent deciding in the coordinator's own thread.
    public var coordinatorMicroseconds: UInt64 = 0
    /// The slowest shard: from the message's arrival to its answer.
    public var shardMicroseconds: UInt64 = 0
    /// The slowest shard: in the kernels.
    public var scoringMicroseconds: UInt64 = 0

    public init() {}

    /// Time that neither coordinator nor shard accounts for: sockets, queues and the wire.
    public var networkMicroseconds: UInt64 {
        let accounted = coordinatorMicroseconds + shardMicroseconds
        return totalMicroseconds > accounted ? totalMicroseconds - accounted : 0
    }

    public var isComplete: Bool { shardsAnswered == shardsAsked }

    /// Adds what one shard reports. Work adds up; shards run side by side, so of times the longest
    /// counts.
    public mutating func add(shard: Receipt) {
        shardsAnswered += 1
        addWork(of: shard)
    }

    /// Adds work without counting an answer: one shard's several rounds.
    public mutating func addWork(of other: Receipt) {
        partitions += other.partitions
        wholePartitions += other.wholePartitions
        pagesTouched += other.pagesTouched
        tiers.add(other.tiers)
        bytesRead += other.bytesRead
        vectorsScored += other.vectorsScored
        codesScanned += other.codesScanned
        shardMicroseconds = max(shardMicroseconds, other.shardMicroseconds)
        scoringMicroseconds = max(scoringMicroseconds, other.scoringMicroseconds)
    }
}
