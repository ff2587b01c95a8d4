import LociBase
import LociModel
import Synchronization

/// One partition's log, checkpoints and pages.
///
/// Invariants:
/// - After an error that leaves open what became durable, every call gets that error again; the
///   next life recovers.
/// - Log files and snapshots go only after a superblock that needs neither is durable in both
///   copies.
final class PartitionStore: Sendable {
    private let place: PartitionPlace
    private let segments: SegmentTable
    private let failure = Mutex<StorageError?>(nil)
    private let log = Mutex<PartitionLog?>(nil)
    /// Held during a whole checkpoint.
    private let superblocks = Mutex<SuperblockPair?>(nil)
    private let checkpointLSN = Atomic<LSN>(0)
    private let endLSN = Atomic<LSN>(0)

    init(_ place: PartitionPlace, _ segments: SegmentTable) {
        self.place = place
        self.segments = segments
    }

    /// Bytes of records since the last checkpoint.
    var logBytes: UInt64 {
        let start = checkpointLSN.load(ordering: .acquiring)
        let end = endLSN.load(ordering: .acquiring)
        return end > start ? end - start : 0
    }

    func recover() throws(StorageError) -> RecoveredPartition {
        try superblocks.withLock { pair throws(StorageError) in
            precondition(pair == nil, "a partition is recovered once")
            var superblocks = try findSuperblocks()
            let start = superblocks.current
            let snapshot =
                start.hasSnapshot ? try SnapshotFile.read(at: start.lsn, in: place) : nil
            let (log, records) = try PartitionLog.recover(in: place, from: start.lsn)
            try superblocks.repair()
            try SnapshotFile.removeOthers(than: start, in: place)
            let end = log.end
            checkpointLSN.store(start.lsn, ordering: .releasing)
            endLSN.store(end, ordering: .releasing)
            pair = superblocks
            self.log.withLock { $0 = log }
            return RecoveredPartition(
                snapshot: snapshot, snapshotLSN: start.lsn, records: records, end: end)
        }
    }

    /// A new partition gets its log first: where a superblock is, there is a log.
    private func findSuperblocks() throws(StorageError) -> SuperblockPair {
        if let pair = try SuperblockPair(readingFrom: place) { return pair }
        let snapshots = try SnapshotFile.names(in: place)
        let holdsRecords = try PartitionLog.holdsRecords(in: place)
        guard snapshots.isEmpty && !holdsRecords else {
            throw .corrupt(
                path: place.folder, what: "both copies of the superblock are damaged or missing")
        }
        try place.fileSystem.createFolder(place.logFolder)
        let log = try PartitionLog(creatingIn: place)
        return try SuperblockPair(creatingIn: place, at: log.end)
    }

    func append(_ records: [Bytes]) throws(StorageError) -> LSN {
        try refusingAfterFailure { () throws(StorageError) in
            try log.withLock { log throws(StorageError) in
                precondition(log != nil, "a partition is recovered before it is used")
                try log!.append(records)
                endLSN.store(log!.end, ordering: .releasing)
                return log!.end
            }
        }
    }

    func readPage(_ address: PageAddress, pageBytes: Int) throws(StorageError) -> Bytes {
        try checkFailure()
        let (name, start) = locate(address.space, address.page, pageBytes)
        guard let file = try segments.existing(name, in: place) else {
            return Bytes(zeros: pageBytes)
        }
        return try file.read(at: start, count: pageBytes)
    }

    func write(
        _ bytes: Bytes, at offset: Int, of address: PageAddress, pageBytes: Int
    ) throws(StorageError) {
        precondition(offset >= 0 && offset + bytes.count <= pageBytes, "a write stays in its page")
        try refusingAfterFailure { () throws(StorageError) in
            let (name, start) = locate(address.space, address.page, pageBytes)
            let file = try segments.created(name, in: place)
            defer { segments.markDirty(name, file, in: place) }
            try file.write(bytes, at: start + UInt64(offset))
        }
    }

    func discard(
        _ pages: Range<UInt64>, of space: SpaceID, pageBytes: Int
    ) throws(StorageError) {
        try refusingAfterFailure { () throws(StorageError) in
            let perSegment = Layout.segmentBytes / UInt64(pageBytes)
            var page = pages.lowerBound
            while page < pages.upperBound {
                let (name, start) = locate(space, page, pageBytes)
                let count = min(perSegment - page % perSegment, pages.upperBound - page)
                if let file = try segments.existing(name, in: place) {
                    defer { segments.markDirty(name, file, in: place) }
                    try file.punch(at: start, count: count * UInt64(pageBytes))
                }
                page += count
            }
        }
    }

    func drop(_ space: SpaceID) throws(StorageError) {
        try refusingAfterFailure { () throws(StorageError) in
            try segments.drop(space, in: place)
        }
    }

    func checkpoint(at lsn: LSN, snapshot: Bytes) throws(StorageError) -> UInt64 {
        try refusingAfterFailure { () throws(StorageError) in
            try superblocks.withLock { pair throws(StorageError) in
                precondition(pair != nil, "a partition is recovered before it is used")
                precondition(
                    lsn >= pair!.current.lsn && lsn <= endLSN.load(ordering: .acquiring),
                    "a checkpoint lies between the last one and the end of the log")
                defer { checkpointLSN.store(pair!.current.lsn, ordering: .releasing) }
                if pair!.current.hasSnapshot && pair!.current.lsn == lsn {
                    try pair!.complete()
                } else {
                    try segments.sync(place)
                    try SnapshotFile.write(snapshot, at: lsn, in: place)
                    try pair!.advance(to: lsn)
                }
                try SnapshotFile.removeOthers(than: pair!.current, in: place)
                try log.withLock { log throws(StorageError) in
                    try log!.beginFileAtCheckpoint()
                    try log!.removeFiles(below: lsn)
                }
            }
        }
        return logBytes
    }

    // MARK: Private parts

    /// The segment that holds a page, and where in it the page starts.
    private func locate(
        _ space: SpaceID, _ page: UInt64, _ pageBytes: Int
    ) -> (SegmentTable.Name, UInt64) {
        let perSegment = Layout.segmentBytes / UInt64(pageBytes)
        let name = SegmentTable.Name(
            partition: place.partition, space: space, number: page / perSegment)
        return (name, page % perSegment * UInt64(pageBytes))
    }

    /// Any error but a lack of space is final: it is not known what it left behind.
    private func refusingAfterFailure<Result>(
        _ body: () throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try checkFailure()
        do {
            return try body()
        } catch {
            if !error.isOutOfSpace { failure.withLock { $0 = $0 ?? error } }
            throw error
        }
    }

    private func checkFailure() throws(StorageError) {
        if let failure = failure.withLock({ $0 }) { throw failure }
    }
}
