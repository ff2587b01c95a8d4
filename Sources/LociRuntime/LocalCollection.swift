public import LociBase
import LociCluster
public import LociModel
import LociPlacement
public import LociSearch
import LociStorage
import LociTiering
public import LociWire

/// A collection of one partition in this very process, without a cluster: for programs that embed
/// the search, and for measuring it. One thread at a time may use it.
///
/// It is a shard's own code, with its page table, log and segments; only the messages stay in the
/// process, and a page that is not in memory is waited for. What was upserted is durable when the
/// call returns.
public final class LocalCollection {
    public let definition: CollectionDefinition
    private let store: SliceStore
    private let arena: PageArena
    private let reads: ParallelReads
    private var node: ShardNode
    private var events: [ShardEvent] = []
    private var answers: [Message] = []
    private var failure: LociError?
    private var sequence: UInt64 = 0
    private var request: UInt64 = 0

    /// Opens a collection, or makes it if the folder is empty. The shape must be the same every
    /// time.
    /// - Parameters:
    ///   - dramBytes: Budget of the pages in memory.
    ///   - ioThreads: Page-ins of one call that are under way at once.
    /// - Throws: FAILED_PRECONDITION if it holds another shape, or what opening the folder meets.
    public init(
        folder: String, dimension: Int, metric: Metric, options: CollectionOptions = .init(),
        dramBytes: Int, ioThreads: Int = 16, tuning: SearchTuning = .init()
    ) throws(LociError) {
        let identity = SliceIdentity(clusterID: 0x10CA2, shard: 0)
        let map = PartitionMap(partitions: 1, shards: 1)
        do throws(StorageError) {
            store = try SliceStore.open(
                folder: folder, fileSystem: LinuxFileSystem(pageIn: .direct), identity: identity,
                partitions: [0])
        } catch {
            throw error.sentence
        }
        let dram = MemoryTier.dram(budgetBytes: dramBytes, eviction: .standard)
        arena = dram.arena
        reads = ParallelReads(threads: ioThreads, label: "loci.local-collection")
        let settings = ShardNode.Settings(
            clusterID: identity.clusterID, shard: 0, incarnation: store.incarnation,
            partitions: 1, shards: 1, dram: dram, guesses: false,
            checkpointLogBytes: 256 << 20)
        let recovered = try ShardRecovery.recover(store, shard: 0, map: map, tuning: tuning)
        node = ShardNode(settings, recovered: recovered, stopwatch: Clock.now)
        var catalog = Catalog()
        definition = try catalog.createCollection(
            name: "local", dimension: dimension, metric: metric, isText: false, options: options)
        _ = try ask(
            .hello(
                Hello(clusterID: identity.clusterID, shard: 0, partitions: 1, shards: 1)))
        _ = try ask(.install(Install(version: catalog.version)), bulk: [catalog.encoded])
        guard let stored = node.collection(definition.space), stored.definition == definition
        else {
            throw LociError(
                .failedPrecondition, "'\(folder)' holds a collection of another shape.",
                advice: "Open it as it was made, or name another folder.")
        }
        // Versions only count if they are higher than those that are stored.
        sequence = stored.newestVersion
    }

    /// Stores points, in the place of older ones with the same ids. Vectors are rows one behind
    /// the other; for `cosine` they must have length 1.
    public func upsert(_ ids: [PointID], vectors: Bytes, payloads: [Bytes]) throws(LociError) {
        let list = PayloadList(payloads)
        sequence += 1
        _ = try ask(
            .put(Put(space: definition.space, partition: 0, generation: 0)),
            bulk: [
                Bytes(values: ids), Bytes(values: ids.map { _ in UInt8(1) }), vectors,
                list.lengths, list.blob,
            ], sequence: sequence)
    }

    public func delete(_ ids: [PointID]) throws(LociError) {
        sequence += 1
        _ = try ask(
            .remove(Remove(space: definition.space, partition: 0)), bulk: [Bytes(values: ids)],
            sequence: sequence)
    }

    /// The k nearest points among those whose hard locations the query activates.
    /// - Parameters:
    ///   - probes: Hard locations at most.
    ///   - radius: They lie within this factor of the nearest one's squared distance.
    ///   - bound: Standard deviations of a code's error within which a distance is believed to
    ///     lie; 0 for the standard.
    /// - Throws: INVALID_ARGUMENT, or what reading meets.
    public func query(
        _ vector: [Float], k: Int, probes: Int, radius: Float = .infinity, bound: Float = 0,
        filter: String = "", isExact: Bool = false
    ) throws(LociError) -> (matches: [Match], receipt: Receipt) {
        guard vector.count == definition.dimension, (1...Limits.neighbours).contains(k), probes > 0
        else {
            throw LociError(
                .invalidArgument,
                "A query has \(definition.dimension) elements, 1 to \(Limits.neighbours) "
                    + "neighbours and at least one hard location.")
        }
        let keys =
            isExact
            ? [LocationKey(partition: 0, location: ShardQuery.everyLocation)]
            : node.address(
                of: vector, definition.space, most: probes, epsilon: radius - 1)
        var query = ShardQuery(
            space: definition.space, k: UInt32(k), withPayload: false, withVector: false)
        query.filter = filter
        if !filter.isEmpty {
            query.selectiveShare = node.selectiveShare(
                definition.space, k: k, locations: keys.count)
        }
        query.bound = bound
        let answer = try ask(
            .shardQuery(query),
            bulk: [
                Bytes(values: vector), Bytes(values: keys.flatMap { [$0.partition, $0.location] }),
            ])
        guard case .matches(let found) = answer.body else { throw Self.unexpected }
        let ids = answer.bulk[0].values(PointID.self)
        let versions = answer.bulk[1].values(UInt64.self)
        let scores = answer.bulk[2].values(Float.self)
        let matches = ids.indices.map {
            Match(id: ids[$0], version: versions[$0], score: scores[$0])
        }
        return (matches, found.receipt)
    }

    /// What it is made of.
    public func report() throws(LociError) -> CollectionReport {
        let answer = try ask(.shardCollectionInfo(ShardCollectionInfo(space: definition.space)))
        guard case .collectionReport(let report) = answer.body else { throw Self.unexpected }
        return report
    }

    private static let unexpected = LociError(.internal, "A shard answered something else.")

    // MARK: Driving the node

    private func ask(
        _ body: Body, bulk: [Bytes] = [], sequence: UInt64 = 0
    ) throws(LociError) -> Message {
        request += 1
        var header = Header(requestID: request)
        header.senderIncarnation = store.incarnation
        header.receiverIncarnation = store.incarnation
        header.sequence = sequence
        header.fence = sequence
        header.deadlineMicroseconds = 3_600_000_000
        let message = Message(header, body, bulk: bulk)
        try message.validated()
        events.append(.received(from: 0, message))
        try drain()
        guard let answer = answers.last else { throw Self.unexpected }
        answers = []
        if case .failure(let error) = answer.body { throw error }
        return answer
    }

    /// Until nothing is under way any more: upkeep of postings is done before a call returns.
    private func drain() throws(LociError) {
        var next = 0
        while next < events.count {
            let event = events[next]
            next += 1
            if next == events.count {
                events.removeAll(keepingCapacity: true)
                next = 0
            }
            var directives: [ShardDirective] = []
            node.handle(event, at: Clock.now(), into: &directives)
            for directive in directives { perform(directive) }
            if next == events.count, node.isWaitingForRoom { events.append(.released) }
            if next == events.count, node.isUnfinished { events.append(.woken) }
        }
        if let failure { throw failure }
    }

    private func perform(_ directive: ShardDirective) {
        do throws(StorageError) {
            switch directive {
            case .send(_, let message): answers.append(message)
            case .load(let requests):
                for (request, answer) in zip(
                    requests, reads.read(requests, from: store, into: arena))
                {
                    events.append(.pageArrived(request.address, answer.arrival))
                }
            case .write(let write):
                try store.write(
                    write.bytes, at: write.offset, of: write.address, pageBytes: write.pageBytes)
                if store.writeBufferBytes > store.writeBufferLimit { try store.flush(0) }
            case .commit(let partition, let records):
                let end = Result { () throws(StorageError) in
                    try store.append(records, to: partition)
                }
                events.append(.committed(partition, end.mapError(\.sentence)))
            case .checkpoint(let partition, let lsn, let state):
                let bytes = try store.checkpoint(partition, at: lsn, snapshot: state.snapshot)
                events.append(.checkpointed(partition, .success(bytes)))
            case .drop(let partition, let space): store.drop(space: space, partition: partition)
            case .stop(let error): failure = error
            case .tell, .hasten, .survey, .scrub, .snapshot: break
            }
        } catch {
            failure = error.sentence
        }
    }
}
