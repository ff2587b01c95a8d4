public import LociBase
public import LociModel
public import LociPlacement
public import LociStorage

/// Opens the coordinator's metadata for a new start; the simulator does it by the same code.
public enum CoordinatorRecovery {
    public static let metadataName = "metadata"

    public static func rarityName(_ space: SpaceID) -> String { "rarity-\(space)" }

    /// Reads the metadata, or makes it for a new cluster, and persists the next incarnation.
    public static func open(
        _ store: MetadataStore, clusterID: UInt64, map: PartitionMap
    ) throws(LociError) -> (ClusterMetadata, [SpaceID: Bytes]) {
        do {
            return try load(store, clusterID, map)
        } catch let error as StorageError {
            throw error.sentence
        } catch let error as LociError {
            throw error
        } catch {
            throw LociError(.internal, "\(error)")
        }
    }

    private static func load(
        _ store: MetadataStore, _ clusterID: UInt64, _ map: PartitionMap
    ) throws -> (ClusterMetadata, [SpaceID: Bytes]) {
        var metadata =
            try store.load(metadataName).map { (bytes) throws(LociError) in
                try ClusterMetadata(encoded: bytes)
            } ?? ClusterMetadata(clusterID: clusterID, map: map)
        guard metadata.clusterID == clusterID else {
            throw LociError(
                .failedPrecondition, "The data folder belongs to another cluster.",
                advice: "Check data-folder and id in the cluster file.")
        }
        guard metadata.map == map else {
            throw LociError(
                .failedPrecondition,
                "The cluster was created with \(metadata.map.shards) shards and "
                    + "\(metadata.map.partitions) partitions.",
                advice: "Put these numbers into the cluster file, or choose a new data folder.")
        }
        metadata.incarnation += 1
        try store.store(metadata.encoded, as: metadataName)
        var rarity: [SpaceID: Bytes] = [:]
        for collection in metadata.catalog.collections where collection.isText {
            rarity[collection.space] = try store.load(rarityName(collection.space))
        }
        return (metadata, rarity)
    }
}
