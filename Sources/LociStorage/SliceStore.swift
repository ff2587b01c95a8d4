public import LociBase
public import LociModel

/// All that one shard stores, in one folder: per partition a log, checkpoints, and pages in
/// segments. Methods may be called from any thread that is allowed to wait for a disk; calls about
/// one page (`readPages`, `write`) must not overlap.
///
/// What is acknowledged survives a kill -9 and a loss of power at any instant: records are in the
/// log before `append` returns; pages are written to a buffer in memory afterwards, and once more
/// from the log in recovery, until a checkpoint has them durably in their segments.
public final class SliceStore: Sendable {
    /// Largest record.
    public static let recordBytes = 32 << 20
    /// Segments that are open and mapped at once; the least recently used are closed.
    public static let openSegments = 512

    /// Grows with every opening of the folder.
    public let incarnation: UInt64

    let partitions: [PartitionIndex: PartitionStore]
    private let buffered: WriteBufferCounter
    /// Holds the lock on the folder.
    let fileSystem: any StorageFileSystem
    /// What lies below the segments.
    let extents: ExtentStore?

    private init(
        incarnation: UInt64, partitions: [PartitionIndex: PartitionStore],
        buffered: WriteBufferCounter, fileSystem: any StorageFileSystem, extents: ExtentStore?
    ) {
        self.extents = extents
        self.incarnation = incarnation
        self.partitions = partitions
        self.buffered = buffered
        self.fileSystem = fileSystem
    }

    /// Opens a shard's folder, and creates what is missing.
    /// - Parameter writeBufferBytes: Memory for pages that were written and are not yet in their
    ///   segments, over all partitions.
    /// - Parameter coldTier: Where pages may be moved that are seldom used. A folder that was
    ///   opened with one is never opened without.
    /// - Throws: `locked` if another process has it open; `foreign` if it belongs to another
    ///   cluster or shard, or was written by another version; `corrupt` if its identity is damaged;
    ///   `missingTier` if it was opened with a cold tier before and that is not there.
    public static func open(
        folder: String, fileSystem: any StorageFileSystem, identity: SliceIdentity,
        partitions: [PartitionIndex], writeBufferBytes: Int = 64 << 20,
        coldTier: ColdTier? = nil
    ) throws(StorageError) -> SliceStore {
        var tuning = StorageTuning()
        tuning.writeBufferBytes = writeBufferBytes
        return try open(
            folder: folder, fileSystem: fileSystem, identity: identity, partitions: partitions,
            tuning: tuning, coldTier: coldTier)
    }

    static func open(
        folder: String, fileSystem: any StorageFileSystem, identity: SliceIdentity,
        partitions: [PartitionIndex], tuning: StorageTuning, coldTier: ColdTier? = nil
    ) throws(StorageError) -> SliceStore {
        try fileSystem.createFolder(folder)
        try fileSystem.lock(folder)
        let incarnation = try IdentityFile.open(folder, fileSystem, identity)
        let extents = try ColdTierMark.check(coldTier, folder, fileSystem, identity)
            .map(ExtentStore.init)
        let segments = SegmentTable(capacity: tuning.openSegments)
        let buffered = WriteBufferCounter(limit: tuning.writeBufferBytes)
        var stores: [PartitionIndex: PartitionStore] = [:]
        for partition in partitions {
            let place = PartitionPlace(partition, in: folder, fileSystem, identity, tuning)
            try fileSystem.createFolder(place.folder)
            stores[partition] = PartitionStore(place, segments, buffered, extents)
        }
        return SliceStore(
            incarnation: incarnation, partitions: stores, buffered: buffered,
            fileSystem: fileSystem, extents: extents)
    }

    /// Reads back what a partition holds; to be called once, before anything else is done with it.
    /// A torn tail of the log is cut; pages that an interrupted flush has torn are mended.
    /// - Throws: `corrupt` if something that was durable is damaged; nothing is changed then.
    public func recover(_ partition: PartitionIndex) throws(StorageError) -> RecoveredPartition {
        try store(partition).recover()
    }

    /// Appends records of up to `recordBytes` in one write and one sync; they are durable on
    /// return. After `noSpace` nothing is changed and the partition stays usable; after any other
    /// error it refuses everything, and only recovery knows which records became durable.
    /// - Parameter isUrgent: Whether the records may make room on a full disk: a full write buffer
    ///   does not refuse them.
    /// - Returns: The LSN after the last record.
    public func append(
        _ records: [Bytes], to partition: PartitionIndex, isUrgent: Bool = false
    ) throws(StorageError) -> LSN {
        try store(partition).append(records, isUrgent: isUrgent)
    }

    /// Pages' bytes, verified, in the order of the requests; each answer stands for itself. Zeros
    /// where a page was never written; creates no file. A page on a tier slower than its
    /// request allows is skipped.
    public func readPages(_ requests: [PageRequest], into memory: any PageMemory) -> [PageAnswer] {
        ReadBatch(requests, of: self).answers(into: memory)
    }

    /// One page's bytes, verified, on the heap.
    public func readPage(
        _ address: PageAddress, pageBytes: Int
    ) throws(StorageError) -> Bytes {
        let request = PageRequest(address: address, pageBytes: pageBytes)
        switch readPages([request], into: HeapPageMemory())[0] {
        case .loaded(let bytes, _): return bytes
        case .failed(let error): throw error
        case .skipped: preconditionFailure("no tier is slower than the slowest")
        }
    }

    /// Writes a part of a page into the write buffer, and reads the rest of the page if it is not
    /// there. A page that is damaged stays so unless all of it is written.
    public func write(
        _ bytes: Bytes, at offset: Int, of address: PageAddress, pageBytes: Int
    ) throws(StorageError) {
        try store(address.partition).write(bytes, at: offset, of: address, pageBytes: pageBytes)
    }

    /// Brings written pages to their segments. After `noSpace` they are still in the buffer.
    public func flush(_ partition: PartitionIndex) throws(StorageError) {
        try store(partition).flush()
    }

    /// Bytes in the write buffer, over all partitions, and what it is to hold at most: beyond it
    /// writers should wait for a flush. Never waits.
    public var writeBufferBytes: Int { buffered.bytes }
    public var writeBufferLimit: Int { buffered.limit }

    public var partitionNumbers: [PartitionIndex] { partitions.keys.sorted() }

    /// Whether the last attempt to write to the partition's files found no space. Appends are
    /// refused then once the write buffer is full.
    public func isFull(_ partition: PartitionIndex) -> Bool { store(partition).isFull }

    /// Whether a partition refuses everything until it is recovered. Never waits for a disk.
    public func hasFailed(_ partition: PartitionIndex) -> Bool { store(partition).hasFailed }

    /// Flushes, saves a snapshot of the state, and lets go of the log before it.
    /// The caller guarantees that every `write` and `drop` for records below `lsn` has returned,
    /// and that the snapshot is the state after just these records.
    /// - Returns: Bytes of records that remain in the log for recovery.
    public func checkpoint(
        _ partition: PartitionIndex, at lsn: LSN, snapshot: Bytes
    ) throws(StorageError) -> UInt64 {
        try store(partition).checkpoint(at: lsn, state: snapshot)
    }

    /// Forgets all pages of a space; they read as zeros, and their files go with the next
    /// checkpoint. The space must not be written to again.
    public func drop(space: SpaceID, partition: PartitionIndex) { store(partition).drop(space) }

    /// Bytes of records since the last checkpoint: what recovery would read. Never waits.
    public func logBytes(_ partition: PartitionIndex) -> UInt64 { store(partition).logBytes }

    public var counts: StorageCounts {
        partitions.values.reduce(into: StorageCounts()) { $0.add($1.counters.counts) }
    }

    func store(_ partition: PartitionIndex) -> PartitionStore {
        guard let store = partitions[partition] else {
            preconditionFailure("partition \(partition) is not of this slice")
        }
        return store
    }
}
