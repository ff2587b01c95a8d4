public import LociBase
import LociKernels
public import LociModel

/// Names a hard location in the whole cluster.
public struct LocationKey: Hashable, Comparable, Sendable {
    public let partition: PartitionIndex
    public let location: LocationID

    public init(partition: PartitionIndex, location: LocationID) {
        self.partition = partition
        self.location = location
    }

    public static func < (left: LocationKey, right: LocationKey) -> Bool {
        (left.partition, left.location) < (right.partition, right.location)
    }
}

/// A hard location that a vector activates, with its distance (squared l2) or similarity (dot).
public struct ActiveLocation: Equatable, Sendable {
    public let key: LocationKey
    public let score: Float
}

/// Hard locations of a collection and the address of a vector among them: the coordinator's compact
/// copy of all, and a shard's own. Found by a scan with the block kernels, which serves some ten
/// thousand locations well.
///
/// Invariants:
/// - `keys[i]`, `generations[i]` and row i of `centroids` belong together; `rows` inverts `keys`.
public struct LocationIndex: Sendable {
    public let dimension: Int
    public private(set) var keys: [LocationKey] = []
    public private(set) var generations: [UInt32] = []
    private var centroids: [Float] = []
    private var rows: [LocationKey: Int] = [:]

    public init(dimension: Int) { self.dimension = dimension }

    public var count: Int { keys.count }

    public var latestGeneration: UInt32 { generations.max() ?? 0 }

    public func contains(_ key: LocationKey) -> Bool { rows[key] != nil }

    public func centroid(of key: LocationKey) -> [Float]? {
        rows[key].map { Array(centroids[($0 * dimension)..<(($0 + 1) * dimension)]) }
    }

    public mutating func insert(_ key: LocationKey, generation: UInt32, centroid: [Float]) {
        precondition(centroid.count == dimension)
        if let row = rows[key] {
            generations[row] = generation
            centroids.replaceSubrange((row * dimension)..<((row + 1) * dimension), with: centroid)
            return
        }
        rows[key] = keys.count
        keys.append(key)
        generations.append(generation)
        centroids.append(contentsOf: centroid)
    }

    public mutating func remove(_ key: LocationKey) {
        guard let row = rows.removeValue(forKey: key) else { return }
        let last = keys.count - 1
        if row != last {
            keys[row] = keys[last]
            generations[row] = generations[last]
            for element in 0..<dimension {
                centroids[row * dimension + element] = centroids[last * dimension + element]
            }
            rows[keys[row]] = row
        }
        keys.removeLast()
        generations.removeLast()
        centroids.removeLast(dimension)
    }

    /// Scores of the query against every location, in the order of `keys`: squared l2 for `l2` and
    /// `cosine`, inner product for `dot`.
    private func scores(_ query: [Float], metric: Metric) -> [Float] {
        var scores: [Float] = []
        scores.reserveCapacity(count)
        Kernels.score(
            metric == .dot ? .dot : .squaredL2, query: query, rows: centroids, into: &scores)
        return scores
    }

    /// The address of a query: the nearest location, and those of the `most` nearest within a
    /// factor of its squared distance (SPANN, equation 3; the factor is `1 + epsilon`). Inner
    /// products have no such factor: there the `most` best count.
    public func address(
        of query: [Float], metric: Metric, most: Int, least: Int = 1, epsilon: Float,
        among isAllowed: ((Int) -> Bool)? = nil
    ) -> [ActiveLocation] {
        let scores = scores(query, metric: metric)
        let smallerIsNearer = metric != .dot
        // Ties go by key, not by row: rows depend on history, and replay must decide alike.
        let keys = keys
        var best = TopK<(row: Int, score: Float)>(max(most, 1)) { left, right in
            left.score == right.score
                ? keys[left.row] < keys[right.row]
                : (left.score < right.score) == smallerIsNearer
        }
        for (row, score) in scores.enumerated() where isAllowed?(row) ?? true {
            best.insert((row, score))
        }
        let ranked = best.sorted
        guard let nearest = ranked.first else { return [] }
        let isBounded = smallerIsNearer && epsilon < .infinity
        let bound = isBounded ? (1 + epsilon) * nearest.score : .infinity
        let near = ranked.prefix { !smallerIsNearer || $0.score <= bound }
        return ranked.prefix(max(near.count, least, 1))
            .map { ActiveLocation(key: keys[$0.row], score: $0.score) }
    }
}
