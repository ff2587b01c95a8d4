import CLinux
public import LociBase
import LociCluster
public import LociModel
import LociPlacement
import LociStorage
import LociTiering
import LociTransport
import LociWire
import Logging

/// A shard at work: one thread owns the socket and the node, sleeps, decides; the storage pool does
/// what can block.
public enum ShardProcess {
    /// Serves until a SIGTERM or SIGINT.
    /// - Throws: What keeps the shard from starting, or made it stop, with advice.
    public static func run(
        _ configuration: ClusterConfiguration, shard: ShardIndex
    ) throws(LociError) {
        guard Int(shard) < configuration.shards.count else {
            throw LociError(
                .invalidArgument,
                "The cluster file names \(configuration.shards.count) shards; there is no "
                    + "shard \(shard).", advice: "Number shards from 0.")
        }
        loci_bound_allocator()
        try inSentences {
            let driver = try ShardDriver(configuration, shard: shard)
            try driver.serve()
        }
    }
}

final class ShardDriver {
    private let logger: Logger
    private let context: TransportContext
    private let router: RouterSocket
    private let mailbox: Mailbox<ShardEvent>
    private let stop: StopSignal
    private let pool: StoragePool
    private let upkeep: StorageUpkeep
    private var reportedAt = Instant.zero
    private var node: ShardNode
    private let migrator: Migrator?
    private let gossip: GossipSockets
    private let poller = Poller()
    private var directives: [ShardDirective] = []
    private var rejected: UInt64 = 0
    private var undelivered: UInt64 = 0
    private var fatal: LociError?
    /// Why extents do not move between the tiers, as it was logged last.
    private var migrationObstacle: String?

    init(_ configuration: ClusterConfiguration, shard: ShardIndex) throws {
        var logger = Logger(label: "loci-shard-\(shard)")
        logger.logLevel = configuration.logLevel
        self.logger = logger
        let map = PartitionMap(
            partitions: configuration.partitions, shards: configuration.shards.count)
        // The socket first: with the port in use, nothing on disk is touched.
        context = try TransportContext()
        router = try RouterSocket(context, binding: configuration.shards[Int(shard)])
        let started = Clock.now()
        let folder = configuration.folder(of: shard)
        try ClusterRestore.checkFinished(in: configuration.dataFolder)
        try Self.checkPartitions(in: folder, map.partitions(of: shard))
        let fileSystem = LinuxFileSystem(pageIn: configuration.pageIn.kind)
        let store = try SliceStore.open(
            folder: folder, fileSystem: fileSystem,
            identity: SliceIdentity(clusterID: configuration.clusterID, shard: shard),
            partitions: map.partitions(of: shard),
            writeBufferBytes: configuration.writeBufferBytes,
            coldTier: Self.coldTier(configuration, shard))
        let recovered = try ShardRecovery.recover(store, shard: shard, map: map)
        mailbox = try Mailbox()
        stop = StopSignal(waking: mailbox.wakeUp)
        let (dram, far) = Self.memory(configuration)
        upkeep = StorageUpkeep(store: store, tiers: configuration.tiers, mailbox: mailbox)
        pool = StoragePool(
            store: store, upkeep: upkeep, snapshotFolder: configuration.snapshotFolder,
            memory: dram.arena, threads: configuration.ioThreads, mailbox: mailbox)
        node = ShardNode(
            ShardNode.Settings(
                clusterID: configuration.clusterID, shard: shard, incarnation: store.incarnation,
                partitions: map.partitions, shards: map.shards,
                dram: dram, far: far, countsHeat: configuration.tier(.hdd) != nil,
                guesses: configuration.prefetch == .on,
                takesPrefetches: configuration.prefetch != .off,
                checkpointLogBytes: UInt64(configuration.checkpointLogBytes),
                gossip: configuration.gossip),
            recovered: recovered, stopwatch: Clock.now)
        gossip = GossipSockets(context, configuration.shards)
        migrator = Self.migrator(configuration, store)
        migrator?.start()
        logger.notice(
            "ready",
            metadata: [
                "endpoint": "\(router.endpoint)", "incarnation": "\(store.incarnation)",
                "page-in": "\(PageInChoice(fileSystem.effectiveKind).rawValue)",
                "recovery-ms": "\(Clock.now().microseconds(since: started) / 1000)",
            ])
    }

    /// The tiers of memory, with a seed of this process.
    private static func memory(
        _ configuration: ClusterConfiguration
    ) -> (dram: MemoryTier, far: MemoryTier?) {
        let dram = configuration.tier(.dram)
        let seed = UInt64.random(in: 0...UInt64.max)
        return (
            MemoryTier.dram(
                budgetBytes: dram?.capacityBytes ?? TierConfiguration.memoryBytes,
                eviction: dram?.eviction ?? .standard, seed: seed),
            configuration.tier(.far).map {
                MemoryTier.far(
                    budgetBytes: $0.capacityBytes, eviction: $0.eviction ?? .standard, seed: seed)
            }
        )
    }

    /// Partitions that hold data are among those that the cluster file gives this shard, and none
    /// of those is missing beside them.
    private static func checkPartitions(
        in folder: String, _ expected: [PartitionIndex]
    ) throws {
        let fileSystem = LinuxFileSystem()
        let prefix = "partition-"
        let found = try fileSystem.list(folder).filter { $0.hasPrefix(prefix) }
            .compactMap { PartitionIndex($0.dropFirst(prefix.count)) }
        let used = try found.filter {
            try fileSystem.list("\(folder)/\(prefix)\($0)").contains { $0.hasPrefix("space-") }
        }
        let isMissing = !Set(expected).isSubset(of: found)
        guard used.isEmpty || (Set(used).isSubset(of: expected) && !isMissing) else {
            throw LociError(
                .failedPrecondition,
                "\(folder) holds partitions \(found.sorted()); the cluster file gives this shard "
                    + "\(expected).",
                advice: "Put the numbers of shards and partitions with which the cluster was "
                    + "created into the cluster file.")
        }
    }

    /// How long a message may hold a page after it is sent until somebody looks.
    private static let releaseMilliseconds = 2

    /// Messages are taken for so long before others have their turn.
    private static let turnMicroseconds: UInt64 = 2_000

    /// Between two reports of how storage stands.
    private static let reportMicroseconds: UInt64 = 500_000

    func serve() throws {
        let peers = poller.add(router)
        let events = poller.add(mailbox.wakeUp)
        while !stop.isSet, fatal == nil {
            let ready = try poller.wait(timeoutMilliseconds: patience)
            if ready.contains(events) {
                for event in mailbox.takeAll() where fatal == nil { handle(event) }
            }
            if ready.contains(peers) { try receive() }
            if ready.contains(where: { $0 != peers && $0 != events }) { try receiveGossip() }
            if node.isWaitingForRoom { handle(.released) }
            if let wake = node.nextWake, wake <= Clock.now() { handle(.woken) }
            if Clock.now().microseconds(since: reportedAt) >= Self.reportMicroseconds {
                reportedAt = Clock.now()
                upkeep.report()
                if let migrator, migrator.wantsHeat, let heat = node.heat { migrator.use(heat) }
                logMigration()
            }
        }
        migrator?.stop()
        upkeep.end()
        pool.drain()
        if fatal == nil { saveAll() }
        if let fatal { throw fatal }
        logger.notice("stopped", metadata: ["rejected-messages": "\(rejected)"])
    }

    /// How long to sleep at most, in milliseconds.
    private var patience: Int {
        let longest = node.isWaitingForRoom ? Self.releaseMilliseconds : 1000
        guard let wake = node.nextWake else { return longest }
        return min(longest, Int((wake.microseconds(since: Clock.now()) + 999) / 1000))
    }

    /// Says once when extents cannot move, and once when they can again.
    private func logMigration() {
        guard let status = migrator?.status else { return }
        let obstacle =
            status.failure.map(\.sentence.message)
            ?? (status.isHDDFull ? "the hdd tier has no room for what should leave the ssd" : nil)
        guard obstacle != migrationObstacle else { return }
        migrationObstacle = obstacle
        if let obstacle {
            logger.warning("extents stay where they are", metadata: ["reason": "\(obstacle)"])
        } else {
            logger.notice("extents move again")
        }
    }

    /// Carries out what is under way, then a checkpoint of each partition, so that the next start
    /// has nothing to replay.
    private func saveAll() {
        for event in mailbox.takeAll() where fatal == nil { handle(event) }
        pool.drain()
        for event in mailbox.takeAll() where fatal == nil { handle(event) }
        node.checkpointAll(into: &directives)
        let given = directives
        directives.removeAll()
        for directive in given where fatal == nil { carryOut(directive) }
        pool.drain()
        for case .checkpointed(_, .failure(let error)) in mailbox.takeAll() {
            logger.warning("no last checkpoint; the log is kept", metadata: ["reason": "\(error)"])
        }
    }

    /// Takes messages for a bounded time, so that completions and what is unfinished get their
    /// turn.
    private func receive() throws {
        let started = Clock.now()
        for _ in 0..<256
        where fatal == nil && Clock.now().microseconds(since: started) < Self.turnMicroseconds {
            guard let (peer, frames) = try router.receive() else { return }
            do throws(WireError) {
                handle(.received(from: peer.value, try Message(frames: frames)))
            } catch {
                rejected += 1
                logger.debug("rejected a message", metadata: ["reason": "\(error)"])
                if case .invalid(let header, let error) = error {
                    var answer = header.answered
                    answer.senderIncarnation = node.settings.incarnation
                    send(Message(answer, .failure(error)), to: peer)
                }
            }
        }
    }

    private func receiveGossip() throws {
        for (shard, message) in try gossip.receive() where fatal == nil {
            handle(.heard(from: shard, message))
        }
    }

    private func handle(_ event: ShardEvent) {
        node.handle(event, at: Clock.now(), into: &directives)
        let given = directives
        directives.removeAll(keepingCapacity: true)
        for directive in given where fatal == nil { carryOut(directive) }
    }

    private func carryOut(_ directive: ShardDirective) {
        switch directive {
        case .send(let peer, let message): send(message, to: PeerID(value: peer))
        case .tell(let shard, let message): gossip.send(message, to: shard, poller)
        case .load(let requests): pool.load(requests)
        case .hasten(let addresses): pool.hasten(addresses)
        case .write(let write): pool.write(write)
        case .commit(let partition, let records): pool.commit(partition, records)
        case .checkpoint(let partition, let lsn, let state):
            pool.checkpoint(partition, lsn, state)
        case .drop(let partition, let space): pool.drop(partition, space)
        case .survey(let request): upkeep.survey(request)
        case .scrub(let bytesPerSecond): upkeep.scrub(bytesPerSecond: bytesPerSecond)
        case .snapshot(let place, let partition, _, let state):
            pool.snapshot(place, partition, state)
        case .stop(let error): fatal = error
        }
    }

    /// An answer that cannot be sent is dropped: the coordinator's deadline covers it.
    private func send(_ message: Message, to peer: PeerID) {
        do {
            if try router.send(try message.encoded(), to: peer) != .sent { undelivered += 1 }
        } catch {
            undelivered += 1
            logger.warning("could not answer", metadata: ["reason": "\(error)"])
            refuse(message, to: peer)
        }
    }

    /// An answer too large for the wire: the asker is told so.
    private func refuse(_ message: Message, to peer: PeerID) {
        let error = LociError(
            .resourceExhausted, "The answer is larger than a message may be.",
            advice: "Ask for less at once.")
        let refusal = Message(message.header, .failure(error))
        if let frames = try? refusal.encoded() { _ = try? router.send(frames, to: peer) }
    }
}
