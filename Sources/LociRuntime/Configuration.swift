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
    /// Memory for pages, in each shard.
    public let pageCacheBytes: Int
    /// Length of a partition's log that starts a checkpoint.
    public let checkpointLogBytes: Int
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
        pageCacheBytes = try document.byteCount(
            "page-cache", in: ConfigurationRanges.pageCacheBytes, default: 256 << 20)
        checkpointLogBytes = try document.byteCount(
            "checkpoint-after", in: ConfigurationRanges.checkpointLogBytes, default: 256 << 20)
        ioThreads = try document.integer(
            "io-threads", in: ConfigurationRanges.ioThreads, default: 4)
        logLevel = try document.logLevel("log-level", default: .info)
    }

    static let keys = [
        "name", "id", "data-folder", "partitions", "coordinator", "shards", "page-cache",
        "checkpoint-after", "io-threads", "insecure", "log-level",
    ]
}

/// What the values of a configuration may be.
public enum ConfigurationRanges {
    public static let pageCacheBytes = (16 << 20)...(64 << 40)
    public static let checkpointLogBytes = (1 << 20)...(1 << 40)
    public static let ioThreads = 1...64
    /// Shards of a cluster: each has at least one partition.
    public static let shards = 1...Limits.partitions
}
