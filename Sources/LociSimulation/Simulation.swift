import LociBase
import LociCluster
import LociModel
import LociPlacement
import LociSearch
import LociStorage
import LociTiering
import LociWire

/// What can be said of a run.
public struct SimulationReport: Equatable, Sendable {
    public var seed: UInt64 = 0
    /// What went wrong; nil if nothing did.
    public var violation: String?
    /// Hash over everything that was delivered, and when. The same seed gives the same.
    public var digest: UInt64 = 0
    public var virtualMilliseconds: UInt64 = 0
    public var messages: UInt64 = 0
    public var messagesLost: UInt64 = 0
    public var messagesDamaged: UInt64 = 0
    public var messagesRejected: UInt64 = 0
    public var shardCrashes = 0
    public var coordinatorCrashes = 0
    public var partitions = 0
    public var acknowledged = 0
    public var unknown = 0
    public var reads = 0
    /// Points that a query by address found right after their upsert was acknowledged, or later.
    public var foundByAddress = 0
    /// ... of them in partitions that compared all points that pass a filter.
    public var foundBySelection = 0
    public var degraded = 0
    /// Announcements, releases and questions about them that were answered, and pages that were
    /// fetched because of them by shards that have not crashed since.
    public var advised = 0
    public var pagesPrefetched = 0
    /// Pages that such shards fetched because an earlier life had them, or others hinted at them.
    public var pagesWarmed = 0
    /// Hash over what clients were answered, in order: bytes, ids and errors, but no receipts.
    public var answers: UInt64 = 0
    /// Hard locations at the end, and the generation that was reached.
    public var locations = 0
    public var generation: UInt32 = 0
}

/// Ways to break a shard that the checks of a run must notice.
public enum Sabotage: Sendable, CaseIterable {
    /// Records are called durable that were never logged.
    case forgetsCommits
    /// Pages come back from disk as zeros.
    case losesPages
}

/// A small cluster's life in virtual time: the very nodes, storage and wire of the real processes,
/// under a clock, a network and disks that a seed decides about. First faults, then their end; then
/// everything that was acknowledged must be there, and nothing else.
public final class Simulation {
    enum Event {
        case toCoordinator(from: Sender, [Bytes])
        case toShard(Int, from: UInt64, [Bytes])
        /// An answer to what the first shard asked the second over a connection of its own.
        case toAsker(Int, from: Int, [Bytes])
        case toClient(Int, [Bytes])
        case disk(Int, life: Int, ShardDirective)
        case release(Int, life: Int)
        case wake(Int, life: Int)
        case learn(life: Int, SpaceID, LocationLearning)
        case persist(life: Int, CoordinatorDirective)
        case tick(life: Int)
        case wakeCoordinator(life: Int)
        case client(Int)
        case clientTimeout(Int, request: UInt64)
        case fault
        case startShard(Int)
        case startCoordinator
        case heal(Int)
        case endOfFaults
    }

    enum Sender {
        case client(Int)
        case shard(Int)
    }

    /// Virtual time under faults, and what the cluster then has to come to rest.
    static let faultMilliseconds: UInt64 = 6_000
    static let restMilliseconds: UInt64 = 30_000

    let seed: UInt64
    var random: SeededRandom
    /// For what gossip sends alone, so that without it nothing else gets other numbers.
    var gossipRandom: SeededRandom
    let gossip: GossipSettings?
    private let isFaultless: Bool
    var queue = EventQueue<Event>()
    var now = Instant.zero
    var network = SimulatedNetwork()
    let shards: [SimulatedShard]
    let coordinatorDisk = MemoryFileSystem()
    var coordinator: CoordinatorNode?
    var metadataStore: MetadataStore?
    var coordinatorLife = 0
    var workload: Workload
    var report = SimulationReport()
    var areFaultsOver = false
    private(set) var restlessUntil = Instant.zero
    let map: PartitionMap
    let tuning: SearchTuning
    static let clusterID: UInt64 = 0x51A7

    /// - Parameters:
    ///   - sabotage: Breaks the cluster on purpose, to see that the checks notice.
    ///   - gossips: Whether processes gossip, hint and guess.
    ///   - isFaultless: Nothing is lost, delayed or ended, and one client asks after the other.
    public init(
        seed: UInt64, sabotage: Sabotage? = nil, gossips: Bool = true, isFaultless: Bool = false
    ) {
        self.seed = seed
        self.isFaultless = isFaultless
        random = SeededRandom(seed: seed)
        gossipRandom = SeededRandom(seed: seed ^ 0x6055)
        // Everything sooner than in real processes: these lives are short.
        var gossip = GossipSettings(intervalMicroseconds: 100_000, seed: seed)
        gossip.silenceMicroseconds = 800_000
        gossip.publicationMicroseconds = 300_000
        let settings = gossips ? gossip : nil
        self.gossip = settings
        map = PartitionMap(partitions: 3 + random.below(3), shards: 3)
        var tuning = SearchTuning()
        tuning.splitAbove = 8 + random.below(10)
        tuning.learnAfter = 60
        tuning.moveBatch = 16
        tuning.pointsPerTurn = 1 + Int(mix64(seed) % 4)
        self.tuning = tuning
        let map = map
        var choices = SeededRandom(seed: seed ^ 0x3E3)
        let memory = SimulatedMemory(&choices)
        shards = (0..<map.shards).map {
            SimulatedShard(
                index: ShardIndex($0), clusterID: Self.clusterID, map: map, tuning: tuning,
                memory: memory, gossip: settings, sabotage: sabotage)
        }
        workload = Workload(seed: seed, clients: isFaultless ? 1 : 4)
        report.seed = seed
    }

    /// Runs the whole life.
    public func run() -> SimulationReport {
        if !isFaultless {
            network.faults = SimulatedNetwork.Faults(
                loss: random.chance(0.5) ? 0 : random.unit() * 0.05,
                duplication: random.unit() * 0.05, damage: random.chance(0.5) ? 0 : 0.01,
                straggling: random.unit() * 0.03)
        }
        startCoordinator()
        for shard in shards.indices { startShard(shard) }
        for client in 0..<workload.clients { plan(.client(client), afterMicroseconds: 300_000) }
        for _ in 0..<(isFaultless ? 0 : 2 + random.below(6)) {
            let at = UInt64(random.below(Int(Self.faultMilliseconds) - 500) + 400)
            queue.plan(.fault, at: Instant.zero.advanced(milliseconds: at))
        }
        queue.plan(
            .endOfFaults, at: Instant.zero.advanced(milliseconds: Self.faultMilliseconds))
        let end = Instant.zero.advanced(
            milliseconds: Self.faultMilliseconds + Self.restMilliseconds)
        while report.violation == nil, !workload.isDone, let (at, event) = queue.next() {
            if at > end {
                let unrest = coordinator?.unrest ?? "the coordinator is down or all rests"
                report.violation = "no rest: \(unrest); \(workload.state)"
                break
            }
            now = at
            handle(event)
        }
        finishReport()
        return report
    }

    private func finishReport() {
        report.virtualMilliseconds = now.nanoseconds / 1_000_000
        report.messages = network.sent
        report.messagesLost = network.lost
        report.messagesDamaged = network.damaged
        report.acknowledged = workload.acknowledged
        report.unknown = workload.unknown
        report.reads = workload.reads
        report.foundByAddress = workload.foundByAddress
        report.foundBySelection = workload.foundBySelection
        report.degraded = workload.degraded
        report.advised = workload.advised
        report.pagesPrefetched = shards.reduce(0) { $0 + Int($1.node?.tally(.told).issued ?? 0) }
        report.pagesWarmed = shards.reduce(0) { $0 + Int($1.node?.tally(.hinted).issued ?? 0) }
        report.answers = workload.answers
        report.violation = report.violation ?? workload.violation
    }

    /// Nothing that was heard during the faults counts as rest.
    func awaitRest() { restlessUntil = now.advanced(milliseconds: 600) }

    func plan(_ event: Event, afterMicroseconds delay: UInt64) {
        queue.plan(event, at: now.advanced(microseconds: delay))
    }

    func fail(_ what: String) {
        report.violation = report.violation ?? "at \(now.nanoseconds / 1000) us: \(what)"
    }

    // MARK: Events

    private func handle(_ event: Event) {
        switch event {
        case .toCoordinator(let sender, let frames): deliver(frames, from: sender)
        case .toShard(let shard, let peer, let frames):
            deliver(frames, toShard: shard, from: peer)
        case .toAsker(let shard, let other, let frames):
            deliver(frames, toAsker: shard, from: other)
        case .toClient(let client, let frames): deliver(frames, toClient: client)
        case .disk(let shard, let life, let directive):
            guard shards[shard].life == life else { return }
            for done in shards[shard].carryOut(directive, at: now) { tell(shard, done) }
        case .release(let shard, let life):
            shards[shard].isReleasing = false
            if shards[shard].life == life { tell(shard, .released) }
        case .wake(let shard, let life):
            guard shards[shard].life == life, shards[shard].wake == now else { return }
            shards[shard].wake = nil
            tell(shard, .woken)
        case .learn(let life, let space, let learning):
            if life == coordinatorLife { tellCoordinator(.learned(space, learning.run())) }
        case .persist(let life, let directive):
            if life == coordinatorLife { carryOutPersist(directive) }
        case .tick(let life):
            guard life == coordinatorLife else { return }
            tellCoordinator(.tick)
            plan(.tick(life: life), afterMicroseconds: 25_000)
        case .wakeCoordinator(let life):
            if life == coordinatorLife { tellCoordinator(.woken) }
        case .client(let client): step(client)
        case .clientTimeout(let client, let request):
            workload.timedOut(client, request: request)
            if !workload.isBusy(client) { plan(.client(client), afterMicroseconds: 1000) }
        case .fault: injectFault()
        case .startShard(let shard): startShard(shard)
        case .startCoordinator: startCoordinator()
        case .heal(let shard):
            network.isCutToCoordinator.remove(shard)
            network.isCutFromCoordinator.remove(shard)
        case .endOfFaults: endFaults()
        }
    }

    private func note(_ frames: [Bytes], _ place: UInt64) {
        var digest = mix64(report.digest ^ now.nanoseconds &+ place)
        for frame in frames { digest = frame.checksum(seed: digest) }
        report.digest = digest
    }

    /// Decodes as the real drivers do; what cannot be decoded is dropped.
    private func decode(_ frames: [Bytes]) -> Message? {
        let message = try? Message(frames: frames)
        if message == nil { report.messagesRejected += 1 }
        return message
    }

    private func deliver(_ frames: [Bytes], from sender: Sender) {
        guard coordinator != nil else { return }
        note(frames, 1)
        guard let message = decode(frames) else { return }
        switch sender {
        case .client(let client): tellCoordinator(.client(UInt64(client), message))
        case .shard(let shard): tellCoordinator(.shard(ShardIndex(shard), message))
        }
    }

    private func deliver(_ frames: [Bytes], toShard shard: Int, from peer: UInt64) {
        guard shards[shard].isUp else { return }
        note(frames, 100 + UInt64(shard))
        if let message = decode(frames) { tell(shard, .received(from: peer, message)) }
    }

    private func deliver(_ frames: [Bytes], toAsker shard: Int, from other: Int) {
        guard shards[shard].isUp else { return }
        note(frames, 300 + UInt64(shard))
        if let message = decode(frames) { tell(shard, .heard(from: ShardIndex(other), message)) }
    }

    /// How shards know the coordinator, and from there on each other.
    private static let coordinatorPeer: UInt64 = 1

    private func deliver(_ frames: [Bytes], toClient client: Int) {
        note(frames, 200 + UInt64(client))
        guard let message = decode(frames) else { return }
        workload.answered(client, message)
        if !workload.isBusy(client) {
            plan(.client(client), afterMicroseconds: workload.pauseMicroseconds(client, &random))
        }
    }

    // MARK: Processes

    private func tell(_ shard: Int, _ event: ShardEvent) {
        for directive in shards[shard].handle(event, at: now) {
            switch directive {
            case .send(Self.coordinatorPeer, let message):
                guard !network.isCutToCoordinator.contains(shard) else { continue }
                send(message, mayRepeat: true) { .toCoordinator(from: .shard(shard), $0) }
            case .send(let peer, let message):
                let asker = Int(peer - Self.coordinatorPeer) - 1
                guard !network.isCut(from: shard, to: asker) else { continue }
                send(message, mayRepeat: true) { .toAsker(asker, from: shard, $0) }
            case .tell(let other, let message):
                guard !network.isCut(from: shard, to: Int(other)) else { continue }
                let peer = Self.coordinatorPeer + 1 + UInt64(shard)
                send(message, mayRepeat: true) { .toShard(Int(other), from: peer, $0) }
            case .stop(let error):
                fail("shard \(shard) stopped: \(error)")
            default:
                for part in shards[shard].parts(of: directive) {
                    let done = shards[shard].finish(part, at: now, &random)
                    queue.plan(.disk(shard, life: shards[shard].life, part), at: done)
                }
            }
        }
        planRelease(shard)
        planWake(shard)
    }

    private func planWake(_ shard: Int) {
        guard let next = shards[shard].node?.nextWake else { return }
        let wake = max(next, now)
        if let planned = shards[shard].wake, planned <= wake { return }
        shards[shard].wake = wake
        queue.plan(.wake(shard, life: shards[shard].life), at: wake)
    }

    private func planRelease(_ shard: Int) {
        guard shards[shard].node?.isWaitingForRoom == true, !shards[shard].isReleasing else {
            return
        }
        shards[shard].isReleasing = true
        plan(.release(shard, life: shards[shard].life), afterMicroseconds: 50)
    }

    private func tellCoordinator(_ event: CoordinatorEvent) {
        guard coordinator != nil else { return }
        var directives: [CoordinatorDirective] = []
        coordinator!.handle(event, at: now, into: &directives)
        for directive in directives {
            switch directive {
            case .reply(let peer, let message):
                send(message, mayRepeat: false) { .toClient(Int(peer), $0) }
            case .send(let shard, let message):
                guard !network.isCutFromCoordinator.contains(Int(shard)) else { continue }
                send(message, mayRepeat: true) {
                    .toShard(Int(shard), from: Self.coordinatorPeer, $0)
                }
            case .persist, .saveRarity:
                plan(
                    .persist(life: coordinatorLife, directive),
                    afterMicroseconds: UInt64.random(in: 500...5000, using: &random))
            case .learn(let space, let learning):
                plan(
                    .learn(life: coordinatorLife, space, learning),
                    afterMicroseconds: UInt64.random(in: 5_000...50_000, using: &random))
            case .prepareSnapshot, .publishSnapshot, .discardSnapshot, .listSnapshots:
                fail("nobody asked for a snapshot")
            }
        }
        if coordinator!.isUnfinished {
            plan(.wakeCoordinator(life: coordinatorLife), afterMicroseconds: 10)
        }
    }

    private func send(
        _ message: Message, mayRepeat: Bool, _ event: ([Bytes]) -> Event
    ) {
        guard let frames = try? message.encoded() else {
            return fail("a message could not be encoded")
        }
        // Bulk frames are shared memory until they are sent; the wire has its own copy.
        let copies = frames.map { $0.compact() }
        var carried: [(frames: [Bytes], delay: UInt64)]
        if case .gossip = message.body {
            carried = network.carry(copies, mayRepeat: mayRepeat, &gossipRandom)
        } else {
            carried = network.carry(copies, mayRepeat: mayRepeat, &random)
        }
        for (frames, delay) in carried { plan(event(frames), afterMicroseconds: delay) }
    }

    private func carryOutPersist(_ directive: CoordinatorDirective) {
        do throws(StorageError) {
            switch directive {
            case .persist(let number, let bytes):
                try metadataStore!.store(bytes, as: CoordinatorRecovery.metadataName)
                tellCoordinator(.persisted(number, nil))
            case .saveRarity(let space, let bytes):
                try metadataStore!.store(bytes, as: CoordinatorRecovery.rarityName(space))
            default: break
            }
        } catch {
            fail("the coordinator's disk failed: \(error)")
        }
    }

    private func step(_ client: Int) {
        guard let message = workload.next(client, isCalm: areFaultsOver && isCalm) else {
            if !workload.isDone { plan(.client(client), afterMicroseconds: 20_000) }
            return
        }
        send(message, mayRepeat: false) { .toCoordinator(from: .client(client), $0) }
        plan(
            .clientTimeout(client, request: message.header.requestID),
            afterMicroseconds: Workload.deadlineMicroseconds + 200_000)
    }

    /// All shards serve, and for a while nothing was being learned, moved or mended.
    private var isCalm: Bool {
        guard let coordinator else { return false }
        (report.locations, report.generation) = coordinator.locationState
        if coordinator.unrest != nil { restlessUntil = now.advanced(milliseconds: 600) }
        return now >= restlessUntil
    }
}
