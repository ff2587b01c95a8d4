public import LociBase

/// Whose data a folder holds. Every file in it says so.
public struct SliceIdentity: Equatable, Sendable {
    public let clusterID: UInt64
    public let shard: ShardIndex

    public init(clusterID: UInt64, shard: ShardIndex) {
        self.clusterID = clusterID
        self.shard = shard
    }
}

/// What recovery finds of a partition.
public struct RecoveredPartition: Sendable {
    /// A record of the log.
    public struct Record: Sendable {
        /// Where it starts.
        public let lsn: LSN
        /// Where the next one starts.
        public let end: LSN
        public let payload: Bytes
    }

    /// The state at the last checkpoint; nil if there was none.
    public var snapshot: Bytes?
    /// The checkpoint's position: records before it are in the snapshot and the pages.
    public var snapshotLSN: LSN
    /// All records since, in order, to be applied again.
    public var records: [Record]
    /// Where the next record will start.
    public var end: LSN
}
