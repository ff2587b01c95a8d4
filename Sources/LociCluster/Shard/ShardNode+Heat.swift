public import LociTiering

extension ShardNode {
    /// How often extents are used: what moves between tiers of files is decided by it. Nil unless
    /// the settings want it counted.
    public var heat: HeatMap? { pages.heat }
}
