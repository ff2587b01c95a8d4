public import LociBase
public import LociModel
public import LociPlacement
public import LociSearch
import LociText
public import LociWire

/// What happens to a coordinator.
public enum CoordinatorEvent: Sendable {
    case client(UInt64, Message)
    case shard(ShardIndex, Message)
    /// A message to a shard could not be sent: there is no connection, or too much waits in it.
    case undeliverable(ShardIndex, requestID: UInt64, LociError?)
    /// The metadata with this number is durable, or could not be written.
    case persisted(UInt64, LociError?)
    case learned(SpaceID, LocationLearning.Outcome)
    /// The folder of a snapshot is there (with the time of day in seconds since 1970), or cannot
    /// be: ALREADY_EXISTS if there is a complete snapshot of that name.
    case snapshotPrepared(SnapshotPlace, Result<UInt64, LociError>)
    /// The snapshot is complete and visible, or could not be made so.
    case snapshotPublished(SnapshotPlace, LociError?)
    case snapshotsListed(UInt64, Result<[SnapshotManifest], LociError>)
    /// To go on with what is unfinished, when others have had their turn.
    case woken
    /// Comes every 20 to 50 ms.
    case tick
}

/// What a coordinator wants done.
public enum CoordinatorDirective: Sendable {
    case reply(UInt64, Message)
    case send(ShardIndex, Message)
    /// Replace the metadata file; in order.
    case persist(UInt64, Bytes)
    /// Replace the saved rarity of words of a text collection.
    case saveRarity(SpaceID, Bytes)
    /// Work for a thread that may take its time.
    case learn(SpaceID, LocationLearning)
    /// Check that the name is free and make the snapshot's working folder.
    case prepareSnapshot(SnapshotPlace)
    /// Write the files and then the manifest into the working folder, durably, and give it the
    /// snapshot's name: in one step, at the very end.
    case publishSnapshot(SnapshotManifest, [SnapshotFile])
    /// Remove the working folder, if there is one.
    case discardSnapshot(SnapshotPlace)
    /// Read the manifests of complete snapshots.
    case listSnapshots(UInt64)
}

/// Everything a coordinator decides. A value: events in, directives out. It has no socket, file,
/// thread or clock; the stopwatch only fills receipts and no decision depends on it.
///
/// Invariants:
/// - An id is in at most one mutation at a time; others wait for it.
/// - Mutations are numbered upwards over the coordinator's whole life, restarts included.
/// - What is acknowledged is durable on every shard that has a part in it.
public struct CoordinatorNode: Sendable {
    let endpoints: [String]
    let tuning: SearchTuning
    let stopwatch: @Sendable () -> Instant
    var metadata: ClusterMetadata
    var sessions: [ShardSession]
    var collections: [SpaceID: CollectionState] = [:]
    var savedRarity: [SpaceID: Bytes]

    var fields = FieldIndex()
    var operations: [UInt64: Operation] = [:]
    var awaited: [UInt64: Awaited] = [:]
    var nextOperation: UInt64 = 0
    var nextRequest: UInt64
    var nextSequence: UInt64
    var sequencesInFlight: [UInt64] = []
    var locked: Set<LockKey> = []
    var waiting: [UInt64] = []
    /// Mutations that let readers finish before old copies go, and readers that have.
    var pausing: [UInt64] = []
    var endedReaders: [UInt64] = []
    /// Mutations whose points' partitions are being chosen, the next one first.
    var choosing: [UInt64] = []
    var definitionQueue: [UInt64] = []
    var persisting: Persisting?
    var nextPersist: UInt64 = 0
    /// Something else than the catalog has changed and is not persisted yet.
    var isMetadataUnsaved = false
    var raritySavedAt = Instant.zero
    /// The operation that makes a snapshot, and the snapshot's name.
    var snapshotting: UInt64?
    var activeSnapshot: String?
    /// New mutations wait for the point of a snapshot; those in `held`, and what was learned.
    var isHolding = false
    var held: [UInt64] = []
    var heldBytes = 0
    var heldLearning: [(SpaceID, LocationLearning.Outcome)] = []

    /// Nil if it gives none.
    var hints: CrossShardHints?
    /// Nil if it takes no part in gossip.
    var gossip: ClusterGossip?

    var now = Instant.zero
    private var eventStarted = Instant.zero

    struct Awaited: Sendable {
        let operation: UInt64
        let shard: ShardIndex
        let part: Int
    }

    struct LockKey: Hashable, Sendable {
        let space: SpaceID
        let id: PointID
    }

    /// - Parameters:
    ///   - metadata: As read from its file, with an incarnation that is persisted already and was
    ///     never used before.
    ///   - endpoints: Of the shards, to be shown.
    ///   - rarity: Saved state of the encoders of text collections.
    ///   - givesHints: Whether to learn from reads what will be read next.
    ///   - gossip: Nil if it takes no part in gossip.
    public init(
        metadata: ClusterMetadata, endpoints: [String], rarity: [SpaceID: Bytes] = [:],
        tuning: SearchTuning = SearchTuning(), givesHints: Bool = true,
        gossip: GossipSettings? = nil, stopwatch: @escaping @Sendable () -> Instant
    ) {
        precondition(endpoints.count == metadata.map.shards)
        self.metadata = metadata
        self.endpoints = endpoints
        self.tuning = tuning
        self.stopwatch = stopwatch
        savedRarity = rarity
        hints =
            givesHints
            ? CrossShardHints(shards: endpoints.count, seed: mix64(metadata.clusterID)) : nil
        self.gossip = gossip.map {
            ClusterGossip(
                $0, node: ClusterGossip.coordinator, incarnation: metadata.incarnation,
                shards: endpoints.count)
        }
        sessions = endpoints.map { _ in ShardSession() }
        nextSequence = metadata.incarnation << 40
        nextRequest = metadata.incarnation << 40
        followCatalog()
    }

    public var incarnation: UInt64 { metadata.incarnation }

    /// Whether every shard is in touch and has the catalog.
    public var isWhole: Bool {
        sessions.allSatisfy {
            $0.isUp && $0.catalogVersion >= metadata.catalog.version
        }
    }

    /// Hard locations known, and the latest generation.
    public var locationState: (count: Int, generation: UInt32) {
        let states = collections.values
        return (
            states.reduce(0) { $0 + $1.locations.count },
            states.map(\.locations.latestGeneration).max() ?? 0
        )
    }

    /// What is still going on of its own accord; nil if the cluster rests.
    public var unrest: String? {
        if let down = sessions.firstIndex(where: { !$0.isUp }) { return "shard \(down) is down" }
        if let behind = sessions.firstIndex(where: {
            $0.catalogVersion < metadata.catalog.version
        }) {
            return "shard \(behind) has an old catalog"
        }
        if !sequencesInFlight.isEmpty { return "mutations are under way" }
        for space in collections.keys.sorted() {
            let state = collections[space]!
            if !state.isCurrent { return "collection \(space) awaits news" }
            if state.isMoving || state.learning == .busy { return "collection \(space) is moving" }
            if !state.isMended { return "collection \(space) is being mended" }
        }
        return nil
    }

    /// Whether there is something to go on with as soon as the node is woken.
    public var isUnfinished: Bool { !choosing.isEmpty }

    public mutating func handle(
        _ event: CoordinatorEvent, at now: Instant, into directives: inout [CoordinatorDirective]
    ) {
        self.now = now
        eventStarted = stopwatch()
        switch event {
        case .client(let peer, let message): receive(message, from: peer, into: &directives)
        case .shard(let shard, let message): heard(message, from: shard, into: &directives)
        case .undeliverable(let shard, let request, let error):
            guard let part = awaited.removeValue(forKey: request) else { return }
            partDone(part, .failure(error ?? unavailable(shard)), into: &directives)
        case .persisted(let number, let error): persisted(number, error, into: &directives)
        case .learned(let space, let outcome): plant(space, outcome, into: &directives)
        case .snapshotPrepared(let place, let result):
            snapshotPrepared(place, result, into: &directives)
        case .snapshotPublished(let place, let error):
            snapshotPublished(place, error, into: &directives)
        case .snapshotsListed(let number, let result):
            snapshotsListed(number, result, into: &directives)
        case .woken: goOnChoosing(into: &directives)
        case .tick: tick(into: &directives)
        }
        releasePausing(into: &directives)
        advanceSnapshot(into: &directives)
    }

    private mutating func receive(
        _ message: Message, from peer: UInt64, into directives: inout [CoordinatorDirective]
    ) {
        let client = Operation.Client(peer: peer, requestID: message.header.requestID)
        do throws(LociError) {
            try message.validated()
            guard operations.count - held.count < Limits.requestsInFlight else {
                throw LociError(
                    .resourceExhausted,
                    "The coordinator works on \(operations.count - held.count) requests already.",
                    advice: "Send fewer at once, or try again later.")
            }
            try start(message, client, into: &directives)
        } catch {
            reply(client, .failure(error), into: &directives)
        }
    }

    private mutating func start(
        _ message: Message, _ client: Operation.Client,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let asked = message.header.deadlineMicroseconds
        let allowed = min(
            asked == 0 ? Limits.defaultDeadlineMicroseconds : asked, Limits.deadlineMicroseconds)
        let deadline = now.advanced(microseconds: allowed)
        if isHolding, message.body.isMutation {
            return try hold(message.body, message.bulk, client, deadline)
        }
        try dispatch(message.body, message.bulk, client, deadline, into: &directives)
    }

    mutating func dispatch(
        _ body: Body, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        switch body {
        case .describe:
            reply(
                client, .catalog(CatalogAnswer(version: metadata.catalog.version)),
                bulk: [metadata.catalog.encoded], into: &directives)
        case .status: reply(client, .statusAnswer(status), into: &directives)
        case .createField, .dropField, .createCollection, .dropCollection, .createMemory,
            .dropMemory, .storeTuning:
            try define(body, client, deadline, into: &directives)
        case .readCells(let read):
            try self.read(read, bulk, client, deadline, into: &directives)
        case .writeCells(let write):
            try self.write(write, bulk, client, deadline, into: &directives)
        case .upsert(let upsert):
            try self.upsert(upsert, bulk, client, deadline, into: &directives)
        case .deletePoints(let deletion):
            try delete(deletion, bulk, client, deadline, into: &directives)
        case .query(let query):
            try self.query(query, bulk, client, deadline, into: &directives)
        case .retrieve(let retrieve):
            try self.retrieve(retrieve, bulk, client, deadline, into: &directives)
        case .scroll(let scroll):
            try self.scroll(scroll, client, deadline, into: &directives)
        case .count(let count): try self.count(count, client, deadline, into: &directives)
        case .writeMemory(let write):
            try self.write(write, bulk, client, deadline, into: &directives)
        case .readMemory(let read):
            try self.read(read, bulk, client, deadline, into: &directives)
        case .residency(let question):
            try residency(question, client, deadline, into: &directives)
        case .scrub(let scrub): self.scrub(scrub, client, deadline, into: &directives)
        case .createSnapshot(let create):
            try createSnapshot(create, client, deadline, into: &directives)
        case .listSnapshots: listSnapshots(client, deadline, into: &directives)
        case .placement: answerPlacement(client, into: &directives)
        case .prefetchCells(let prefetch):
            try self.prefetch(prefetch, bulk, client, deadline, into: &directives)
        case .releaseCells(let release):
            try self.release(release, bulk, client, deadline, into: &directives)
        case .ticket(let ticket): ask(ticket, client, deadline, into: &directives)
        case .complete(let complete):
            try self.complete(complete, bulk, client, deadline, into: &directives)
        case .collectionInfo(let info):
            try report(on: info, client, deadline, into: &directives)
        default:
            throw LociError(
                .invalidArgument, "A coordinator does not answer such a message.",
                advice: "Check that --coordinator names the right endpoint.")
        }
    }

    // MARK: Small parts that all requests share

    /// Nanoseconds that this event has taken so far.
    var elapsedNanoseconds: UInt64 {
        let now = stopwatch().nanoseconds
        return now > eventStarted.nanoseconds ? now - eventStarted.nanoseconds : 0
    }

    func reply(
        _ client: Operation.Client, _ body: Body, bulk: [Bytes] = [],
        into directives: inout [CoordinatorDirective]
    ) {
        var header = Header(requestID: client.requestID)
        header.senderIncarnation = incarnation
        directives.append(.reply(client.peer, Message(header, body, bulk: bulk)))
    }

    func field(named name: String) throws(LociError) -> FieldDefinition {
        if let field = metadata.catalog.field(named: name) { return field }
        throw unknownField(name)
    }

    func unknownField(_ name: String) -> LociError {
        LociError(
            .notFound, "There is no field '\(name)'.",
            advice: "`loci field list` shows those that exist; `loci field create` makes one.")
    }

    func collection(named name: String) throws(LociError) -> CollectionDefinition {
        if let collection = metadata.catalog.collection(named: name) { return collection }
        throw LociError(
            .notFound, "There is no collection '\(name)'.",
            advice: "`loci collection list` shows those that exist; "
                + "`loci collection create` makes one.")
    }

    func memory(named name: String) throws(LociError) -> MemoryDefinition {
        if let memory = metadata.catalog.memory(named: name) { return memory }
        throw LociError(
            .notFound, "There is no memory '\(name)'.",
            advice: "`loci memory list` shows those that exist; `loci memory create` makes one.")
    }

    private var status: StatusAnswer {
        StatusAnswer(
            clusterID: metadata.clusterID, incarnation: incarnation,
            partitions: UInt32(metadata.map.partitions),
            requestsInFlight: UInt32(operations.count),
            shards: sessions.enumerated().map { index, session in
                ShardStatus(
                    shard: ShardIndex(index), isUp: session.isUp,
                    incarnation: session.incarnation, endpoint: endpoints[index],
                    vitals: session.vitals)
            },
            collections: metadata.catalog.collections.compactMap { definition in
                guard let state = collections[definition.space] else { return nil }
                return CollectionStatus(
                    name: definition.name, locations: UInt32(state.locations.count),
                    generation: state.locations.latestGeneration,
                    isUnroutable: metadata.unroutable.contains(definition.space),
                    isMoving: state.isMoving, points: state.points)
            })
    }
}
