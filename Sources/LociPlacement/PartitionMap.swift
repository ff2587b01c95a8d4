public import LociBase

/// Which shard is home to which partition. Fixed when the cluster is created: partition p lives on
/// shard p modulo the number of shards.
public struct PartitionMap: Equatable, Sendable {
    public let partitions: Int
    public let shards: Int

    public init(partitions: Int, shards: Int) {
        precondition(shards > 0 && partitions >= shards && partitions <= Limits.partitions)
        self.partitions = partitions
        self.shards = shards
    }

    public func shard(of partition: PartitionIndex) -> ShardIndex {
        partition % ShardIndex(shards)
    }

    public func partitions(of shard: ShardIndex) -> [PartitionIndex] {
        (0..<PartitionIndex(partitions)).filter { self.shard(of: $0) == shard }
    }
}
