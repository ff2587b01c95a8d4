public import LociBase
public import LociModel
import LociStorage
public import LociTiering

/// One tier of every shard, as the cluster file's `tiers:` says it.
///
/// Invariants:
/// - `eviction` is there for tiers of memory and no other, `path` for tiers of files and no other,
///   `compression` for the hdd tier and no other.
public struct TierConfiguration: Sendable, Equatable {
    /// How extents on the hdd tier are kept.
    public enum Compression: String, Sendable, CaseIterable {
        case zstd
        case none
    }

    public let kind: Tier
    /// Bytes of pages that each shard may keep there.
    public let capacityBytes: Int
    public let eviction: EvictionKind?
    /// Folder of the tier's files: absolute, or relative to where the program was started. Each
    /// shard has a folder of its own in it.
    public let path: String?
    public let compression: Compression?

    public init(
        kind: Tier, capacityBytes: Int, eviction: EvictionKind? = nil, path: String? = nil,
        compression: Compression? = nil
    ) {
        self.kind = kind
        self.capacityBytes = capacityBytes
        self.eviction = eviction
        self.path = path
        self.compression = compression
    }

    /// What applies without `tiers:`: 256 MiB of memory over as much of the data folder's disk as
    /// there is.
    public static func standard(dataFolder: String) -> [TierConfiguration] {
        [
            TierConfiguration(kind: .dram, capacityBytes: memoryBytes, eviction: .standard),
            TierConfiguration(kind: .ssd, capacityBytes: diskBytes, path: dataFolder),
        ]
    }

    /// The folder of one shard.
    public func folder(of shard: ShardIndex) -> String? { path.map { "\($0)/shard-\(shard)" } }

    /// Defaults of `capacity`: of memory, and of files, which then end where the disk does.
    static let memoryBytes = 256 << 20
    static let diskBytes = ConfigurationRanges.diskBytes.upperBound
}

/// How page-ins read from the segment files.
public enum PageInChoice: String, Sendable, CaseIterable {
    /// Copy from a mapping of the file.
    case mapping
    case pread
    /// `O_DIRECT`, past the kernel's cache.
    case direct
    /// `O_DIRECT` through an io_uring.
    case ioUring = "io-uring"
    /// What measured best: direct. It leaves the kernel's cache out, so that memory stays within
    /// the tiers' capacities.
    case auto

    var kind: PageInKind {
        switch self {
        case .mapping: .mapped
        case .pread: .buffered
        case .direct, .auto: .direct
        case .ioUring: .ring
        }
    }

    init(_ kind: PageInKind) {
        switch kind {
        case .mapped: self = .mapping
        case .buffered: self = .pread
        case .direct: self = .direct
        case .ring: self = .ioUring
        }
    }
}
