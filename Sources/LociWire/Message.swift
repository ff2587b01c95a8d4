public import LociBase
public import LociModel

/// What every message carries beside its body.
public struct Header: Equatable, Sendable {
    /// Chosen by the sender of a request; its answer repeats it.
    public var requestID: UInt64 = 0
    /// Time left for the answer when the message was sent; 0 means the default.
    public var deadlineMicroseconds: UInt64 = 0
    /// Incarnation of the process that sends; 0 for clients.
    public var senderIncarnation: UInt64 = 0
    /// Incarnation of the process that the sender means to reach; 0 where it does not matter.
    public var receiverIncarnation: UInt64 = 0
    /// Number of a mutation, growing over the coordinator's whole life; 0 for everything else.
    public var sequence: UInt64 = 0
    /// No mutation with a lower sequence is in flight any more: late ones are dropped.
    public var fence: UInt64 = 0

    public init(requestID: UInt64 = 0, deadlineMicroseconds: UInt64 = 0) {
        self.requestID = requestID
        self.deadlineMicroseconds = deadlineMicroseconds
    }

    /// For an answer that says no more than which request it belongs to.
    public var answered: Header { Header(requestID: requestID) }
}

/// One message: an envelope (header and body) and bulk frames that travel beside it uncopied. What
/// each bulk frame holds is said at the body that it belongs to; numbers in it are little-endian.
public struct Message: Equatable, Sendable {
    public var header: Header
    public var body: Body
    public var bulk: [Bytes]

    public init(_ header: Header, _ body: Body, bulk: [Bytes] = []) {
        self.header = header
        self.body = body
        self.bulk = bulk
    }

    public var bulkBytes: Int { bulk.reduce(0) { $0 + $1.count } }
}

/// Everything that is said between client, coordinator and shard.
public enum Body: Equatable, Sendable {
    // Client to coordinator, and its answers.
    case createField(CreateField)
    case dropField(DropField)
    case createCollection(CreateCollection)
    case dropCollection(DropCollection)
    case describe
    case status
    case readCells(ReadCells)
    case writeCells(WriteCells)
    case upsert(Upsert)
    case query(Query)
    case retrieve(Retrieve)
    case scroll(Scroll)
    case count(Count)
    case deletePoints(DeletePoints)
    case residency(Residency)
    case scrub(Scrub)
    case createSnapshot(CreateSnapshot)
    case listSnapshots
    case placement
    case prefetchCells(PrefetchCells)
    case releaseCells(ReleaseCells)
    case ticket(Ticket)
    case complete(Complete)
    case collectionInfo(CollectionInfo)
    case storeTuning(StoreTuning)
    case createMemory(CreateMemory)
    case dropMemory(DropMemory)
    case writeMemory(WriteMemory)
    case readMemory(ReadMemory)

    case failure(LociError)
    case acknowledged(Acknowledged)
    case catalog(CatalogAnswer)
    case statusAnswer(StatusAnswer)
    case cells(CellsAnswer)
    case matches(MatchesAnswer)
    case points(PointsAnswer)
    case residencyAnswer(ResidencyAnswer)
    case scrubAnswer(ScrubAnswer)
    case snapshots(SnapshotsAnswer)
    case placementAnswer(PlacementAnswer)
    case ticketAnswer(TicketAnswer)
    case completionAnswer(CompletionAnswer)
    case collectionReport(CollectionReport)
    case memoryAnswer(MemoryAnswer)

    // Coordinator to shard, and its answers. Shards also take `scrub` and `ticket` and answer
    // `failure`, `acknowledged`, `cells`, `matches`, `points`, `residencyAnswer`, `scrubAnswer`,
    // `ticketAnswer` and `collectionReport`. Clients may ask them for `shardRead`, `shardPrefetch`,
    // `shardRelease` and `ticket`.
    case hello(Hello)
    case welcome(Welcome)
    case ping
    case pong(Pong)
    case install(Install)
    case shardRead(ShardRead)
    case shardWrite(ShardWrite)
    case claim(Claim)
    case claimed(Claimed)
    case settle(Settle)
    case put(Put)
    case remove(Remove)
    case plant(Plant)
    case askNews(AskNews)
    case news(News)
    case shardQuery(ShardQuery)
    case fetch(Fetch)
    case shardScroll(ShardScroll)
    case shardCount(ShardCount)
    case shardResidency(ShardResidency)
    case shardSnapshot(ShardSnapshot)
    case shardPrefetch(ShardPrefetch)
    case shardRelease(ShardRelease)
    case shardComplete(ShardComplete)
    case partialCompletion(PartialCompletion)
    case shardCollectionInfo(ShardCollectionInfo)
    case shardMemoryWrite(ShardMemoryWrite)
    case shardMemoryRead(ShardMemoryRead)
    case shardMemoryAnswer(ShardMemoryAnswer)

    // Between all of them; not answered, or by their own kind.
    case hint(Hint)
    case gossip(Gossip)
}
