import LociBase
import LociModel
import LociSearch
import LociStorage
import LociTiering
import LociWire

@testable import LociCluster

/// A shard with one partition or more, its disk a dictionary: page-ins and commits are done when
/// the test says so, in the order that it likes.
struct ShardStage {
    var node: ShardNode
    let arena: PageArena
    var disk: [PageAddress: Bytes] = [:]
    /// Pages that lie in the hdd tier.
    var slow: Set<PageAddress> = []
    var loads: [PageRequest] = []
    /// Page-ins that were begun.
    var begun = 0
    var hastened: [PageAddress] = []
    var now = Instant.zero
    var commits: [(partition: PartitionIndex, records: [Bytes])] = []
    var answers: [UInt64: Message] = [:]
    var request: UInt64 = 0
    var sequence: UInt64 = 0
    var lsn: LSN = 1
    /// Page-ins ordered so far.
    var ordered = 0

    init(
        dram: MemoryTier, far: MemoryTier? = nil, tuning: SearchTuning = SearchTuning(),
        guesses: Bool = false, takesPrefetches: Bool = true, gossip: GossipSettings? = nil,
        partitions: Int = 1
    ) {
        arena = dram.arena
        let settings = ShardNode.Settings(
            clusterID: 9, shard: 0, incarnation: 1, partitions: partitions, shards: 1, dram: dram,
            far: far, guesses: guesses, takesPrefetches: takesPrefetches, checkpointLogBytes: .max,
            gossip: gossip)
        let recovered = (0..<PartitionIndex(partitions)).map {
            (
                PartitionState(partition: $0, partitions: partitions, tuning: tuning), LSN(1),
                UInt64(0)
            )
        }
        node = ShardNode(settings, recovered: recovered, stopwatch: { .zero })
        send(.hello(Hello(clusterID: 9, shard: 0, partitions: UInt32(partitions), shards: 1)))
    }

    mutating func install(_ catalog: Catalog) {
        send(.install(Install(version: catalog.version)), bulk: [catalog.encoded])
        while !commits.isEmpty { commit() }
    }

    /// Returns the request's number.
    @discardableResult mutating func send(
        _ body: Body, bulk: [Bytes] = [], isMutation: Bool = false, client: UInt64? = nil,
        incarnation: UInt64 = 1
    ) -> UInt64 {
        request += 1
        var header = Header(requestID: request)
        // A client that talks to the shard itself has none.
        header.senderIncarnation = client == nil ? 1 : 0
        header.receiverIncarnation = incarnation
        if isMutation { sequence += 1 }
        header.sequence = isMutation ? sequence : 0
        handle(.received(from: client ?? 1, Message(header, body, bulk: bulk)))
        return request
    }

    mutating func handle(_ event: ShardEvent) {
        var directives: [ShardDirective] = []
        node.handle(event, at: now, into: &directives)
        for directive in directives {
            switch directive {
            case .load(let requests):
                loads += requests
                ordered += requests.count
            case .hasten(let addresses): hastened += addresses
            case .commit(let partition, let records):
                commits.append((partition, records))
            case .write(let write):
                var page = disk[write.address] ?? Bytes(zeros: write.pageBytes)
                page.replace(at: write.offset, with: write.bytes)
                disk[write.address] = page
            case .send(_, let message):
                // As sent: the copy does not hold on to pages.
                var copy = message
                copy.bulk = message.bulk.map { $0.compact() }
                answers[message.header.requestID] = copy
            default: break
            }
        }
    }

    /// Makes the next group durable. Returns its records.
    @discardableResult mutating func commit() -> [LogRecord] {
        guard !commits.isEmpty else { return [] }
        let group = commits.removeFirst()
        lsn += UInt64(group.records.count)
        handle(.committed(group.partition, .success(lsn)))
        return group.records.compactMap { try? LogRecord(encoded: $0) }
    }

    /// Carries out one of the page-ins that were ordered.
    mutating func load(_ index: Int) {
        let request = loads.remove(at: index)
        if let notAfter = request.notAfter, notAfter < now, !hastened.contains(request.address) {
            return handle(.pageArrived(request.address, .success(.dropped)))
        }
        hastened.removeAll { $0 == request.address }
        begun += 1
        let isSlow = slow.contains(request.address)
        if isSlow, request.slowest < .hdd {
            return handle(.pageArrived(request.address, .success(.beyond(.hdd))))
        }
        let content = disk[request.address] ?? Bytes(zeros: request.pageBytes)
        handle(
            .pageArrived(
                request.address,
                .success(.loaded(arena.copy(content), from: isSlow ? .hdd : .ssd))))
    }

    /// As the drivers do after each batch of events.
    mutating func release() {
        if node.isWaitingForRoom { handle(.released) }
        if node.isUnfinished { handle(.woken) }
    }

    /// Lets time pass; the node is woken when it wants to be.
    mutating func pass(microseconds: UInt64) {
        let end = now.advanced(microseconds: microseconds)
        while let wake = node.nextWake, wake <= end {
            now = max(now, wake)
            handle(.woken)
        }
        now = end
    }

    /// Carries out page-ins until there are none.
    mutating func loadAll() {
        while true {
            release()
            if loads.isEmpty { return }
            load(0)
        }
    }
}
