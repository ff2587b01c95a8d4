import Dispatch
import LociBase
import LociCluster
public import LociModel
import LociPlacement
import LociSearch
import LociStorage
import LociTransport
import LociWire
import Logging

/// A coordinator at work: one thread owns the sockets and the node, sleeps, decides; a queue beside
/// it writes metadata, another learns.
public enum CoordinatorProcess {
    /// Serves until a SIGTERM or SIGINT.
    /// - Throws: What keeps the coordinator from starting, with advice.
    public static func run(_ configuration: ClusterConfiguration) throws(LociError) {
        try inSentences {
            let driver = try CoordinatorDriver(configuration)
            try driver.serve()
        }
    }
}

private final class CoordinatorDriver {
    private let logger: Logger
    private let context: TransportContext
    private let router: RouterSocket
    private let dealers: [DealerSocket]
    private let store: MetadataStore
    private let snapshots: SnapshotFolder
    private let mailbox: Mailbox<CoordinatorEvent>
    private let stop: StopSignal
    private let writer = DispatchQueue(label: "loci.metadata")
    private let learner = DispatchQueue(label: "loci.learning")
    private var node: CoordinatorNode
    private var directives: [CoordinatorDirective] = []
    private var rejected: UInt64 = 0
    private var wasWhole = false

    private static let tickMicroseconds: UInt64 = 25_000
    /// Clients' requests are taken for so long before shards are heard again.
    private static let turnMicroseconds: UInt64 = 2_000

    init(_ configuration: ClusterConfiguration) throws {
        var logger = Logger(label: "loci-coordinator")
        logger.logLevel = configuration.logLevel
        self.logger = logger
        let context = try TransportContext()
        self.context = context
        router = try RouterSocket(context, binding: configuration.coordinator)
        try ClusterRestore.checkFinished(in: configuration.dataFolder)
        store = try MetadataStore(
            folder: configuration.coordinatorFolder, fileSystem: LinuxFileSystem())
        snapshots = SnapshotFolder(
            configuration.snapshotFolder, clusterID: configuration.clusterID)
        try snapshots.removeUnfinished()
        let map = PartitionMap(
            partitions: configuration.partitions, shards: configuration.shards.count)
        let (metadata, rarity) = try CoordinatorRecovery.open(
            store, clusterID: configuration.clusterID, map: map)
        dealers = try configuration.shards.map { try DealerSocket(context, connecting: $0) }
        mailbox = try Mailbox()
        stop = StopSignal(waking: mailbox.wakeUp)
        node = CoordinatorNode(
            metadata: metadata, endpoints: configuration.shards.map(\.description),
            rarity: rarity, givesHints: configuration.prefetch == .on,
            gossip: configuration.gossip, stopwatch: Clock.now)
        logger.notice(
            "ready",
            metadata: [
                "endpoint": "\(router.endpoint)", "incarnation": "\(metadata.incarnation)",
            ])
    }

    func serve() throws {
        let poller = Poller()
        let clients = poller.add(router)
        let events = poller.add(mailbox.wakeUp)
        for dealer in dealers { poller.add(dealer) }
        var nextTick = Clock.now()
        while !stop.isSet {
            let left = nextTick.microseconds(since: Clock.now())
            let patience = node.isUnfinished ? 0 : Int((left + 999) / 1000)
            let ready = try poller.wait(timeoutMilliseconds: patience)
            if ready.contains(events) { for event in mailbox.takeAll() { handle(event) } }
            // Answers of shards first: they free what clients' requests take.
            for slot in ready where slot > events { try receive(from: slot - events - 1) }
            if ready.contains(clients) { try receiveFromClients() }
            if node.isUnfinished { handle(.woken) }
            if Clock.now() >= nextTick {
                // What shards have said counts before any of them is called silent.
                for shard in dealers.indices { try receive(from: shard) }
                handle(.tick)
                nextTick = Clock.now().advanced(microseconds: Self.tickMicroseconds)
                reportWholeness()
            }
        }
        writer.sync {}
        logger.notice("stopped", metadata: ["rejected-messages": "\(rejected)"])
    }

    private func receiveFromClients() throws {
        let started = Clock.now()
        for _ in 0..<64
        where Clock.now().microseconds(since: started) < Self.turnMicroseconds {
            guard let (peer, frames) = try router.receive() else { return }
            do throws(WireError) {
                handle(.client(peer.value, try Message(frames: frames)))
            } catch {
                reject(error)
                if case .invalid(let header, let error) = error {
                    reply(Message(header.answered, .failure(error)), to: peer)
                }
            }
        }
    }

    private func receive(from shard: Int) throws {
        for _ in 0..<256 {
            guard let frames = try dealers[shard].receive() else { return }
            do throws(WireError) {
                handle(.shard(UInt32(shard), try Message(frames: frames)))
            } catch {
                reject(error)
            }
        }
    }

    private func reject(_ error: WireError) {
        rejected += 1
        logger.debug("rejected a message", metadata: ["reason": "\(error)"])
    }

    private func handle(_ event: CoordinatorEvent) {
        node.handle(event, at: Clock.now(), into: &directives)
        let given = directives
        directives.removeAll(keepingCapacity: true)
        for directive in given { carryOut(directive) }
    }

    private func carryOut(_ directive: CoordinatorDirective) {
        switch directive {
        case .reply(let peer, let message): reply(message, to: PeerID(value: peer))
        case .send(let shard, let message): send(message, to: shard)
        case .persist(let number, let bytes): persist(number, bytes)
        case .saveRarity(let space, let bytes):
            writer.async { [store, logger] in
                do throws(StorageError) {
                    try store.store(bytes, as: CoordinatorRecovery.rarityName(space))
                } catch {
                    logger.warning("could not save word rarity: \(error.sentence)")
                }
            }
        case .learn(let space, let learning):
            learner.async { [mailbox] in mailbox.post(.learned(space, learning.run())) }
        case .prepareSnapshot(let place):
            writer.async { [snapshots, mailbox] in
                mailbox.post(
                    .snapshotPrepared(
                        place,
                        Result { () throws(LociError) in try snapshots.prepare(place) }))
            }
        case .publishSnapshot(let manifest, let files):
            writer.async { [snapshots, mailbox] in
                do throws(LociError) {
                    try snapshots.publish(manifest, files)
                    mailbox.post(.snapshotPublished(manifest.place, nil))
                } catch {
                    mailbox.post(.snapshotPublished(manifest.place, error))
                }
            }
        case .discardSnapshot(let place):
            writer.async { [snapshots] in snapshots.discard(place) }
        case .listSnapshots(let number):
            writer.async { [snapshots, mailbox] in
                mailbox.post(
                    .snapshotsListed(
                        number, Result { () throws(LociError) in try snapshots.list() }))
            }
        }
    }

    private func persist(_ number: UInt64, _ bytes: Bytes) {
        writer.async { [store, mailbox] in
            do throws(StorageError) {
                try store.store(bytes, as: CoordinatorRecovery.metadataName)
                mailbox.post(.persisted(number, nil))
            } catch {
                mailbox.post(.persisted(number, error.sentence))
            }
        }
    }

    private func reply(_ message: Message, to peer: PeerID) {
        do {
            _ = try router.send(try message.encoded(), to: peer)
        } catch {
            let refusal = Message(
                message.header,
                .failure(
                    LociError(
                        .resourceExhausted, "The answer is larger than a message may be.",
                        advice: "Ask for less at once.")))
            if let frames = try? refusal.encoded() { _ = try? router.send(frames, to: peer) }
        }
    }

    private func send(_ message: Message, to shard: UInt32) {
        let request = message.header.requestID
        do {
            let frames = try message.encoded()
            if try dealers[Int(shard)].send(frames) != .sent {
                mailbox.post(.undeliverable(shard, requestID: request, nil))
            }
        } catch {
            mailbox.post(.undeliverable(shard, requestID: request, error as? LociError))
        }
    }

    private func reportWholeness() {
        guard node.isWhole != wasWhole else { return }
        wasWhole = node.isWhole
        if wasWhole {
            logger.notice("all shards serve")
        } else {
            logger.warning("a shard is missing")
        }
    }
}
