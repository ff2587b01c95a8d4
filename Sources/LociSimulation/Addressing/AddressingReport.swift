/// What a trial of addresses found.
public struct AddressingReport: Sendable {
    /// Reading so many posting lists.
    public struct Reading: Sendable {
        public var lists: Int
        /// Mean of the lists read, where a factor of the distance limits them.
        public var meanLists: Double
        public var recall: Double
        /// Mean of the vectors in them, copies included.
        public var vectors: Double
    }

    /// Hard locations packed onto so many shards.
    public struct Shards: Sendable {
        public var count: Int
        /// Load of the fullest shard over the mean.
        public var imbalance: Double
        /// What the learning says of a sample on so many partitions.
        public var isUnroutable: Bool
        /// Partitions of the 10 neighbours of a sampled point, mean.
        public var neighbourPartitions: Double
        public var asked: [Asked]
    }

    /// Shards that a query asks when it reads so many lists.
    public struct Asked: Sendable {
        public var lists: Int
        public var mean: Double
        public var p99: Int
        /// Mean with every hard location on a random shard.
        public var atRandom: Double
    }

    public var points: Int
    public var queries: Int
    public var locations: Int
    /// Bytes of the coordinator's codes over those of the vectors.
    public var codeShare: Double
    /// Of the 16 nearest locations, the share that the codes find.
    public var codeRecall: Double
    public var meanCopies: Double
    /// Share of points with more than one copy.
    public var copied: Double
    public var meanList: Double
    public var longestList: Int
    /// Points on more than one list, read by number of lists.
    public var closure: [Reading]
    /// Points on the list of their nearest location only.
    public var single: [Reading]
    /// With a factor `1 + epsilon` of the nearest location's squared distance, at most 64 lists.
    public var pruned: [(epsilon: Float, reading: Reading)]
    public var shards: [Shards]
}
