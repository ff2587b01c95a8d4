import LociBase

/// Where a partition's files lie, and whose they are.
///
///     partition-3/superblock-a, superblock-b
///     partition-3/state-<LSN>
///     partition-3/double-write-a, double-write-b
///     partition-3/log/<first LSN>.log
///     partition-3/space-7/<number>.segment
struct PartitionPlace: Sendable {
    let fileSystem: any StorageFileSystem
    let identity: SliceIdentity
    let partition: PartitionIndex
    let folder: String
    let tuning: StorageTuning

    init(
        _ partition: PartitionIndex, in sliceFolder: String, _ fileSystem: any StorageFileSystem,
        _ identity: SliceIdentity, _ tuning: StorageTuning
    ) {
        self.tuning = tuning
        self.fileSystem = fileSystem
        self.identity = identity
        self.partition = partition
        folder = sliceFolder + "/" + Self.prefix + String(partition)
    }

    static let prefix = "partition-"
    static let statePrefix = "state-"

    var logFolder: String { folder + "/log" }

    func log(first lsn: LSN) -> String { logFolder + "/" + hexadecimal(lsn) + ".log" }

    func state(at lsn: LSN) -> String { folder + "/" + Self.statePrefix + hexadecimal(lsn) }

    static let spacePrefix = "space-"
    static let segmentSuffix = ".segment"

    func spaceFolder(_ space: SpaceID) -> String { folder + "/" + Self.spacePrefix + String(space) }

    func segment(_ number: UInt64, of space: SpaceID) -> String {
        spaceFolder(space) + "/" + String(number) + Self.segmentSuffix
    }

    func header(_ kind: FileHeader.Kind, number: UInt64, proof: UInt64) -> Bytes {
        FileHeader(
            kind: kind, identity: identity, partition: partition, number: number, proof: proof
        ).encoded
    }

    func header(
        of bytes: Bytes, _ path: String, _ kind: FileHeader.Kind
    ) throws(StorageError) -> FileHeader {
        try FileHeader(bytes, path, kind: kind, identity: identity, partition: partition)
    }

    /// A whole file; only for those that fit in memory.
    func readAll(_ path: String) throws(StorageError) -> Bytes {
        let file = try fileSystem.open(path, create: false)
        return try file.read(at: 0, count: Int(try file.size()))
    }
}
