import LociBase
import LociModel
import LociWire

/// A request on its way through a `RequestRouter`.
struct RoutedRequest: Sendable {
    let id: UInt64
    let body: Body
    let bulk: [Bytes]
    /// Time that the request has as a whole.
    let deadline: Duration
    let expiry: ContinuousClock.Instant
    /// The message for the coordinator; made beforehand where it is sure to be needed.
    private var encoded: [Bytes]?

    /// - Throws: RESOURCE_EXHAUSTED when it is too large.
    init(
        id: UInt64, _ body: Body, bulk: [Bytes], deadline: Duration, routing: Routing
    ) throws(LociError) {
        self.id = id
        self.body = body
        self.bulk = bulk
        self.deadline = deadline
        expiry = ContinuousClock.now + deadline
        encoded = nil
        if routing == .coordinator || cells == nil { encoded = try encode(deadline) }
    }

    /// What is sent to the coordinator: with the time that is left.
    func frames() throws(LociError) -> [Bytes] {
        if let encoded { return encoded }
        return try encode(max(.zero, expiry - ContinuousClock.now))
    }

    private func encode(_ time: Duration) throws(LociError) -> [Bytes] {
        let header = Header(requestID: id, deadlineMicroseconds: time.wireMicroseconds)
        return try Message(header, body, bulk: bulk).encoded()
    }

    /// Whether shards may be asked, too.
    var isForShards: Bool { encoded == nil }

    /// The cells that shards can be asked for directly; nil for what only the coordinator can do.
    var cells: NamedCells? {
        switch body {
        case .readCells(let read):
            NamedCells(
                field: read.field, identity: read.identity, first: read.first, count: read.count,
                scattered: read.isScattered ? bulk.first : nil)
        case .prefetchCells(let prefetch):
            NamedCells(
                field: prefetch.field, identity: prefetch.identity, first: prefetch.first,
                count: prefetch.count, scattered: prefetch.isScattered ? bulk.first : nil)
        case .releaseCells(let release):
            NamedCells(
                field: release.field, identity: release.identity, first: release.first,
                count: release.count, scattered: release.isScattered ? bulk.first : nil)
        default: nil
        }
    }

    /// What a shard is asked, beside its cells.
    func shardBody(of field: PlacedField, client: UInt64) -> Body? {
        let space = field.definition.space
        switch body {
        case .readCells(let read):
            return .shardRead(
                ShardRead(
                    space: space, maxTier: read.maxTier, identity: field.identity,
                    withTiers: read.withTiers, session: client))
        case .prefetchCells(let prefetch):
            return .shardPrefetch(
                ShardPrefetch(
                    space: space, identity: field.identity, ticket: prefetch.ticket,
                    client: client, lifetimeMicroseconds: prefetch.lifetimeMicroseconds,
                    neededInMicroseconds: prefetch.neededInMicroseconds))
        case .releaseCells(let release):
            return .shardRelease(
                ShardRelease(
                    space: space, identity: field.identity,
                    neededInMicroseconds: release.neededInMicroseconds))
        default: return nil
        }
    }
}

/// The cells that a request names, of whichever kind it is.
struct NamedCells {
    let field: String
    let identity: UInt64
    let first: CellIndex
    let count: UInt64
    let scattered: Bytes?

    /// Nil when they are not all cells of the field, or too many: the coordinator says what is
    /// wrong then.
    func list(of field: FieldDefinition) -> [CellIndex]? {
        guard count > 0, count <= UInt64(Limits.cellsPerRequest) else { return nil }
        if let scattered {
            let cells = scattered.values(CellIndex.self)
            let end = field.cellCount
            guard cells.count == Int(count), cells.allSatisfy({ $0 < end }) else { return nil }
            return cells
        }
        guard first < field.cellCount, count <= field.cellCount - first else { return nil }
        return Array(first..<(first + count))
    }
}

/// What came back for a request.
enum Reply: Sendable {
    case message(Message)
    /// Cells from several shards, not yet put together.
    case cells(Header, GatheredCells)

    /// - Throws: What was answered as a failure.
    func message() throws(LociError) -> Message {
        switch self {
        case .message(let message):
            if case .failure(let error) = message.body { throw error }
            return message
        case .cells(let header, let cells): return cells.message(header)
        }
    }

    /// - Throws: What was answered as a failure; INTERNAL when it is no cells.
    func cells() throws(LociError) -> GatheredCells {
        switch self {
        case .message: try GatheredCells(try message())
        case .cells(_, let cells): cells
        }
    }
}
