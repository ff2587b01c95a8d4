import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire
import Testing

@testable import LociCluster

/// A coordinator with shards that do only what a test says, in time that a test moves.
struct CoordinatorStage {
    var node: CoordinatorNode
    var now: Instant
    private var nextRequest: UInt64 = 0

    init(
        shards: Int = 2, incarnation: UInt64 = 1, gossip: GossipSettings? = nil,
        now: Instant = Instant(nanoseconds: 1_000_000_000)
    ) {
        self.now = now
        let metadata = ClusterMetadata(
            clusterID: 5, map: PartitionMap(partitions: 2 * shards, shards: shards))
        var first = metadata
        first.incarnation = incarnation
        node = CoordinatorNode(
            metadata: first, endpoints: (0..<shards).map { "shard-\($0)" },
            gossip: gossip, stopwatch: { Instant.zero })
        handle(.tick)
        for shard in 0..<ShardIndex(shards) {
            handle(.shard(shard, answer(0, .welcome(Welcome(catalogVersion: 0)))))
        }
    }

    @discardableResult
    mutating func handle(_ event: CoordinatorEvent) -> [CoordinatorDirective] {
        var directives: [CoordinatorDirective] = []
        node.handle(event, at: now, into: &directives)
        return directives
    }

    /// A client's request.
    mutating func ask(
        _ body: Body, bulk: [Bytes] = [], deadlineMilliseconds: UInt64 = 5000,
        client: UInt64 = 1
    ) -> [CoordinatorDirective] {
        nextRequest += 1
        let header = Header(
            requestID: nextRequest, deadlineMicroseconds: deadlineMilliseconds * 1000)
        return handle(.client(client, Message(header, body, bulk: bulk)))
    }

    func answer(_ request: UInt64, _ body: Body, bulk: [Bytes] = []) -> Message {
        var header = Header(requestID: request)
        header.senderIncarnation = 1
        return Message(header, body, bulk: bulk)
    }

    /// A shard answers a message that was sent to it.
    mutating func reply(
        _ sent: Sent, _ body: Body, bulk: [Bytes] = []
    ) -> [CoordinatorDirective] {
        handle(.shard(sent.shard, answer(sent.message.header.requestID, body, bulk: bulk)))
    }

    /// Carries a definition out, with all shards.
    mutating func define(_ change: Body) {
        var directives = ask(change)
        directives = handle(.persisted(directives.persists.first!.number, nil))
        for sent in directives.sent {
            _ = reply(sent, .acknowledged(Acknowledged(count: 1)))
        }
    }
}

extension CoordinatorStage {
    /// One that knows 600 hard locations at 0, 1, 2 ... on two partitions in turn, and 6,000
    /// points.
    static func withLocations() -> CoordinatorStage {
        var stage = CoordinatorStage()
        stage.define(
            .createCollection(CreateCollection(name: "points", dimension: 1, metric: .l2)))
        let space = stage.node.metadata.catalog.collections[0].space
        for number in 0..<600 {
            stage.node.collections[space]!.locations.insert(
                LocationKey(
                    partition: PartitionIndex(number % 2), location: LocationID(number / 2)),
                generation: 1, centroid: [Float(number)])
        }
        for partition in stage.node.collections[space]!.following.indices {
            stage.node.collections[space]!.following[partition].isHeard = true
            stage.node.collections[space]!.following[partition].points = partition < 2 ? 3000 : 0
        }
        stage.node.collections[space]!.learning = .resting(points: 6000)
        stage.node.collections[space]!.placement = 1
        return stage
    }

    /// Asks for two neighbours of the point at 100.
    mutating func query(_ change: (inout Query) -> Void = { _ in }) -> [CoordinatorDirective] {
        var query = Query(collection: "points", k: 2)
        change(&query)
        return ask(.query(query), bulk: [Bytes(values: [Float(100)])])
    }
}

struct Sent {
    let shard: ShardIndex
    let message: Message
}

extension [CoordinatorDirective] {
    var replies: [Message] {
        compactMap { if case .reply(_, let message) = $0 { message } else { nil } }
    }

    var persists: [(number: UInt64, bytes: Bytes)] {
        compactMap { if case .persist(let number, let bytes) = $0 { (number, bytes) } else { nil } }
    }

    /// Without pings and hellos.
    var sent: [Sent] {
        compactMap { directive in
            guard case .send(let shard, let message) = directive else { return nil }
            switch message.body {
            case .ping, .hello: return nil
            default: return Sent(shard: shard, message: message)
            }
        }
    }

    /// The hard locations that queries ask for.
    var locations: [LocationID] { locationKeys.map(\.location) }

    var partitions: Set<PartitionIndex> { Set(locationKeys.map(\.partition)) }

    private var locationKeys: [LocationKey] {
        sent.flatMap { sent in
            let pairs = sent.message.bulk[1].values(UInt32.self)
            return stride(from: 0, to: pairs.count, by: 2).map {
                LocationKey(partition: pairs[$0], location: pairs[$0 + 1])
            }
        }
    }

    var failure: LociError? {
        for reply in replies {
            if case .failure(let error) = reply.body { return error }
        }
        return nil
    }
}
