import LociBase
import LociModel
import LociStorage
import LociTiering

/// Tiers of files, as the configuration says.
extension ShardDriver {
    static func coldTier(_ configuration: ClusterConfiguration, _ shard: ShardIndex) -> ColdTier? {
        guard let tier = configuration.tier(.hdd), let folder = tier.folder(of: shard) else {
            return nil
        }
        return ColdTier(
            backend: FolderBackend(folder: folder, fileSystem: LinuxFileSystem()),
            compression: tier.compression == TierConfiguration.Compression.none ? .none : .standard)
    }

    static func migrator(_ configuration: ClusterConfiguration, _ store: SliceStore) -> Migrator? {
        guard let ssd = configuration.tier(.ssd), let hdd = configuration.tier(.hdd) else {
            return nil
        }
        return Migrator(
            store: store,
            settings: Migration.Settings(
                ssdCapacity: UInt64(ssd.capacityBytes), hddCapacity: UInt64(hdd.capacityBytes)),
            bytesPerSecond: configuration.migrationBytesPerSecond)
    }
}
