import LociBase
public import LociModel
import LociPlacement
public import LociWire

/// What a cluster consists of, as the coordinator told it: where its shards are, and its catalog.
///
/// Invariants:
/// - There are as many `shards` as the cluster has, and no more than partitions.
public struct ClusterPlacement: Equatable, Sendable {
    public let clusterID: UInt64
    public let partitions: Int
    /// By their numbers; an incarnation is 0 while the coordinator is not in touch with the shard.
    public let shards: [ShardPlace]
    public let catalog: Catalog

    init(_ message: Message) throws(LociError) {
        guard case .placementAnswer(let answer) = message.body, message.bulk.count == 1,
            (1...Limits.partitions).contains(Int(answer.partitions)), !answer.shards.isEmpty,
            answer.shards.count <= answer.partitions
        else { throw unexpected(message) }
        clusterID = answer.clusterID
        partitions = Int(answer.partitions)
        shards = answer.shards
        catalog = try Catalog(encoded: message.bulk[0])
    }

    /// The identity of one of the catalog's fields; nil if there is none of that name.
    public func identity(ofField name: String) -> UInt64? {
        catalog.field(named: name)?.identity(in: clusterID)
    }

    var map: PartitionMap { PartitionMap(partitions: partitions, shards: shards.count) }
}

extension LociClient {
    /// Where the shards are, and the catalog.
    public func placement() async throws(LociError) -> ClusterPlacement {
        try ClusterPlacement(try await call(.placement))
    }
}
