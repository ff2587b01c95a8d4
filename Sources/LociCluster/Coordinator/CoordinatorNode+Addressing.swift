import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire

/// How many hard locations a vector activates.
///
/// Invariants:
/// - The nearest `least` are active; of the `most` nearest, also those within `1 + epsilon` of the
///   nearest one's squared distance.
struct AddressWidth: Equatable, Sendable {
    var most: Int
    var least: Int
    var epsilon: Float

    /// What a request says, or else what the collection is tuned for.
    /// - Parameters:
    ///   - probes: So many; with a radius at least so many. 0 if not said.
    ///   - radius: 0 if not said. Inner products have none: there the best `probes` count.
    ///   - recall: 0 if not said.
    init(
        probes: Int, radius: Float, recall: Float, metric: Metric, stored: [RecallSetting],
        _ tuning: SearchTuning
    ) {
        self.init(most: tuning.probes, least: tuning.leastProbes, epsilon: tuning.probeEpsilon)
        if radius > 0, metric != .dot {
            self.init(
                most: max(SearchTuning.mostProbes, probes), least: max(1, probes),
                epsilon: radius - 1)
        } else if probes > 0 {
            self.init(most: probes, least: probes, epsilon: .infinity)
        } else if let setting = SearchTuning.setting(for: recall, stored: stored) {
            let least = Int(setting.probes)
            let most = metric == .dot ? least : max(SearchTuning.mostProbes, least)
            self.init(most: most, least: least, epsilon: setting.radius - 1)
        }
    }

    private init(most: Int, least: Int, epsilon: Float) {
        self.most = most
        self.least = least
        self.epsilon = epsilon
    }

    /// The nearest so many, however far.
    init(exactly probes: Int) { self.init(most: probes, least: probes, epsilon: .infinity) }
}

/// The addresses of vectors.
extension CoordinatorNode {
    func width(
        probes: UInt32, radius: Float, recall: Float, _ definition: CollectionDefinition
    ) -> AddressWidth {
        let stored = metadata.tuning[definition.space] ?? []
        let isUnroutable = metadata.unroutable.contains(definition.space)
        if probes == 0, radius == 0, stored.isEmpty, isUnroutable {
            // Neighbours are anywhere: far more hard locations for the same recall.
            let usual = SearchTuning.setting(for: recall, stored: [])?.probes ?? 16
            return AddressWidth(exactly: Int(usual) * 4 * metadata.map.partitions)
        }
        return AddressWidth(
            probes: Int(probes), radius: radius, recall: recall, metric: definition.metric,
            stored: stored, tuning)
    }

    /// The hard locations to look at. Partitions whose news has not come yet choose for themselves,
    /// so that what was acknowledged is found before the copy here has caught up.
    func address(
        of vector: [Float], _ width: AddressWidth, _ definition: CollectionDefinition
    ) -> [LocationKey] {
        let partitions = (0..<PartitionIndex(metadata.map.partitions))
        guard let state = collections[definition.space] else {
            return partitions.map { LocationKey(partition: $0, location: ShardQuery.ownChoice) }
        }
        var keys = state.locations.address(
            of: vector, metric: definition.metric, most: width.most, least: width.least,
            epsilon: width.epsilon
        ).map(\.key)
        // Points that are not yet where the learned hard locations say could be anywhere.
        let isUnsettled = state.following.count > 1 && !state.isSettled
        for (partition, following) in state.following.enumerated()
        where isUnsettled || !following.isCurrent {
            keys.append(
                LocationKey(
                    partition: PartitionIndex(partition), location: ShardQuery.ownChoice))
        }
        return keys
    }

    /// What goes to each shard: its hard locations as the wire has them.
    func byShard(_ keys: [LocationKey]) -> [(shard: ShardIndex, locations: Bytes)] {
        let groups = Dictionary(grouping: keys) { metadata.map.shard(of: $0.partition) }
        return groups.keys.sorted().map { shard in
            (shard, Bytes(values: groups[shard]!.flatMap { [$0.partition, $0.location] }))
        }
    }

    /// - Throws: INVALID_ARGUMENT unless it has the collection's dimension, and a length if that
    ///   matters.
    func vector(
        _ bytes: Bytes, for definition: CollectionDefinition
    ) throws(LociError) -> [Float] {
        var vector = bytes.values(Float.self)
        guard vector.count == definition.dimension else {
            throw LociError(
                .invalidArgument,
                "The vector has dimension \(vector.count); the collection '\(definition.name)' "
                    + "has \(definition.dimension).",
                advice: "`loci collection info \(definition.name)` shows what it takes.")
        }
        if definition.metric == .cosine { try normalise(&vector) }
        return vector
    }
}
