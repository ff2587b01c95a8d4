/// Position of a shard in the cluster's configuration, from 0.
public typealias ShardIndex = UInt32
/// Number of a partition, from 0.
public typealias PartitionIndex = UInt32
/// A client's name for a point.
public typealias PointID = UInt64
/// Number of a page space: a field is one, a collection has two. Never used again once dropped.
public typealias SpaceID = UInt32
/// A cell of a field: its number in row-major order.
public typealias CellIndex = UInt64
/// Log sequence number: a byte position in a partition's log.
public typealias LSN = UInt64
/// Number of a hard location within a collection and partition. Never used again once split.
public typealias LocationID = UInt32
