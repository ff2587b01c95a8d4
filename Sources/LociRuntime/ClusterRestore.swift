public import LociBase
import LociCluster
public import LociModel
import LociPlacement
import LociStorage

/// Makes the data folders of a new cluster out of a snapshot, on this machine and with nothing
/// running. The number of shards may be another; that of partitions stays.
///
/// Invariants:
/// - Folders that hold data are never touched.
/// - A shard's folder gets its name only when all of it is durable, the coordinator's metadata come
///   last; so what was interrupted cannot be started, and is begun anew.
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
        let content = try Self.sentences { () throws(StorageError) in
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
        let coordinator = "\(configuration.dataFolder)/coordinator"
        let cold = shards.compactMap { configuration.tier(.hdd)?.folder(of: $0) }
        for path in shards.map(shardFolder) + cold + [coordinator] {
            let used = try Self.sentences { () throws(StorageError) in
                try fileSystem.list(path).contains { $0 != "lock" }
            }
            guard !used else {
                throw LociError(
                    .alreadyExists, "\(path) holds data already.",
                    advice: "Restore into folders that are empty or not there: choose others in the "
                        + "cluster file, or move the old ones away.")
            }
        }
        for shard in shards { try restore(shard, map, report) }
        for shard in shards {
            let final = shardFolder(shard)
            try Self.sentences { () throws(StorageError) in
                try fileSystem.removeTree(final)
                try fileSystem.rename(final + Self.unfinished, to: final)
                try fileSystem.syncFolder(String(final.prefix(upTo: final.lastIndex(of: "/")!)))
            }
        }
        try restoreMetadata(coordinator, map)
    }

    private static let unfinished = ".restoring"

    private func shardFolder(_ shard: ShardIndex) -> String {
        configuration.tier(.ssd)?.folder(of: shard)
            ?? "\(configuration.dataFolder)/shard-\(shard)"
    }

    private func restore(
        _ shard: ShardIndex, _ map: PartitionMap, _ report: (Progress) -> Void
    ) throws(LociError) {
        try Self.sentences { () throws(StorageError) in
            let working = shardFolder(shard) + Self.unfinished
            try fileSystem.removeTree(working)
            let store = try SliceStore.open(
                folder: working, fileSystem: LinuxFileSystem(),
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
    private func restoreMetadata(_ target: String, _ map: PartitionMap) throws(LociError) {
        let name = CoordinatorRecovery.metadataName
        let content = try Self.sentences { () throws(StorageError) in
            try MetadataStore(folder: folder, fileSystem: LinuxFileSystem()).load(name)
        }
        guard let content else {
            throw LociError(.dataLoss, "The snapshot in \(folder) lacks the file \(name).")
        }
        var metadata = try ClusterMetadata(encoded: content)
        metadata.clusterID = configuration.clusterID
        metadata.map = map
        let encoded = metadata.encoded
        try Self.sentences { () throws(StorageError) in
            let source = try MetadataStore(folder: folder, fileSystem: LinuxFileSystem())
            let store = try MetadataStore(folder: target, fileSystem: LinuxFileSystem())
            for collection in metadata.catalog.collections where collection.isText {
                let rarity = CoordinatorRecovery.rarityName(collection.space)
                if let bytes = try source.load(rarity) { try store.store(bytes, as: rarity) }
            }
            try store.store(encoded, as: name)
        }
    }

    private static func sentences<Value>(
        _ body: () throws(StorageError) -> Value
    ) throws(LociError) -> Value {
        do throws(StorageError) {
            return try body()
        } catch {
            throw error.sentence
        }
    }
}
