import LociKernels
import LociModel

/// Moves single hard locations to the partition that holds most of their nearest ones, as long as
/// that has room: the refinement step of graph partitioning (Fiduccia and Mattheyses, 1982), with
/// greedy moves only. A query reads neighbouring locations together, so ties that cross partitions
/// are what it pays for.
struct BoundaryRefinement {
    /// Nearest locations of each that count: about as many as a query reads.
    static let neighbours = 15
    /// More locations than this are left as their groups lie: finding the nearest takes some 50
    /// microseconds for each.
    static let mostLocations = 65_536
    static let passes = 6

    private(set) var homes: [Int]
    private(set) var loads: [Double]
    private let weights: [Double]
    private let limit: Double
    /// The nearest of each location, and of which it is one of the nearest.
    private var near: [[UInt32]]

    init(
        homes: [Int], loads: [Double], weights: [Double], limit: Double, centroids: [Float],
        dimension: Int
    ) {
        self.homes = homes
        self.loads = loads
        self.weights = weights
        self.limit = limit
        near = Array(repeating: [], count: homes.count)
        guard homes.count > 1, homes.count <= Self.mostLocations else { return }
        var index = LocationIndex(dimension: dimension, keepsExact: false)
        index.insert(
            homes.indices.map { LocationKey(partition: 0, location: UInt32($0)) }, generation: 0,
            centroids: centroids)
        for location in homes.indices {
            let place = (location * dimension)..<((location + 1) * dimension)
            let found = index.address(
                of: Array(centroids[place]), metric: .l2, most: Self.neighbours + 1,
                epsilon: .infinity)
            for active in found where active.key.location != UInt32(location) {
                near[location].append(active.key.location)
                near[Int(active.key.location)].append(UInt32(location))
            }
        }
    }

    mutating func run() {
        var pulls = [Int](repeating: 0, count: loads.count)
        for _ in 0..<Self.passes {
            var isChanged = false
            for location in homes.indices {
                var touched: [Int] = []
                for other in near[location] {
                    let home = homes[Int(other)]
                    if pulls[home] == 0 { touched.append(home) }
                    pulls[home] += 1
                }
                let here = homes[location]
                var best = (partition: here, pull: pulls[here])
                for partition in touched
                where pulls[partition] > best.pull
                    && loads[partition] + weights[location] <= limit
                {
                    best = (partition, pulls[partition])
                }
                for partition in touched { pulls[partition] = 0 }
                if best.partition == here { continue }
                loads[here] -= weights[location]
                loads[best.partition] += weights[location]
                homes[location] = best.partition
                isChanged = true
            }
            if !isChanged { break }
        }
    }
}
