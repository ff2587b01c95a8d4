import LociCluster

extension ClusterConfiguration {
    /// With a seed of this process.
    var gossip: GossipSettings? {
        gossipMilliseconds.map {
            GossipSettings(
                intervalMicroseconds: UInt64($0) * 1000, seed: UInt64.random(in: 0...UInt64.max))
        }
    }
}
