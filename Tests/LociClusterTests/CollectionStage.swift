import LociBase
import LociModel
import LociSearch
import LociStorage
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// A shard with one collection, whose pages and commits come at once: for tests of what is found,
/// not of when.
struct CollectionStage {
    static let space: SpaceID = 1
    /// After one request; upkeep that is not at its end by then has none.
    private static let mostEvents = 20_000

    struct Answer {
        var ids: [PointID] = []
        var scores: [Float] = []
        var receipt = Receipt()
        var passed: UInt64 = 0
        var wholePartitions: [PartitionIndex] = []
    }

    var node: ShardNode
    let arena: PageArena
    let dimension: Int
    let partitions: Int
    private var disk: [PageAddress: Bytes] = [:]
    private var events: [ShardEvent] = []
    private var answers: [UInt64: Message] = [:]
    private var request: UInt64 = 0
    private var sequence: UInt64 = 0
    private var lsn: LSN = 1

    init(
        dimension: Int, metric: Metric = .l2, options: CollectionOptions = .init(),
        tuning: SearchTuning = .init(), partitions: Int = 1, budgetBytes: Int = 64 << 20
    ) throws {
        let dram = MemoryTier.dram(budgetBytes: budgetBytes)
        arena = dram.arena
        self.dimension = dimension
        self.partitions = partitions
        let settings = ShardNode.Settings(
            clusterID: 9, shard: 0, incarnation: 1, partitions: partitions, shards: 1, dram: dram,
            checkpointLogBytes: .max)
        let recovered = (0..<PartitionIndex(partitions)).map {
            (
                PartitionState(partition: $0, partitions: partitions, tuning: tuning), LSN(1),
                UInt64(0)
            )
        }
        node = ShardNode(settings, recovered: recovered, stopwatch: { .zero })
        var catalog = Catalog()
        _ = try catalog.createCollection(
            name: "points", dimension: dimension, metric: metric, isText: false, options: options)
        _ = send(.hello(Hello(clusterID: 9, shard: 0, partitions: UInt32(partitions), shards: 1)))
        _ = send(.install(Install(version: catalog.version)), bulk: [catalog.encoded])
    }

    func slice(_ partition: PartitionIndex = 0) -> CollectionSlice {
        node.workers[partition]!.state.slices[Self.space]!
    }

    var slices: [CollectionSlice] { (0..<PartitionIndex(partitions)).map { slice($0) } }

    // MARK: Requests

    mutating func plant(_ centroids: [Float], generation: UInt32, on partition: PartitionIndex = 0)
    {
        _ = send(
            .plant(Plant(space: Self.space, partition: partition, generation: generation)),
            bulk: [Bytes(values: centroids)], isMutation: true)
    }

    mutating func put(
        _ ids: [PointID], _ vectors: [[Float]], payloads: [Bytes]? = nil, generation: UInt32 = 0,
        on partition: PartitionIndex = 0
    ) {
        let list = PayloadList(payloads ?? ids.map { _ in Bytes() })
        let answer = send(
            .put(Put(space: Self.space, partition: partition, generation: generation)),
            bulk: [
                Bytes(values: ids), Bytes([UInt8](repeating: 1, count: ids.count)),
                Bytes(values: vectors.flatMap(\.self)), list.lengths, list.blob,
            ], isMutation: true)
        guard case .acknowledged(let done)? = answer?.body, done.count == ids.count else {
            Issue.record("put: \(String(describing: answer?.body))")
            return
        }
    }

    mutating func remove(_ ids: [PointID], on partition: PartitionIndex = 0) {
        let answer = send(
            .remove(Remove(space: Self.space, partition: partition)), bulk: [Bytes(values: ids)],
            isMutation: true)
        guard case .acknowledged(let done)? = answer?.body, done.count == ids.count else {
            Issue.record("remove: \(String(describing: answer?.body))")
            return
        }
    }

    /// - Parameter locations: What is looked at in each partition.
    mutating func query(
        _ vector: [Float], k: Int, locations: [LocationID] = [ShardQuery.ownChoice],
        filter: String = "", bound: Float = 0, selectiveShare: Float = 0,
        on some: [PartitionIndex]? = nil
    ) -> Answer {
        let message = send(
            .shardQuery(
                ShardQuery(
                    space: Self.space, k: UInt32(k), withPayload: false, withVector: false,
                    filter: filter, bound: bound, selectiveShare: selectiveShare)),
            bulk: [Bytes(values: vector), wanted(locations, some)])
        guard let message, case .matches(let matches) = message.body, !matches.isDegraded else {
            Issue.record("query: \(String(describing: message?.body))")
            return Answer()
        }
        return Answer(
            ids: message.bulk[0].values(), scores: message.bulk[2].values(),
            receipt: matches.receipt, passed: matches.passed,
            wholePartitions: matches.wholePartitions)
    }

    mutating func complete(
        _ state: [Float], beta: Float, locations: [LocationID] = [ShardQuery.everyLocation],
        on some: [PartitionIndex]? = nil
    ) -> SoftmaxPartial? {
        let message = send(
            .shardComplete(ShardComplete(space: Self.space, beta: beta)),
            bulk: [Bytes(values: state), wanted(locations, some)])
        guard let message, case .partialCompletion(let answer) = message.body else {
            Issue.record("complete: \(String(describing: message?.body))")
            return nil
        }
        return SoftmaxPartial(answer, beta: beta, sums: message.bulk[0])
    }

    private func wanted(_ locations: [LocationID], _ some: [PartitionIndex]?) -> Bytes {
        let all = some ?? (0..<PartitionIndex(partitions)).map(\.self)
        return Bytes(values: all.flatMap { part in locations.flatMap { [UInt32(part), $0] } })
    }

    // MARK: Driving

    private mutating func send(
        _ body: Body, bulk: [Bytes] = [], isMutation: Bool = false
    ) -> Message? {
        request += 1
        var header = Header(requestID: request)
        header.senderIncarnation = 1
        header.receiverIncarnation = 1
        if isMutation { sequence += 1 }
        header.sequence = isMutation ? sequence : 0
        header.fence = sequence > 8 ? sequence - 8 : 0
        handle(.received(from: 1, Message(header, body, bulk: bulk)))
        for _ in 0..<Self.mostEvents {
            if !events.isEmpty {
                handle(events.removeFirst())
            } else if node.isWaitingForRoom {
                handle(.released)
            } else if node.isUnfinished {
                handle(.woken)
            } else {
                return answers.removeValue(forKey: request)
            }
        }
        Issue.record("The shard does not come to rest.")
        events = []
        return answers.removeValue(forKey: request)
    }

    private mutating func handle(_ event: ShardEvent) {
        var directives: [ShardDirective] = []
        node.handle(event, at: .zero, into: &directives)
        for directive in directives {
            switch directive {
            case .load(let requests):
                for request in requests {
                    let content = disk[request.address] ?? Bytes(zeros: request.pageBytes)
                    events.append(
                        .pageArrived(
                            request.address, .success(.loaded(arena.copy(content), from: .ssd))))
                }
            case .commit(let partition, let records):
                lsn += UInt64(records.count)
                events.append(.committed(partition, .success(lsn)))
            case .write(let write):
                var page =
                    disk.removeValue(forKey: write.address) ?? Bytes(zeros: write.pageBytes)
                page.replace(at: write.offset, with: write.bytes)
                disk[write.address] = page
            case .send(_, let message):
                var copy = message
                copy.bulk = message.bulk.map { $0.compact() }
                answers[message.header.requestID] = copy
            default: break
            }
        }
    }
}
