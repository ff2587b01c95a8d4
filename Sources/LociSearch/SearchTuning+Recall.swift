public import LociModel

/// How wide addresses are for a recall.
extension SearchTuning {
    /// What queries want that name no recall, where the collection was tuned.
    public static let standardRecall: Float = 0.95
    /// Hard locations that a radius activates at most.
    public static let mostProbes = 1024

    /// What serves collections that were not tuned, by what MNIST and clustered data need; the
    /// recalls ascend. A number of hard locations and no radius: how far a radius reaches differs
    /// from data to data.
    public static let usualSettings = [
        RecallSetting(recall: 0.9, probes: 8, radius: 1),
        RecallSetting(recall: 0.95, probes: 12, radius: 1),
        RecallSetting(recall: 0.99, probes: 32, radius: 1),
        RecallSetting(recall: 0.999, probes: 64, radius: 1),
    ]

    /// The setting for a recall: of what was stored, the one with the lowest recall that is no
    /// lower than the wanted one. Where none is, the usual one, but none narrower than the widest
    /// stored.
    /// - Parameters:
    ///   - recall: 0 wants what the collection was tuned for, nearest to `standardRecall`.
    ///   - stored: Their recalls ascend.
    /// - Returns: Nil if nothing is wanted and nothing stored.
    public static func setting(
        for recall: Float, stored: [RecallSetting]
    ) -> RecallSetting? {
        if recall == 0 {
            return stored.first { $0.recall >= standardRecall } ?? stored.last
        }
        if let setting = stored.first(where: { $0.recall >= recall }) { return setting }
        var usual = usualSettings.first { $0.recall >= recall } ?? usualSettings.last!
        if let widest = stored.last {
            usual.probes = max(usual.probes, widest.probes)
            usual.radius = max(usual.radius, widest.radius)
        }
        return usual
    }
}
