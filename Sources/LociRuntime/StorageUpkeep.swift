import CLinux
import Dispatch
import Glibc
import LociBase
import LociCluster
import LociModel
import LociStorage
import LociWire
import Synchronization

/// What a shard does about its storage on the side, on threads of its own: surveys, scrubs, copies
/// for snapshots, and reports of how storage stands.
///
/// Invariants:
/// - At most one scrub runs; it ends soon after `end`.
/// - A report that takes long delays the next one; they do not pile up.
final class StorageUpkeep: Sendable {
    private let store: SliceStore
    private let mailbox: Mailbox<ShardEvent>
    /// Capacities of the tiers of files.
    private let tiers: [TierConfiguration]
    private let surveyQueue = DispatchQueue(label: "loci.survey")
    private let scrubQueue = DispatchQueue(label: "loci.scrub")
    /// Copies of partitions are made side by side: all are cut before any of them is complete.
    private let snapshotQueues: [PartitionIndex: DispatchQueue]
    private let isEnding = Atomic(false)
    private let isReporting = Atomic(false)

    /// What a scrub reads per second if nobody says.
    private static let standardBytesPerSecond: UInt64 = 64 << 20
    /// What it reads at a time.
    private static let stepBytes = 1 << 20
    private static let progressMilliseconds: UInt64 = 200

    init(store: SliceStore, tiers: [TierConfiguration], mailbox: Mailbox<ShardEvent>) {
        self.store = store
        self.tiers = tiers.filter { $0.path != nil }
        self.mailbox = mailbox
        snapshotQueues = Dictionary(
            uniqueKeysWithValues: store.partitionNumbers.map {
                ($0, DispatchQueue(label: "loci.snapshot.\($0)"))
            })
    }

    func snapshotQueue(_ partition: PartitionIndex) -> DispatchQueue { snapshotQueues[partition]! }

    /// Ends what goes on without an end of its own.
    func end() {
        isEnding.store(true, ordering: .releasing)
        surveyQueue.sync {}
        scrubQueue.sync {}
    }

    // MARK: Surveys

    func survey(_ request: SurveyRequest) {
        surveyQueue.async { [store, mailbox] in
            let result = resultInSentence { () throws(StorageError) in
                let (extents, hasMore) = try store.storedExtents(
                    of: request.space, partition: request.partition, from: request.extent,
                    limit: request.limit)
                return Survey(extents: extents.map(\.residency), hasMore: hasMore)
            }
            mailbox.post(.surveyed(request, result))
        }
    }

    // MARK: Scrub

    func scrub(bytesPerSecond: UInt64) {
        let rate = bytesPerSecond == 0 ? Self.standardBytesPerSecond : bytesPerSecond
        scrubQueue.async { [self] in
            var progress = ScrubProgress(isRunning: true)
            do throws(StorageError) {
                for partition in store.partitionNumbers {
                    try scrub(partition, bytesPerSecond: rate, &progress)
                }
            } catch {
                progress.failure = error.sentence
            }
            progress.isRunning = false
            mailbox.post(.scrubbed(progress))
        }
    }

    private func scrub(
        _ partition: PartitionIndex, bytesPerSecond: UInt64, _ progress: inout ScrubProgress
    ) throws(StorageError) {
        var cursor: ScrubCursor?
        var told = Clock.now()
        repeat {
            let started = Clock.now()
            let step = try store.scrub(partition, from: cursor, budgetBytes: Self.stepBytes)
            progress.pagesVerified += UInt64(step.pagesVerified)
            progress.pagesDamaged += UInt64(step.damaged.count)
            let room = DamagedPages.perAnswer - progress.damaged.count
            progress.damaged += step.damaged.prefix(max(0, room)).map(\.address)
            if Clock.now().microseconds(since: told) >= Self.progressMilliseconds * 1000 {
                told = Clock.now()
                mailbox.post(.scrubbed(progress))
            }
            cursor = step.next
            let due = Double(step.bytesRead) / Double(bytesPerSecond) * 1e6
            pause(microseconds: UInt64(min(due, 1e12)), since: started)
        } while cursor != nil && !isEnding.load(ordering: .acquiring)
    }

    /// Sleeps until so much time has passed, and wakes now and then to see whether to end.
    private func pause(microseconds: UInt64, since started: Instant) {
        while !isEnding.load(ordering: .acquiring) {
            let passed = Clock.now().microseconds(since: started)
            guard passed < microseconds else { return }
            usleep(UInt32(min(microseconds - passed, 50_000)))
        }
    }

    // MARK: Reports

    /// Posts how storage stands, and gives memory back that page images no longer take; does
    /// nothing while an earlier report is still being made.
    func report() {
        if isReporting.exchange(true, ordering: .acquiringAndReleasing) { return }
        surveyQueue.async { [self] in
            mailbox.post(.storageReported(vitals))
            loci_trim_allocator()
            isReporting.store(false, ordering: .releasing)
        }
    }

    private var vitals: StorageVitals {
        let counts = store.counts
        let moves = store.migrationCounts
        var vitals = StorageVitals()
        vitals.pagesVerified = counts.verifiedPages
        vitals.pagesDamaged = counts.damagedPages
        vitals.writeBufferBytes = UInt64(store.writeBufferBytes)
        vitals.isFull = store.partitionNumbers.contains { store.isFull($0) }
        // A measurement that fails leaves the figure out; pages that cannot be read say so.
        let occupancy = try? store.occupancy()
        vitals.tiers = tiers.map { tier in
            var each = TierVitals(tier.kind)
            each.budgetBytes = UInt64(tier.capacityBytes)
            let isCold = tier.kind == .hdd
            each.residentBytes = (isCold ? occupancy?.hddBytes : occupancy?.ssdBytes) ?? 0
            each.movedIn = isCold ? moves.demotedPages : moves.promotedPages
            each.movedOut = isCold ? moves.promotedPages : moves.demotedPages
            return each
        }
        return vitals
    }
}

extension StoredExtent {
    fileprivate var residency: ExtentResidency {
        var each = ExtentResidency(partition: address.partition, extent: address.number)
        each.ssd = UInt16(clamping: ssdPages)
        each.hdd = UInt16(clamping: hddPages)
        return each
    }
}
