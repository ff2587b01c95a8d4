public import LociBase
public import LociModel

// Being told what will be read, where clients find shards, and what processes gossip about.

/// Cells that will be read. Answer: `ticketAnswer`.
///
/// Bulk: nothing for a range, `[cells: UInt64 each]` if scattered.
public struct PrefetchCells: Equatable, Sendable {
    public var field: String
    public var first: CellIndex
    public var count: UInt64
    public var isScattered: Bool
    /// Of the field that is meant; 0 means whichever has the name.
    public var identity: UInt64
    /// Chosen by the client, at random; not 0.
    public var ticket: UInt64
    /// What has not begun by then is dropped; 0 means the default.
    public var lifetimeMicroseconds: UInt64
    /// The cells will be read so long from now: they need not be there earlier. 0: at once.
    public var neededInMicroseconds: UInt64

    public init(
        field: String, first: CellIndex = 0, count: UInt64, isScattered: Bool = false,
        identity: UInt64 = 0, ticket: UInt64, lifetimeMicroseconds: UInt64 = 0,
        neededInMicroseconds: UInt64 = 0
    ) {
        self.field = field
        self.first = first
        self.count = count
        self.isScattered = isScattered
        self.identity = identity
        self.ticket = ticket
        self.lifetimeMicroseconds = lifetimeMicroseconds
        self.neededInMicroseconds = neededInMicroseconds
    }
}

/// Cells that were read for the last time, for now. Answer: `acknowledged`.
///
/// Bulk: nothing for a range, `[cells: UInt64 each]` if scattered.
public struct ReleaseCells: Equatable, Sendable {
    public var field: String
    public var first: CellIndex
    public var count: UInt64
    public var isScattered: Bool
    public var identity: UInt64
    /// The cells will be read again so long from now; 0: nobody knows.
    public var neededInMicroseconds: UInt64

    public init(
        field: String, first: CellIndex = 0, count: UInt64, isScattered: Bool = false,
        identity: UInt64 = 0, neededInMicroseconds: UInt64 = 0
    ) {
        self.field = field
        self.first = first
        self.count = count
        self.isScattered = isScattered
        self.identity = identity
        self.neededInMicroseconds = neededInMicroseconds
    }
}

/// Asks how a prefetch stands, or gives it up. To coordinators and shards alike. Answer:
/// `ticketAnswer`, with no pages for a ticket that is not known (any more); coordinators answer
/// NOT_FOUND if no shard knows it.
public struct Ticket: Equatable, Sendable {
    public var ticket: UInt64
    public var isCancelled: Bool

    public init(ticket: UInt64, isCancelled: Bool = false) {
        self.ticket = ticket
        self.isCancelled = isCancelled
    }
}

/// How a prefetch stands. Every page counts in one of `resident` to `failed`; they add up to
/// `pages`.
public struct TicketAnswer: Equatable, Sendable {
    public var ticket: UInt64
    /// Different pages that the cells lie in.
    public var pages: UInt64 = 0
    /// Were in memory already.
    public var resident: UInt64 = 0
    /// Their fetch has not begun.
    public var waiting: UInt64 = 0
    public var loading: UInt64 = 0
    /// Were fetched since, for this or for somebody else.
    public var arrived: UInt64 = 0
    /// Their time was up before their fetch began.
    public var expired: UInt64 = 0
    public var cancelled: UInt64 = 0
    /// Could not be fetched, or found no room.
    public var failed: UInt64 = 0
    public var receipt = Receipt()

    public init(ticket: UInt64) { self.ticket = ticket }

    /// Whether nothing more will happen.
    public var isDone: Bool { waiting == 0 && loading == 0 }

    /// Adds what another shard says of the same ticket; receipts are the caller's.
    public mutating func add(_ other: TicketAnswer) {
        pages += other.pages
        resident += other.resident
        waiting += other.waiting
        loading += other.loading
        arrived += other.arrived
        expired += other.expired
        cancelled += other.cancelled
        failed += other.failed
    }
}

/// `PrefetchCells` for cells that live on the shard; also from clients. Answer: `ticketAnswer`.
///
/// Bulk: `[cells: UInt64 each]`.
public struct ShardPrefetch: Equatable, Sendable {
    public var space: SpaceID
    public var identity: UInt64
    public var ticket: UInt64
    /// Who wants it: prefetches of different clients take turns.
    public var client: UInt64
    public var lifetimeMicroseconds: UInt64
    public var neededInMicroseconds: UInt64

    public init(
        space: SpaceID, identity: UInt64 = 0, ticket: UInt64, client: UInt64 = 0,
        lifetimeMicroseconds: UInt64 = 0, neededInMicroseconds: UInt64 = 0
    ) {
        self.space = space
        self.identity = identity
        self.ticket = ticket
        self.client = client
        self.lifetimeMicroseconds = lifetimeMicroseconds
        self.neededInMicroseconds = neededInMicroseconds
    }
}

/// `ReleaseCells` for cells that live on the shard; also from clients. Answer: `acknowledged`.
///
/// Bulk: `[cells: UInt64 each]`.
public struct ShardRelease: Equatable, Sendable {
    public var space: SpaceID
    public var identity: UInt64
    public var neededInMicroseconds: UInt64

    public init(space: SpaceID, identity: UInt64 = 0, neededInMicroseconds: UInt64 = 0) {
        self.space = space
        self.identity = identity
        self.neededInMicroseconds = neededInMicroseconds
    }
}

/// Where the shards are, so that a client can ask them itself. Answers `placement`.
///
/// Bulk: `[catalog]`.
public struct PlacementAnswer: Equatable, Sendable {
    public var clusterID: UInt64
    public var partitions: UInt32
    public var shards: [ShardPlace]

    public init(clusterID: UInt64, partitions: UInt32, shards: [ShardPlace]) {
        self.clusterID = clusterID
        self.partitions = partitions
        self.shards = shards
    }
}

public struct ShardPlace: Equatable, Sendable {
    public var endpoint: String
    /// 0 while the coordinator is not in touch with it.
    public var incarnation: UInt64

    public init(endpoint: String, incarnation: UInt64) {
        self.endpoint = endpoint
        self.incarnation = incarnation
    }
}

/// Advice that pages will be needed. Not answered.
///
/// Bulk: `[hints]` as `PageHint.encoded`.
public struct Hint: Equatable, Sendable {
    public var timeToLiveMicroseconds: UInt64

    public init(timeToLiveMicroseconds: UInt64) {
        self.timeToLiveMicroseconds = timeToLiveMicroseconds
    }
}

/// One message of the anti-entropy between shards and coordinators; answers are messages of the
/// same kind.
///
/// Bulk: `[content]`, as the gossip itself encodes it.
public struct Gossip: Equatable, Sendable {
    /// 0 is the coordinator, 1 is shard 0.
    public var node: UInt64

    public init(node: UInt64) { self.node = node }
}
