import LociBase
import LociCluster
import LociModel
import LociPlacement
import LociSearch
import LociStorage
import LociTiering

/// How much memory a simulated shard has for pages, and what leaves it first.
struct SimulatedMemory {
    let dramBytes: Int
    /// 0: there is no far tier.
    let farBytes: Int
    let eviction: EvictionKind

    /// From two pages of vectors, which is next to nothing, to more than there is to keep.
    init(_ random: inout SeededRandom) {
        dramBytes = [128 << 10, 192 << 10, 512 << 10, 4 << 20].randomElement(using: &random)!
        farBytes = [0, 0, 64 << 10, 512 << 10].randomElement(using: &random)!
        eviction = EvictionKind.allCases.randomElement(using: &random)!
    }

    var dram: MemoryTier { .dram(budgetBytes: dramBytes, eviction: eviction) }
    var far: MemoryTier? {
        farBytes == 0 ? nil : .far(budgetBytes: farBytes, eviction: eviction)
    }
}

/// A shard process: the real node over the real storage, on a disk in memory.
///
/// Invariants:
/// - Work on one page, and on one partition's log, is done in the order in which it was given: each
///   lane is a queue in virtual time.
/// - `life` grows with every crash; what an earlier life had under way is gone.
/// - Background page-ins are done some time after their turn, whatever comes meanwhile, but once.
final class SimulatedShard {
    let index: ShardIndex
    let disk = MemoryFileSystem()
    private(set) var life = 0
    private(set) var node: ShardNode?
    private(set) var store: SliceStore?
    /// Whether the node will be told that pages have been released.
    var isReleasing = false
    /// When the node will be told that it is woken; nil if it will not.
    var wake: Instant?
    /// Page-ins for which nobody waits and which have not been done.
    private var background: [PageAddress: PageRequest] = [:]
    private var laneFree: [Instant] = Array(repeating: .zero, count: SimulatedShard.lanes)

    private static let lanes = 6
    private let identity: SliceIdentity
    private let map: PartitionMap
    private let tuning: SearchTuning
    private let memory: SimulatedMemory
    private let gossip: GossipSettings?
    private let sabotage: Sabotage?
    private var dram: MemoryTier

    init(
        index: ShardIndex, clusterID: UInt64, map: PartitionMap, tuning: SearchTuning,
        memory: SimulatedMemory, gossip: GossipSettings?, sabotage: Sabotage?
    ) {
        self.gossip = gossip
        self.sabotage = sabotage
        self.memory = memory
        dram = memory.dram
        self.index = index
        self.map = map
        self.tuning = tuning
        identity = SliceIdentity(clusterID: clusterID, shard: index)
    }

    var isUp: Bool { node != nil }

    /// Starts the process, by the same recovery as the real one.
    func start(at now: Instant, stopwatch: @escaping @Sendable () -> Instant) throws(LociError) {
        do throws(StorageError) {
            let store = try SliceStore.open(
                folder: "slice", fileSystem: disk, identity: identity,
                partitions: map.partitions(of: index), writeBufferBytes: 256 << 10)
            self.store = store
        } catch {
            throw error.sentence
        }
        let recovered = try ShardRecovery.recover(store!, shard: index, map: map, tuning: tuning)
        dram = memory.dram
        var settings = ShardNode.Settings(
            clusterID: identity.clusterID, shard: index, incarnation: store!.incarnation,
            partitions: map.partitions, shards: map.shards, dram: dram, far: memory.far,
            guesses: gossip != nil, checkpointLogBytes: 48 << 10, gossip: gossip)
        settings.pointsPerTurn = tuning.pointsPerTurn
        node = ShardNode(settings, recovered: recovered, stopwatch: stopwatch)
        laneFree = Array(repeating: now, count: Self.lanes)
        background = [:]
        wake = nil
    }

    /// Ends the process at once; of what was not synced, some survives and some does not.
    func crash(seed: UInt64) {
        life += 1
        node = nil
        store = nil
        disk.crash(seed: seed)
    }

    func handle(_ event: ShardEvent, at now: Instant) -> [ShardDirective] {
        var directives: [ShardDirective] = []
        node?.handle(event, at: now, into: &directives)
        return directives
    }

    /// When work that is given now gets its turn and is done.
    func finish(_ directive: ShardDirective, at now: Instant, _ random: inout SeededRandom)
        -> Instant
    {
        let lane: Int
        var cost = UInt64.random(in: 20...120, using: &random)
        switch directive {
        case .load(let requests) where requests[0].isBackground:
            // Others go on meanwhile.
            for request in requests { background[request.address] = request }
            let turn = max(laneFree[Self.lane(of: requests[0].address)], now)
            return turn.advanced(microseconds: UInt64.random(in: 20...20_000, using: &random))
        case .load(let requests): lane = Self.lane(of: requests[0].address)
        case .write(let write): lane = Self.lane(of: write.address)
        case .commit(let partition, _):
            lane = 4 + Int(partition) % 2
            cost = UInt64.random(in: 200...3000, using: &random)
        default:
            // Checkpoints and drops come after every write given so far.
            let latest = laneFree[0..<4].max() ?? now
            return max(latest, now).advanced(microseconds: 500)
        }
        let done = max(laneFree[lane], now).advanced(microseconds: cost)
        laneFree[lane] = done
        return done
    }

    private static func lane(of address: PageAddress) -> Int {
        Int(mix64(address.page &* 31 &+ UInt64(address.space)) % 4)
    }

    /// The parts of a directive that go to different lanes.
    func parts(of directive: ShardDirective) -> [ShardDirective] {
        let requests: [PageRequest]
        switch directive {
        case .load(let given): requests = given
        case .hasten(let addresses):
            requests = addresses.compactMap { background.removeValue(forKey: $0)?.hastened }
        default: return [directive]
        }
        let lanes = Dictionary(grouping: requests) { Self.lane(of: $0.address) }
        return lanes.keys.sorted().map { .load(lanes[$0]!) }
    }

    /// Does the work on the disk. Returns what the node is to be told.
    func carryOut(_ directive: ShardDirective, at now: Instant) -> [ShardEvent] {
        guard let store else { return [] }
        if case .load(let given) = directive {
            let (requests, late) = inTime(given, now)
            if !late.isEmpty || requests.isEmpty {
                return late.map { .pageArrived($0.address, .success(.dropped)) }
                    + (requests.isEmpty ? [] : carryOut(.load(requests), at: now))
            }
            let answers =
                sabotage == .losesPages
                ? requests.map { .loaded(Bytes(zeros: $0.pageBytes), from: .ssd) }
                : store.readPages(requests, into: dram.arena)
            return zip(requests, answers).map { .pageArrived($0.address, $1.arrival) }
        }
        return carryOut(directive, store).map { [$0] } ?? []
    }

    /// Of background page-ins, those that were not hastened meanwhile, as page-ins that are done.
    private func inTime(
        _ requests: [PageRequest], _ now: Instant
    ) -> (inTime: [PageRequest], late: [PageRequest]) {
        var inTime: [PageRequest] = []
        var late: [PageRequest] = []
        for request in requests {
            if request.isBackground {
                guard background.removeValue(forKey: request.address) != nil else { continue }
            }
            if let notAfter = request.notAfter, notAfter < now {
                late.append(request)
            } else {
                inTime.append(request.isBackground ? request.hastened : request)
            }
        }
        return (inTime, late)
    }

    private func carryOut(_ directive: ShardDirective, _ store: SliceStore) -> ShardEvent? {
        do throws(StorageError) {
            switch directive {
            case .commit(let partition, _) where sabotage == .forgetsCommits:
                return .committed(partition, .success(try store.append([], to: partition)))
            case .write(let write):
                try store.write(
                    write.bytes, at: write.offset, of: write.address, pageBytes: write.pageBytes)
                if store.writeBufferBytes > store.writeBufferLimit {
                    try store.flush(write.address.partition)
                }
            case .commit(let partition, let records):
                return .committed(partition, .success(try store.append(records, to: partition)))
            case .checkpoint(let partition, let lsn, let state):
                return .checkpointed(
                    partition,
                    .success(try store.checkpoint(partition, at: lsn, snapshot: state.snapshot)))
            case .drop(let partition, let space):
                store.drop(space: space, partition: partition)
            case .survey(let request):
                return .surveyed(request, .success(Survey(extents: [], hasMore: false)))
            case .scrub: return .scrubbed(ScrubProgress())
            case .snapshot(let place, let partition, _, _):
                let error = LociError(.failedPrecondition, "There are no snapshots here.")
                return .snapshotDone(place, partition, .failure(error))
            case .load, .hasten, .send, .tell, .stop: break
            }
            return nil
        } catch {
            return failure(of: directive, error.sentence)
        }
    }

    private func failure(of directive: ShardDirective, _ error: LociError) -> ShardEvent? {
        switch directive {
        case .write(let write): .writeFailed(write.address, error)
        case .commit(let partition, _): .committed(partition, .failure(error))
        case .checkpoint(let partition, _, _): .checkpointed(partition, .failure(error))
        case .survey(let request): .surveyed(request, .failure(error))
        case .snapshot(let place, let partition, _, _):
            .snapshotDone(place, partition, .failure(error))
        case .load, .hasten, .drop, .send, .tell, .stop, .scrub: nil
        }
    }
}
