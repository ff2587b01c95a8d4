public import LociBase
import LociCluster
public import LociModel
import LociPlacement
import LociStorage

/// Makes the data folders of a new cluster out of a snapshot, on this machine and with nothing
/// running. The number of shards may be another; that of partitions stays.
///
/// Invariants:
/// - Folders that hold data are never touched, but for those of a restore that was interrupted.
/// - A file in the data folder says that a restore is under way; while it is there, neither shards
///   nor the coordinator start, and the next restore begins anew.
public struct ClusterRestore {
    private let configuration: ClusterConfiguration
    private let folder: String
    private let manifest: SnapshotManifest
    private let fileSystem = LinuxFileSystem()

    /// - Parameter snapshot: A folder, or a name in the cluster file's `snapshot-folder`.
    /// - Throws: NOT_FOUND if there is no complete snapshot, FAILED_PRECONDITION if it does not fit
    ///   the cluster file.
    public init(_ snapshot: String, into configuration: ClusterConfiguration) throws(LociError) {
        self.configuration = configuration
        let fileSystem = LinuxFileSystem()
        let file = SnapshotManifest.fileName
        let candidates = ["\(configuration.snapshotFolder)/\(snapshot)", snapshot]
        guard let folder = candidates.first(where: { fileSystem.exists("\($0)/\(file)") }) else {
            throw LociError(
                .notFound, "There is no complete snapshot '\(snapshot)'.",
                advice: "`loci snapshot list` names those of a running cluster; give the folder of "
                    + "one, or a name in \(configuration.snapshotFolder).")
        }
        self.folder = folder
        let content = try inSentence { () throws(StorageError) in
            try MetadataStore(folder: folder, fileSystem: LinuxFileSystem()).load(file)
        }
        guard let content else {
            throw LociError(.notFound, "The snapshot in \(folder) has no manifest.")
        }
        manifest = try SnapshotManifest(encoded: content)
        guard configuration.partitions == manifest.partitions else {
            throw LociError(
                .failedPrecondition,
                "The snapshot has \(manifest.partitions) partitions, the cluster file says "
                    + "\(configuration.partitions).",
                advice: "Write `partitions: \(manifest.partitions)` into the cluster file; the "
                    + "number of shards may be up to that.")
        }
    }

    /// What was restored of one shard.
    public struct Progress: Sendable {
        public let shard: ShardIndex
        public let partition: PartitionIndex
        public let pages: UInt64
    }

    /// Restores all shards and the coordinator.
    /// - Throws: ALREADY_EXISTS if a folder of the cluster holds data, DATA_LOSS if the snapshot is
    ///   damaged. Nothing that could be started is left then.
    public func run(report: (Progress) -> Void) throws(LociError) {
        let map = PartitionMap(
            partitions: manifest.partitions, shards: configuration.shards.count)
        let shards = (0..<map.shards).map { ShardIndex($0) }
        let coordinator = configuration.coordinatorFolder
        let cold = shards.compactMap { configuration.tier(.hdd)?.folder(of: $0) }
        let folders = shards.map(configuration.folder(of:)) + [coordinator]
        let metadata = try metadata(map)
        if fileSystem.exists(Self.mark(in: configuration.dataFolder)) {
            try inSentence { () throws(StorageError) in
                for path in folders { try fileSystem.removeTree(path) }
            }
        }
        for path in folders + cold { try checkEmpty(path) }
        try inSentence { () throws(StorageError) in
            try fileSystem.createFolder(configuration.dataFolder)
            let mark = Self.mark(in: configuration.dataFolder)
            try fileSystem.open(mark, create: true).sync()
            try fileSystem.syncFolder(configuration.dataFolder)
        }
        for shard in shards { try restore(shard, map, report) }
        try inSentence { () throws(StorageError) in
            let store = try MetadataStore(folder: coordinator, fileSystem: LinuxFileSystem())
            for (name, content) in metadata { try store.store(content, as: name) }
            try fileSystem.remove(Self.mark(in: configuration.dataFolder))
            try fileSystem.syncFolder(configuration.dataFolder)
        }
    }

    private static func mark(in dataFolder: String) -> String { dataFolder + "/restoring" }

    /// - Throws: FAILED_PRECONDITION if a restore into the folder was begun and not finished.
    static func checkFinished(in dataFolder: String) throws(LociError) {
        guard LinuxFileSystem().exists(mark(in: dataFolder)) else { return }
        throw LociError(
            .failedPrecondition, "A restore into \(dataFolder) is under way or was interrupted.",
            advice: "Wait for it, or run `loci restore` again: it begins anew.")
    }

    private func checkEmpty(_ path: String) throws(LociError) {
        let isUsed = try inSentence { () throws(StorageError) in
            try fileSystem.list(path).contains { $0 != "lock" }
        }
        guard !isUsed else {
            throw LociError(
                .alreadyExists, "\(path) holds data already.",
                advice: "Restore into folders that are empty or not there: choose others in the "
                    + "cluster file, or move the old ones away.")
        }
    }

    private func restore(
        _ shard: ShardIndex, _ map: PartitionMap, _ report: (Progress) -> Void
    ) throws(LociError) {
        try inSentence { () throws(StorageError) in
            let store = try SliceStore.open(
                folder: configuration.folder(of: shard), fileSystem: LinuxFileSystem(),
                identity: SliceIdentity(clusterID: configuration.clusterID, shard: shard),
                partitions: map.partitions(of: shard),
                writeBufferBytes: configuration.writeBufferBytes)
            for partition in map.partitions(of: shard) {
                _ = try store.recover(partition)
                let pages = try store.restore(partition, from: folder)
                report(Progress(shard: shard, partition: partition, pages: pages))
            }
        }
    }

    /// The coordinator's files, with this cluster's identity and number of shards.
    private func metadata(_ map: PartitionMap) throws(LociError) -> [(name: String, Bytes)] {
        let name = CoordinatorRecovery.metadataName
        let source = try inSentence { () throws(StorageError) in
            try MetadataStore(folder: folder, fileSystem: LinuxFileSystem())
        }
        let content = try inSentence { () throws(StorageError) in try source.load(name) }
        guard let content else {
            throw LociError(.dataLoss, "The snapshot in \(folder) lacks the file \(name).")
        }
        var metadata = try ClusterMetadata(encoded: content)
        metadata.clusterID = configuration.clusterID
        metadata.map = map
        var files = [(name: name, metadata.encoded)]
        for collection in metadata.catalog.collections where collection.isText {
            let rarity = CoordinatorRecovery.rarityName(collection.space)
            let bytes = try inSentence { () throws(StorageError) in try source.load(rarity) }
            if let bytes { files.append((name: rarity, bytes)) }
        }
        return files
    }
}
