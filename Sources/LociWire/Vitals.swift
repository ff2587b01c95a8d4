public import LociModel

/// Gauges and counters that a shard reports of itself.
public struct ShardVitals: Equatable, Sendable {
    public var partitions: UInt32 = 0
    public var points: UInt64 = 0
    public var residentBytes: UInt64 = 0
    public var budgetBytes: UInt64 = 0
    public var pagesRequested: UInt64 = 0
    public var pagesHit: UInt64 = 0
    public var logBytes: UInt64 = 0
    public var requestsInFlight: UInt32 = 0
    public var rejectedMessages: UInt64 = 0
    /// Tiers that the shard has, the fastest first, each once.
    public var tiers: [TierVitals] = []
    /// Since the shard started: pages that a scrub or a page-in has checked, and those that were
    /// damaged beyond repair.
    public var pagesVerified: UInt64 = 0
    public var pagesDamaged: UInt64 = 0
    /// Memory beyond the budgets, for pages that could not wait.
    public var overflowBytes: UInt64 = 0
    /// The disk is full: writes are refused.
    public var isFull = false
    /// What clients said that they would read, what the shard guessed, and what others hinted at.
    public var told = PrefetchTally()
    public var guessed = PrefetchTally()
    public var hinted = PrefetchTally()
    public var gossip = GossipVitals()

    public init() {}
}

/// Counters of one process's gossip, since it started.
public struct GossipVitals: Equatable, Sendable {
    public var rounds: UInt64 = 0
    public var messages: UInt64 = 0
    public var bytesSent: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// What is known now, of this process and of others.
    public var entries: UInt64 = 0
    /// Messages and entries that were not taken: malformed, or beyond a limit.
    public var dropped: UInt64 = 0

    public init() {}
}

/// Gauges and counters of one tier of a shard.
public struct TierVitals: Equatable, Sendable {
    public var tier: Tier
    public var residentBytes: UInt64 = 0
    public var budgetBytes: UInt64 = 0
    public var requests: UInt64 = 0
    public var hits: UInt64 = 0
    /// Pages that came from other tiers, and that left for them.
    public var movedIn: UInt64 = 0
    public var movedOut: UInt64 = 0
    /// Not a device of its kind but something that stands in for it.
    public var isEmulated = false
    /// Bytes that are newer here than in the tier below.
    public var dirtyBytes: UInt64 = 0

    public init(_ tier: Tier) { self.tier = tier }
}
