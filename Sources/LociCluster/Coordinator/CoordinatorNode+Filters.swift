import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire

/// Filters that let so few points through that partitions compare all of these. The address says
/// nothing of where they are, so that all partitions have to be asked: once, as soon as one of
/// those that were asked by address has answered in this way.
extension CoordinatorNode {
    /// Partitions that decide by a share of their own points decide alike if the share is about the
    /// same everywhere; where one has more than the others by chance, it should not stand apart.
    private static let reserve: Float = 4

    /// The share of a partition's points up to which it is to compare all that pass. None where
    /// vectors must not be brought in: then codes have to do.
    func selectiveShare(_ search: QueryOperation) -> Float {
        guard !search.query.filter.isEmpty, search.query.maxTier == nil,
            let state = collections[search.definition.space]
        else { return 0 }
        let points = state.points
        let codes = Double(points) * Double(search.asked) / Double(max(1, state.locations.count))
        let share = SearchTuning.selectiveShare(
            k: Int(search.query.k), points: points, codes: codes)
        return search.reach == .rest ? min(1, share * Self.reserve) : share
    }

    /// All partitions that were not looked at as a whole.
    func rest(of search: QueryOperation, each location: LocationID) -> [LocationKey] {
        (0..<PartitionIndex(metadata.map.partitions))
            .filter { !search.wholePartitions.contains($0) }
            .map { LocationKey(partition: $0, location: location) }
    }
}
