import Dispatch
import Glibc
import LociBase
import LociCluster
import LociModel
import LociSearch
import LociStorage
import Synchronization

/// Everything of a shard that can block: page-ins, page writes, log commits, checkpoints. Work on
/// one page, and on one partition's log, is done in the order in which it was given.
final class StoragePool: Sendable {
    let store: SliceStore
    /// Where snapshots of the cluster go.
    let snapshotFolder: String
    private let mailbox: Mailbox<ShardEvent>
    private let memory: any PageMemory
    private let pageQueues: [PageQueue]
    private let logQueues: [DispatchQueue]
    private let checkpointQueue = DispatchQueue(label: "loci.checkpoint")
    let upkeep: StorageUpkeep
    private let pendingWriteBytes = Atomic(0)
    private let isFlushPlanned = Atomic(false)
    private let hasFailedFlush = Atomic(false)
    /// A page's file did not take a write: no checkpoint may count on it.
    private let hasFailedWrite = Atomic(false)

    /// Pages of applied records that may wait to be written; commits wait beyond it.
    private let mostPendingWriteBytes: Int

    /// - Parameter memory: Where page-ins go.
    init(
        store: SliceStore, upkeep: StorageUpkeep, snapshotFolder: String, memory: any PageMemory,
        threads: Int,
        mailbox: Mailbox<ShardEvent>
    ) {
        self.upkeep = upkeep
        self.snapshotFolder = snapshotFolder
        self.store = store
        self.memory = memory
        mostPendingWriteBytes = max(4 << 20, store.writeBufferLimit / 4)
        self.mailbox = mailbox
        pageQueues = (0..<threads).map { PageQueue(label: "loci.pages.\($0)") }
        logQueues = (0..<2).map { DispatchQueue(label: "loci.log.\($0)") }
    }

    private func queue(of address: PageAddress) -> Int {
        let mixed = mix64(
            address.page &+ UInt64(address.partition) << 48 ^ UInt64(address.space) << 56)
        return Int(mixed % UInt64(pageQueues.count))
    }

    func load(_ requests: [PageRequest]) {
        var parts = [[PageRequest]](repeating: [], count: pageQueues.count)
        for request in requests { parts[queue(of: request.address)].append(request) }
        for (queue, part) in zip(pageQueues, parts) where !part.isEmpty {
            if part[0].isBackground {
                queue.giveBackground(part, carryingOutBy: carryOut)
            } else {
                queue.give(.load(part), carryingOutBy: carryOut)
            }
        }
    }

    /// Somebody waits for these page-ins, which were given as background.
    func hasten(_ addresses: [PageAddress]) {
        for address in addresses {
            pageQueues[queue(of: address)].hasten(address, carryingOutBy: carryOut)
        }
    }

    /// A write that fails leaves the page behind the log: the shard must stop and recover.
    func write(_ write: PageWrite) {
        pendingWriteBytes.add(write.pageBytes, ordering: .relaxed)
        pageQueues[queue(of: write.address)].give(.write(write), carryingOutBy: carryOut)
    }

    private func carryOut(_ work: PageQueue.Work) {
        switch work {
        case .load(let given):
            let requests = inTime(given)
            let answers = store.readPages(requests, into: memory)
            for (request, answer) in zip(requests, answers) {
                mailbox.post(.pageArrived(request.address, answer.arrival))
            }
        case .write(let write):
            let result = resultInSentence { () throws(StorageError) in
                try store.write(
                    write.bytes, at: write.offset, of: write.address, pageBytes: write.pageBytes)
            }
            pendingWriteBytes.subtract(write.pageBytes, ordering: .relaxed)
            if case .failure(let error) = result {
                hasFailedWrite.store(true, ordering: .releasing)
                mailbox.post(.writeFailed(write.address, error))
            }
            if store.writeBufferBytes > store.writeBufferLimit / 2 { planFlush() }
        }
    }

    /// Tells of those that are too late, and returns the others.
    private func inTime(_ requests: [PageRequest]) -> [PageRequest] {
        guard requests.contains(where: { $0.notAfter != nil }) else { return requests }
        let now = Clock.now()
        return requests.filter { request in
            guard let notAfter = request.notAfter, notAfter < now else { return true }
            mailbox.post(.pageArrived(request.address, .success(.dropped)))
            return false
        }
    }

    /// Flushes soon, unless that is planned already. A full disk is tried again with the next
    /// write.
    private func planFlush() {
        if hasFailedFlush.load(ordering: .acquiring) { return }
        if isFlushPlanned.exchange(true, ordering: .acquiringAndReleasing) { return }
        checkpointQueue.async { [self] in
            isFlushPlanned.store(false, ordering: .releasing)
            for partition in store.partitionNumbers {
                do throws(StorageError) {
                    try store.flush(partition)
                } catch {
                    if error.isOutOfSpace { continue }
                    // Once: nothing is flushed after it.
                    if hasFailedFlush.exchange(true, ordering: .acquiringAndReleasing) { return }
                    mailbox.post(.storageFailed(error.sentence))
                }
            }
        }
    }

    func commit(_ partition: PartitionIndex, _ records: [Bytes]) {
        logQueues[Int(partition) % logQueues.count].async { [self] in
            while isBehind(partition) { usleep(500) }
            let result = resultInSentence { () throws(StorageError) in
                try store.append(
                    records, to: partition, isUrgent: records.contains(where: LogRecord.isInstall))
            }
            mailbox.post(.committed(partition, result))
            if store.isFull(partition) { planFlush() }
        }
    }

    /// Whether pages wait for their files that can get there.
    private func isBehind(_ partition: PartitionIndex) -> Bool {
        if store.hasFailed(partition) || hasFailedFlush.load(ordering: .acquiring) { return false }
        if pendingWriteBytes.load(ordering: .relaxed) > mostPendingWriteBytes { return true }
        guard store.writeBufferBytes > store.writeBufferLimit, !store.isFull(partition) else {
            return false
        }
        planFlush()
        return true
    }

    func checkpoint(_ partition: PartitionIndex, _ lsn: LSN, _ state: PartitionState) {
        afterWrites(on: checkpointQueue) { [self] in
            if hasFailedWrite.load(ordering: .acquiring) { return }
            let result = resultInSentence { () throws(StorageError) in
                try store.checkpoint(partition, at: lsn, snapshot: state.snapshot)
            }
            mailbox.post(.checkpointed(partition, result))
        }
    }

    func drop(_ partition: PartitionIndex, _ space: SpaceID) {
        afterWrites(on: checkpointQueue) { [store] in
            store.drop(space: space, partition: partition)
        }
    }

    /// Runs work once every page write given so far is done.
    func afterWrites(on queue: DispatchQueue, _ work: @escaping @Sendable () -> Void) {
        let group = DispatchGroup()
        for pages in pageQueues { pages.thread.async(group: group) {} }
        group.notify(queue: queue, execute: work)
    }

    /// Tells the node.
    func post(_ event: ShardEvent) { mailbox.post(event) }

    /// Waits for everything given so far, but for page-ins that nobody waits for.
    func drain() {
        for queue in pageQueues { queue.dropBackground() }
        for queue in pageQueues.map(\.thread) + logQueues + [checkpointQueue] { queue.sync {} }
    }
}
