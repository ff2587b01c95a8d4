import LociKernels

/// Packs hard locations onto partitions: neighbours together, loads even (SPANN, section 4.3: more
/// and smaller groups than machines, best-fit packed by load).
///
/// Locations are clustered into groups; groups go, heaviest first, to the partition that holds most
/// of their neighbours among those with room; then groups change places as long as that brings
/// neighbours together within the bound; then single locations do (`BoundaryRefinement`); and last
/// single locations move until the bound holds.
///
/// Invariants:
/// - Every location gets a partition, and every partition gets one when there are enough.
/// - No partition has more than `bound` times the mean load, unless single locations are too heavy
///   for that.
public struct Packing: Sendable {
    /// Load of the fullest partition over the mean, at most.
    public static let bound = 1.05
    /// Groups on a partition, about.
    public static let groupsPerPartition = 8
    /// Groups at most, except that there is one for each partition: their neighbours are found by
    /// comparing all with all.
    static let mostGroups = 16_384
    /// Nearest groups that count as a group's neighbours.
    static let neighbours = 8
    static let passes = 8

    /// The partition of each location, in the order given.
    public let partitions: [Int]
    public let loads: [Double]

    /// Load of the fullest partition over the mean.
    public var imbalance: Double {
        let total = loads.reduce(0, +)
        return total == 0 ? 1 : (loads.max() ?? 0) * Double(loads.count) / total
    }

    /// - Parameter loads: What each location costs its partition: points, or queries; not negative.
    /// - Parameter centroids: Of the locations, one after the other.
    public init(loads: [Double], centroids: [Float], dimension: Int, partitions: Int) {
        precondition(partitions > 0 && centroids.count == loads.count * dimension)
        let groups = LocationGroups(
            loads: loads, centroids: centroids, dimension: dimension,
            groups: partitions * max(1, min(Self.groupsPerPartition, Self.mostGroups / partitions)))
        var plan = PackingPlan(
            groups: groups, partitions: partitions,
            limit: Self.bound * loads.reduce(0, +) / Double(partitions))
        plan.placeHeaviestFirst()
        for _ in 0..<Self.passes where !plan.bringNeighboursTogether() { break }
        var homes = [Int](repeating: 0, count: loads.count)
        for (group, members) in groups.members.enumerated() {
            for member in members { homes[member] = plan.home[group] }
        }
        var refinement = BoundaryRefinement(
            homes: homes, loads: plan.loads, weights: loads, limit: plan.limit,
            centroids: centroids, dimension: dimension)
        refinement.run()
        var evening = LoadEvening(
            homes: refinement.homes, weights: loads, partitions: partitions, limit: plan.limit)
        evening.run()
        self.partitions = evening.homes
        self.loads = evening.loads
    }
}
