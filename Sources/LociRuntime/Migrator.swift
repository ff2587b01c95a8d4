import Dispatch
import LociBase
import LociModel
import LociStorage
import LociTiering
import Synchronization

/// Moves extents between the ssd and the hdd tier of a shard, on a thread of its own with little
/// claim to the processor. Each second it looks at a part of the extents, a hand's width further on
/// than the last time, and moves what `Migration` says within the bandwidth.
///
/// Invariants:
/// - What one round looks at and moves is bounded, however much there is.
/// - After an error the tiers are left alone for a while; nothing is lost by it.
final class Migrator: Sendable {
    /// For `loci status`.
    struct Status: Sendable {
        var occupancy = TierOccupancy()
        var counts = MigrationCounts()
        /// Whether extents should go to the hdd tier, which has no room for them.
        var isHDDFull = false
        /// Why moves rest at present.
        var failure: StorageError?
    }

    private struct State: Sendable {
        var migration: Migration
        var heat = HeatMap()
        var cursor: ExtentAddress?
        /// Partitions whose leftovers of earlier lives are still to be swept away.
        var unswept: [PartitionIndex]
        var failedAt: Instant?
        var status = Status()
    }

    private let store: SliceStore
    private let bytesPerSecond: Int
    private let state: Mutex<State>
    private let needsHeat = Atomic(true)
    private let isEnding = Atomic(false)
    private let queue = DispatchQueue(label: "loci.migration", qos: .background)

    private static let extentsPerRound = 1024
    private static let restAfterErrorMicroseconds: UInt64 = 10_000_000

    init(store: SliceStore, settings: Migration.Settings, bytesPerSecond: Int) {
        self.store = store
        self.bytesPerSecond = bytesPerSecond
        state = Mutex(
            State(migration: Migration(settings), unswept: store.partitionNumbers))
    }

    /// Nil while a round plans: the deciding thread does not wait for it.
    var status: Status? { state.withLockIfAvailable { $0.status } }

    /// Whether a round has passed since it was last told how often extents are used.
    var wantsHeat: Bool { needsHeat.load(ordering: .acquiring) }

    /// How often extents are used, as the page table has counted it. Never waits.
    func use(_ heat: HeatMap) {
        let wasTaken: Bool? = state.withLockIfAvailable {
            $0.heat = heat
            return true
        }
        if wasTaken == true { needsHeat.store(false, ordering: .releasing) }
    }

    /// One round each second from now on.
    func start() {
        queue.asyncAfter(deadline: .now() + .seconds(1)) { [weak self] in
            guard let self, !isEnding.load(ordering: .acquiring) else { return }
            round(at: Clock.now())
            needsHeat.store(true, ordering: .releasing)
            start()
        }
    }

    /// Waits for the move that is under way; none follows.
    func stop() {
        isEnding.store(true, ordering: .releasing)
        queue.sync {}
    }

    /// One second's work. Only one thread at a time may call it.
    func round(at now: Instant) {
        let failed = state.withLock { $0.failedAt }
        if let failed, now.microseconds(since: failed) < Self.restAfterErrorMicroseconds { return }
        do throws(StorageError) {
            try sweep()
            let occupancy = try store.occupancy()
            state.withLock { $0.status.occupancy = occupancy }
            if occupancy.isComplete { try move(occupancy, at: now) }
            state.withLock { state in
                state.failedAt = nil
                state.status.failure = nil
            }
        } catch {
            state.withLock { state in
                state.failedAt = now
                state.status.failure = error
            }
        }
        state.withLock { $0.status.counts = store.migrationCounts }
    }

    private func sweep() throws(StorageError) {
        while let partition = state.withLock({ $0.unswept.last }) {
            try store.sweepColdTier(partition) { isEnding.load(ordering: .acquiring) }
            if isEnding.load(ordering: .acquiring) { return }
            state.withLock { _ = $0.unswept.popLast() }
        }
    }

    private func move(_ occupancy: TierOccupancy, at now: Instant) throws(StorageError) {
        let asked = try askedFor()
        let (listed, next) = try store.storedExtents(
            from: state.withLock { $0.cursor }, limit: Self.extentsPerRound)
        let extents = asked.map(\.extent) + listed
        let plan = state.withLock { state in
            let candidates =
                asked.map { candidate($0.extent, state.heat, coldReads: $0.reads) }
                + listed.map { candidate($0, state.heat, coldReads: 0) }
            let plan = state.migration.plan(
                candidates,
                Migration.Occupancy(ssdBytes: occupancy.ssdBytes, hddBytes: occupancy.hddBytes),
                budgetBytes: UInt64(bytesPerSecond), at: now)
            if next == nil { state.migration.endTurn() }
            state.cursor = next
            state.status.isHDDFull = plan.isHDDFull
            return plan
        }
        let pageBytes = Dictionary(
            extents.map { ($0.address, $0.pageBytes) }, uniquingKeysWith: { first, _ in first })
        for extent in plan.promote {
            try carryOut(extent, at: now) { () throws(StorageError) in
                try store.promote(extent, pageBytes: pageBytes[extent]!)
            }
        }
        for extent in plan.demote {
            try carryOut(extent, at: now) { () throws(StorageError) in
                try store.demote(extent, pageBytes: pageBytes[extent]!)
            }
        }
    }

    private func carryOut(
        _ extent: ExtentAddress, at now: Instant, _ move: () throws(StorageError) -> ExtentMove
    ) throws(StorageError) {
        if isEnding.load(ordering: .acquiring) { return }
        _ = try move()
        state.withLock { $0.migration.rest(extent, at: now) }
    }

    /// Extents whose cold pages were read since the last round.
    private func askedFor() throws(StorageError) -> [(extent: StoredExtent, reads: Int)] {
        var found: [(extent: StoredExtent, reads: Int)] = []
        let reads = store.takeColdReads().sorted { ($0.times, $1.extent) > ($1.times, $0.extent) }
        for read in reads.prefix(Self.extentsPerRound) {
            let stored = try store.storedExtents(
                of: read.extent.space, partition: read.extent.partition, from: read.extent.number,
                limit: 1)
            if let extent = stored.extents.first, extent.address == read.extent {
                found.append((extent, read.times))
            }
        }
        return found
    }

    private func candidate(
        _ stored: StoredExtent, _ heat: HeatMap, coldReads: Int
    ) -> Migration.Candidate {
        Migration.Candidate(
            extent: stored.address, ssdBytes: UInt64(stored.ssdPages * stored.pageBytes),
            hddBytes: UInt64(stored.hddPages * stored.pageBytes),
            heat: heat.heat(of: stored.address),
            coldReads: coldReads)
    }
}
