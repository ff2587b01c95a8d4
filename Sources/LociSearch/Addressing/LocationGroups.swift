import LociKernels

/// Runs of neighbouring hard locations, each with about the same load, and which runs are near.
struct LocationGroups {
    private(set) var members: [Range<Int>] = []
    private(set) var loads: [Double] = []
    /// The nearest other groups of each, and how much each is worth: 1 for the nearest, then a
    /// half, a third and so on. A relation is worth as much both ways.
    private(set) var near: [[(group: Int, worth: Double)]] = []

    /// A run with more than this times the target is cut.
    private static let cutAbove = 1.5
    /// Each side of a cut has at least this share of the run's load.
    private static let leastSide = 0.25

    init(loads: [Double], centroids: [Float], dimension: Int, targetLoad: Double) {
        var gaps: [Float] = [0]
        gaps.reserveCapacity(loads.count)
        for index in loads.indices.dropFirst() {
            let from = (index - 1) * dimension
            gaps.append(
                Kernels.nearest(
                    Array(centroids[from..<(from + dimension)]),
                    among: Array(centroids[(from + dimension)..<(from + 2 * dimension)]))?
                    .squaredDistance ?? .infinity)
        }
        var sums: [Double] = [0]
        for load in loads { sums.append(sums.last! + load) }
        var open = loads.isEmpty ? [] : [loads.indices]
        while let run = open.popLast() {
            let load = sums[run.upperBound] - sums[run.lowerBound]
            if let cut = Self.cut(run, load, gaps, sums), load > Self.cutAbove * targetLoad {
                open.append(cut..<run.upperBound)
                open.append(run.lowerBound..<cut)
            } else {
                members.append(run)
                self.loads.append(load)
            }
        }
        relate(centroids, dimension)
    }

    /// The first location of the second side: at the widest gap that leaves each side enough, or
    /// nearest to the middle where none does. Nil for a single location.
    private static func cut(
        _ run: Range<Int>, _ load: Double, _ gaps: [Float], _ sums: [Double]
    ) -> Int? {
        let inner = run.dropFirst()
        let allowed = inner.filter { index in
            let left = sums[index] - sums[run.lowerBound]
            return left >= leastSide * load && load - left >= leastSide * load
        }
        let middle = sums[run.lowerBound] + load / 2
        return allowed.max { (gaps[$0], $1) < (gaps[$1], $0) }
            ?? inner.min { (abs(sums[$0] - middle), $0) < (abs(sums[$1] - middle), $1) }
    }

    private mutating func relate(_ centroids: [Float], _ dimension: Int) {
        var means: [Float] = []
        means.reserveCapacity(members.count * dimension)
        for run in members {
            var sum = [Float](repeating: 0, count: dimension)
            for index in run {
                Kernels.add(
                    Array(centroids[(index * dimension)..<((index + 1) * dimension)]), to: &sum)
            }
            Kernels.scale(&sum, by: 1 / Float(run.count))
            means += sum
        }
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
