public import LociBase
public import LociModel

/// All that one shard stores, in one folder: per partition a log, checkpoints, and pages in
/// segments. Methods may be called from any thread that is allowed to wait for a disk.
///
/// What is acknowledged survives a kill -9 and a loss of power at any instant: records are in the
/// log before `append` returns; pages are written afterwards, unsynced, and written again from the
/// log in recovery, until a checkpoint makes them durable.
public final class SliceStore: Sendable {
    /// Largest record.
    public static let recordBytes = 32 << 20
    /// Segments that are open and mapped at once; the least recently used are closed.
    public static let openSegments = 512

    /// Grows with every opening of the folder.
    public let incarnation: UInt64

    private let partitions: [PartitionIndex: PartitionStore]
    /// Holds the lock on the folder.
    private let fileSystem: any StorageFileSystem

    private init(
        incarnation: UInt64, partitions: [PartitionIndex: PartitionStore],
        fileSystem: any StorageFileSystem
    ) {
        self.incarnation = incarnation
        self.partitions = partitions
        self.fileSystem = fileSystem
    }

    /// Opens a shard's folder, and creates what is missing.
    /// - Throws: `locked` if another process has it open; `foreign` if it belongs to another
    ///   cluster or shard, or was written by another version; `corrupt` if its identity is damaged.
    public static func open(
        folder: String, fileSystem: any StorageFileSystem, identity: SliceIdentity,
        partitions: [PartitionIndex]
    ) throws(StorageError) -> SliceStore {
        try open(
            folder: folder, fileSystem: fileSystem, identity: identity, partitions: partitions,
            tuning: StorageTuning())
    }

    static func open(
        folder: String, fileSystem: any StorageFileSystem, identity: SliceIdentity,
        partitions: [PartitionIndex], tuning: StorageTuning
    ) throws(StorageError) -> SliceStore {
        try fileSystem.createFolder(folder)
        try fileSystem.lock(folder)
        let incarnation = try IdentityFile.open(folder, fileSystem, identity)
        let segments = SegmentTable(capacity: tuning.openSegments)
        var stores: [PartitionIndex: PartitionStore] = [:]
        for partition in partitions {
            let place = PartitionPlace(partition, in: folder, fileSystem, identity, tuning)
            try fileSystem.createFolder(place.folder)
            stores[partition] = PartitionStore(place, segments)
        }
        return SliceStore(incarnation: incarnation, partitions: stores, fileSystem: fileSystem)
    }

    /// Reads back what a partition holds; to be called once, before anything else is done with it.
    /// A torn tail of the log is cut.
    /// - Throws: `corrupt` if something that was durable is damaged; nothing is changed then.
    public func recover(_ partition: PartitionIndex) throws(StorageError) -> RecoveredPartition {
        try store(partition).recover()
    }

    /// Appends records of up to `recordBytes` in one write and one sync; they are durable on
    /// return. After `noSpace` nothing is changed and the partition stays usable; after any other
    /// error it refuses everything, and only recovery knows which records became durable.
    /// - Returns: The LSN after the last record.
    public func append(
        _ records: [Bytes], to partition: PartitionIndex
    ) throws(StorageError) -> LSN {
        try store(partition).append(records)
    }

    /// A page's bytes, zeros where it was never written; creates no file.
    public func readPage(
        _ address: PageAddress, pageBytes: Int
    ) throws(StorageError) -> Bytes {
        try store(address.partition).readPage(address, pageBytes: pageBytes)
    }

    /// Pages' bytes, in the order of the requests; each answer stands for itself.
    public func readPages(_ requests: [PageRequest], into memory: any PageMemory) -> [PageAnswer] {
        requests.map { request in
            do throws(StorageError) {
                let bytes = try readPage(request.address, pageBytes: request.pageBytes)
                return .loaded(bytes, from: .ssd)
            } catch {
                return .failed(error)
            }
        }
    }

    /// Writes a part of a page, and creates its segment at the first touch. Durable after the next
    /// checkpoint. After `noSpace` the part is undefined and to be written again.
    public func write(
        _ bytes: Bytes, at offset: Int, of address: PageAddress, pageBytes: Int
    ) throws(StorageError) {
        try store(address.partition).write(bytes, at: offset, of: address, pageBytes: pageBytes)
    }

    /// Gives the space of pages back; they read as zeros. Durable after the next checkpoint.
    public func discard(
        pages: Range<UInt64>, of space: SpaceID, partition: PartitionIndex, pageBytes: Int
    ) throws(StorageError) {
        try store(partition).discard(pages, of: space, pageBytes: pageBytes)
    }

    /// Makes the pages durable, saves a snapshot of the state, and lets go of the log before it.
    /// The caller guarantees that every `write` and `discard` for records below `lsn` has returned,
    /// and that the snapshot is the state after just these records.
    /// - Returns: Bytes of records that remain in the log for recovery.
    public func checkpoint(
        _ partition: PartitionIndex, at lsn: LSN, snapshot: Bytes
    ) throws(StorageError) -> UInt64 {
        try store(partition).checkpoint(at: lsn, snapshot: snapshot)
    }

    /// Removes all pages of a space, durable on return. The space must not be written to again.
    public func drop(space: SpaceID, partition: PartitionIndex) throws(StorageError) {
        try store(partition).drop(space)
    }

    /// Bytes of records since the last checkpoint: what recovery would read. Never waits.
    public func logBytes(_ partition: PartitionIndex) -> UInt64 { store(partition).logBytes }

    private func store(_ partition: PartitionIndex) -> PartitionStore {
        guard let store = partitions[partition] else {
            preconditionFailure("partition \(partition) is not of this slice")
        }
        return store
    }
}
