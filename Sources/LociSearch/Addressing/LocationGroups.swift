import LociKernels

/// Hard locations in small clusters, and which clusters are near.
struct LocationGroups {
    let members: [[Int]]
    let loads: [Double]
    /// The nearest other groups of each, and how much each is worth: 1 for the nearest, then a
    /// half, a third and so on. A relation is worth as much both ways.
    private(set) var near: [[(group: Int, worth: Double)]] = []

    init(loads: [Double], centroids: [Float], dimension: Int, groups: Int) {
        var clustering = HierarchicalClustering(
            rows: centroids, dimension: dimension, seed: UInt64(loads.count))
        let members = clustering.split(into: groups)
        self.members = members
        self.loads = members.map { $0.reduce(0) { $0 + loads[$1] } }
        relate(members.flatMap { clustering.mean(of: $0) }, dimension)
    }

    private mutating func relate(_ means: [Float], _ dimension: Int) {
        var worth = [[Int: Double]](repeating: [:], count: members.count)
        var scores: [Float] = []
        for group in members.indices {
            scores.removeAll(keepingCapacity: true)
            Kernels.score(
                .squaredL2,
                query: Array(means[(group * dimension)..<((group + 1) * dimension)]),
                rows: means, into: &scores)
            var nearest = TopK<(group: Int, distance: Float)>(Packing.neighbours) {
                ($0.distance, $0.group) < ($1.distance, $1.group)
            }
            for (other, distance) in scores.enumerated() where other != group {
                nearest.insert((other, distance))
            }
            for (rank, other) in nearest.sorted.enumerated() {
                worth[group][other.group, default: 0] += 1 / Double(rank + 1)
                worth[other.group][group, default: 0] += 1 / Double(rank + 1)
            }
        }
        near = worth.map { relations in
            relations.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        }
    }
}
