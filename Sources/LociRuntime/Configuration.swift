import LociBase
public import LociModel
public import LociTransport
public import Logging

/// What one file says about a whole cluster. Every process of the cluster reads the same file.
///
/// Invariants:
/// - Every value lies in its range of `ConfigurationRanges`.
/// - Coordinator and shards have endpoints that differ from each other.
/// - Endpoints are loopback ones unless `isInsecure`.
/// - `tiers` has the fastest first, each kind at most once, dram and ssd always.
public struct ClusterConfiguration: Sendable, Equatable {
    /// For people: appears in logs and in `loci status`.
    public let name: String
    /// Data folders carry it; one of another cluster is refused.
    public let clusterID: UInt64
    /// Where the processes keep their data: an absolute path, or one relative to where the program
    /// was started.
    public let dataFolder: String
    /// Partitions of every field and collection. Fixed when the cluster first starts.
    public let partitions: Int
    /// Where clients reach the coordinator.
    public let coordinator: Endpoint
    /// Where the coordinator reaches the shards, in the order of their `ShardIndex`.
    public let shards: [Endpoint]
    /// Places for pages, of each shard, the fastest first.
    public let tiers: [TierConfiguration]
    /// How page-ins read from the ssd tier.
    public let pageIn: PageInChoice
    /// Memory of each shard for writes that are durable in the log and not yet in the segments.
    public let writeBufferBytes: Int
    /// Where snapshots are kept; shards on other machines must reach it by the same path.
    public let snapshotFolder: String
    /// Length of a partition's log that starts a checkpoint.
    public let checkpointLogBytes: Int
    /// Bytes of pages that each shard moves between tiers of files in a second, at most.
    public let migrationBytesPerSecond: Int
    /// What may be fetched before it is asked for.
    public let prefetch: PrefetchChoice
    /// Between two rounds of gossip of each process; nil if there is none.
    public let gossipMilliseconds: Int?
    /// Threads of each shard that may wait for files.
    public let ioThreads: Int
    /// Whether endpoints outside of loopback may be bound without keys.
    public let isInsecure: Bool
    /// Least severe entries that processes log.
    public let logLevel: Logger.Level

    /// Reads a configuration file (YAML; `cluster/local.yaml` explains every key).
    /// - Throws: NOT_FOUND when there is no such file; INVALID_ARGUMENT with key, line and allowed
    ///   range for everything that is wrong in it.
    public static func load(path: String) throws(LociError) -> ClusterConfiguration {
        try ClusterConfiguration(document: ConfigurationDocument(path: path))
    }

    init(document: ConfigurationDocument) throws(LociError) {
        if document.has("page-cache") {
            throw document.complaint(
                "page-cache", "is now the capacity of the dram tier.",
                advice: "Write: tiers: [{kind: dram, capacity: 256MiB}, {kind: ssd}]")
        }
        try document.refuseUnknownKeys(Self.keys)
        name = try document.string("name", default: "local")
        try document.check("name") { (name) throws(LociError) in try checkName(name) }
        clusterID = try document.hexadecimal("id") ?? Bytes(utf8: name).checksum()
        dataFolder = document.resolve(try document.string("data-folder", default: "data"))
        isInsecure = try document.bool("insecure", default: false)
        coordinator = try document.endpoint("coordinator", default: "tcp://127.0.0.1:7100")
        shards = try document.endpoints("shards")
        try document.checkEndpoints(coordinator, shards, isInsecure: isInsecure)
        partitions = try document.integer(
            "partitions", in: shards.count...Limits.partitions, default: shards.count)
        tiers = try document.tiers(dataFolder: dataFolder)
        pageIn = try document.choice("page-in", default: .auto)
        writeBufferBytes = try document.byteCount(
            "write-buffer", in: ConfigurationRanges.writeBufferBytes, default: 64 << 20)
        snapshotFolder =
            document.has("snapshot-folder")
            ? document.resolve(try document.string("snapshot-folder", default: ""))
            : dataFolder + "/snapshots"
        migrationBytesPerSecond = try document.byteCount(
            "migration-rate", in: ConfigurationRanges.migrationBytesPerSecond, default: 64 << 20)
        checkpointLogBytes = try document.byteCount(
            "checkpoint-after", in: ConfigurationRanges.checkpointLogBytes, default: 256 << 20)
        prefetch = try document.choice("prefetch", default: .on)
        gossipMilliseconds = try document.milliseconds(
            "gossip", in: ConfigurationRanges.gossipMilliseconds, default: 500)
        ioThreads = try document.integer(
            "io-threads", in: ConfigurationRanges.ioThreads, default: 16)
        logLevel = try document.logLevel("log-level", default: .info)
    }

    /// The tier of that kind, if the shards have it.
    public func tier(_ kind: Tier) -> TierConfiguration? { tiers.first { $0.kind == kind } }

    /// Where a shard keeps its files.
    func folder(of shard: ShardIndex) -> String {
        tier(.ssd)?.folder(of: shard) ?? "\(dataFolder)/shard-\(shard)"
    }

    /// Where the coordinator keeps its files.
    var coordinatorFolder: String { "\(dataFolder)/coordinator" }

    static let keys = [
        "name", "id", "data-folder", "partitions", "coordinator", "shards", "tiers",
        "migration-rate", "page-in", "write-buffer", "snapshot-folder", "checkpoint-after",
        "prefetch", "gossip", "io-threads", "insecure", "log-level",
    ]
}

/// What the values of a configuration may be.
public enum ConfigurationRanges {
    /// Capacity of a tier of memory.
    public static let memoryBytes = (16 << 20)...(64 << 40)
    /// Capacity of a tier of files.
    public static let diskBytes = (64 << 20)...(1 << 50)
    public static let writeBufferBytes = (1 << 20)...(1 << 40)
    public static let checkpointLogBytes = (1 << 20)...(1 << 40)
    public static let migrationBytesPerSecond = (1 << 20)...(64 << 30)
    public static let gossipMilliseconds = 100...60_000
    public static let ioThreads = 1...64
    /// Shards of a cluster: each has at least one partition.
    public static let shards = 1...Limits.partitions
}
