import LociBase
import LociModel
import Synchronization

/// One partition's log, checkpoints and pages.
///
/// A write goes to the log, then to a page in the write buffer; a flush brings pages from there to
/// their segments, by way of the double-write files; a checkpoint flushes all, saves the state, and
/// lets go of the log before it.
///
/// Invariants:
/// - After an error that leaves open what became durable, every call gets that error again; the
///   next life recovers.
/// - Whatever a segment lacks is in the log behind the checkpoint, and in the write buffer.
/// - Segments that the newest state file does not list hold nothing that the log lacks.
/// - Files that a checkpoint needs go only after a later one is durable in both superblocks.
final class PartitionStore: Sendable {
    /// What only one thread at a time may change: segments, superblocks, extents.
    struct Maintenance: Sendable {
        var superblocks: SuperblockPair
        /// Of the last batch that was begun.
        var sequence: UInt64
        /// Folders of segments that were created since the last checkpoint.
        var newFolders: Set<String> = []
        /// Under way to a snapshot's folder.
        var copy: PageCopy?
        /// Copies that were begun.
        var copies: UInt64 = 0
    }

    /// The segments that there are, and spaces that were dropped and still have files.
    struct Known: Sendable {
        var segments: Set<SegmentName> = []
        var dropped: Set<SpaceID> = []
    }

    let place: PartitionPlace
    let segments: SegmentTable
    let buffer: WriteBuffer
    let bufferCounter: WriteBufferCounter
    let known = Mutex(Known())
    let space = SegmentSpace()
    /// The slice's cold tier.
    let extents: ExtentStore?
    /// One extent of the partition moves at a time.
    let moving = Mutex(())
    let maintenance = Mutex<Maintenance?>(nil)
    let counters = StorageCounters()
    private let failure = Mutex<StorageError?>(nil)
    private let log = Mutex<PartitionLog?>(nil)
    private let checkpointLSN = Atomic<LSN>(0)
    private let endLSN = Atomic<LSN>(0)

    init(
        _ place: PartitionPlace, _ segments: SegmentTable, _ bufferCounter: WriteBufferCounter,
        _ extents: ExtentStore?
    ) {
        self.extents = extents
        self.place = place
        self.segments = segments
        self.bufferCounter = bufferCounter
        buffer = WriteBuffer(bufferCounter)
    }

    /// Bytes of records since the last checkpoint.
    var logBytes: UInt64 {
        let start = checkpointLSN.load(ordering: .acquiring)
        let end = endLSN.load(ordering: .acquiring)
        return end > start ? end - start : 0
    }

    /// Whether the last flush or checkpoint of the slice met a full disk.
    var isFull: Bool { bufferCounter.isFull }

    // MARK: Recovery

    func recover() throws(StorageError) -> RecoveredPartition {
        try maintenance.withLock { maintenance throws(StorageError) in
            precondition(maintenance == nil, "a partition is recovered once")
            var superblocks = try findSuperblocks()
            let start = superblocks.current
            let content = start.hasState ? try StateFile.read(at: start.lsn, in: place) : nil
            let (log, records) = try PartitionLog.recover(in: place, from: start.lsn)
            try superblocks.repair()
            try StateFile.removeOthers(than: start, in: place)
            let listed = content?.segments ?? []
            try removeSegments(except: listed)
            known.withLock { $0.segments = listed }
            for name in listed { space.change(name) }
            let sequence = try recoverFlush(after: start.sequence, listed)
            checkpointLSN.store(start.lsn, ordering: .releasing)
            endLSN.store(log.end, ordering: .releasing)
            let end = log.end
            maintenance = Maintenance(superblocks: superblocks, sequence: sequence)
            self.log.withLock { $0 = log }
            return RecoveredPartition(
                snapshot: content?.state, snapshotLSN: start.lsn, records: records, end: end)
        }
    }

    /// A new partition gets its log first: where a superblock is, there is a log.
    private func findSuperblocks() throws(StorageError) -> SuperblockPair {
        if let pair = try SuperblockPair(readingFrom: place) { return pair }
        let states = try StateFile.names(in: place)
        let holdsRecords = try PartitionLog.holdsRecords(in: place)
        guard states.isEmpty && !holdsRecords else {
            throw .corrupt(
                path: place.folder, what: "both copies of the superblock are damaged or missing")
        }
        try place.fileSystem.createFolder(place.logFolder)
        let log = try PartitionLog(creatingIn: place)
        return try SuperblockPair(creatingIn: place, at: log.end)
    }

    // MARK: Log

    /// - Parameter isUrgent: Whether the records may make room: a full write buffer is no obstacle.
    func append(_ records: [Bytes], isUrgent: Bool) throws(StorageError) -> LSN {
        let isStuck = isFull && bufferCounter.bytes > bufferCounter.limit
        if isStuck && !isUrgent && !records.isEmpty { throw .noSpace(path: place.folder) }
        return try refusingAfterFailure { () throws(StorageError) in
            try log.withLock { log throws(StorageError) in
                precondition(log != nil, "a partition is recovered before it is used")
                try log!.append(records)
                endLSN.store(log!.end, ordering: .releasing)
                if bufferCounter.bytes == 0 { bufferCounter.noteSpace() }
                return log!.end
            }
        }
    }

    // MARK: Checkpoint

    func checkpoint(at lsn: LSN, state: Bytes) throws(StorageError) -> UInt64 {
        try withMaintenance { maintenance throws(StorageError) in
            precondition(
                lsn >= maintenance.superblocks.current.lsn
                    && lsn <= endLSN.load(ordering: .acquiring),
                "a checkpoint lies between the last one and the end of the log")
            defer {
                checkpointLSN.store(maintenance.superblocks.current.lsn, ordering: .releasing)
            }
            do throws(StorageError) {
                try flushAll(&maintenance)
            } catch .noSpace(let path) {
                // What was dropped makes room for the next attempt. The log says that it is gone.
                if maintenance.copy == nil { try removeDropped() }
                throw .noSpace(path: path)
            }
            let current = maintenance.superblocks.current
            if current.hasState && current.lsn == lsn {
                try maintenance.superblocks.complete()
            } else {
                try syncNewFolders(&maintenance)
                let listed = known.withLock { known in
                    known.segments.filter { !known.dropped.contains($0.space) }
                }
                try StateFile.write(
                    StateFile.Content(segments: listed, state: state), at: lsn, in: place)
                try maintenance.superblocks.advance(to: lsn, sequence: maintenance.sequence)
            }
            try StateFile.removeOthers(than: maintenance.superblocks.current, in: place)
            try log.withLock { log throws(StorageError) in
                try log!.beginFileAtCheckpoint()
                try log!.removeFiles(below: lsn)
            }
            if maintenance.copy == nil { try removeDropped() }
        }
        return logBytes
    }

    /// Folders that a checkpoint counts on are durable under their names.
    private func syncNewFolders(_ maintenance: inout Maintenance) throws(StorageError) {
        for folder in maintenance.newFolders.sorted() where place.fileSystem.exists(folder) {
            try place.fileSystem.syncFolder(folder)
        }
        maintenance.newFolders = []
    }

    // MARK: Errors

    /// Runs work while no other changes segments, superblocks or extents.
    /// - Parameter isFinal: Whether an error leaves open what became durable.
    func withMaintenance<Result: Sendable>(
        isFinal: Bool = true, _ body: (inout Maintenance) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        func run() throws(StorageError) -> Result {
            try maintenance.withLock { maintenance throws(StorageError) in
                precondition(maintenance != nil, "a partition is recovered before it is used")
                return try body(&maintenance!)
            }
        }
        return isFinal ? try refusingAfterFailure(run) : try run()
    }

    /// Any error but a lack of space is final: it is not known what it left behind.
    func refusingAfterFailure<Result>(
        _ body: () throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try checkFailure()
        do {
            return try body()
        } catch {
            if error.isOutOfSpace {
                bufferCounter.noteNoSpace()
            } else {
                failure.withLock { $0 = $0 ?? error }
            }
            throw error
        }
    }

    /// Whether only recovery can go on.
    var hasFailed: Bool { failure.withLock { $0 != nil } }

    func checkFailure() throws(StorageError) {
        if let failure = failure.withLock({ $0 }) { throw failure }
    }
}
