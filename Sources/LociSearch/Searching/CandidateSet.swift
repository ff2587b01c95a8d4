public import LociBase
import LociModel

/// A point that a query may have to look at: what its code says of its distance.
public struct Candidate: Equatable, Sendable {
    public let partition: PartitionIndex
    public let cell: CellNumber
    public let id: PointID
    public let version: UInt64
    /// Squared distance, or the negative inner product: smaller is nearer.
    public let estimate: Float
    /// The distance is believed to be at least this.
    public let lower: Float

    public init(
        partition: PartitionIndex, cell: CellNumber, id: PointID, version: UInt64,
        estimate: Float, lower: Float
    ) {
        self.partition = partition
        self.cell = cell
        self.id = id
        self.version = version
        self.estimate = estimate
        self.lower = lower
    }
}

/// Points whose codes do not rule out that they are among the `k` nearest.
///
/// Invariants:
/// - `nearest` holds the smallest upper bounds seen, ascending, each of another point.
/// - `candidates` holds every point seen whose lower bound was within `threshold` at the time.
public struct CandidateSet: Sendable {
    public let k: Int
    /// Added to the k-th smallest upper bound, for those who want more than k points.
    public let margin: Float
    public private(set) var candidates: [Candidate] = []
    private var nearest: [(bound: Float, id: PointID)] = []
    /// What lies farther than this for sure is of no interest.
    public private(set) var threshold = Float.infinity

    public init(k: Int, margin: Float = 0) {
        precondition(k > 0)
        self.k = k
        self.margin = margin
    }

    /// Takes a point whose lower bound is within the threshold. Nothing is known of its distance
    /// unless `isCertain`: then `upper` bounds it, and may tighten the threshold.
    public mutating func insert(_ candidate: Candidate, upper: Float, isCertain: Bool = true) {
        candidates.append(candidate)
        if isCertain { bound(candidate.id, upper) }
    }

    /// Notes that a point of interest lies within a distance.
    public mutating func bound(_ id: PointID, _ upper: Float) {
        if nearest.count == k, upper >= nearest[k - 1].bound { return }
        if nearest.contains(where: { $0.id == id }) { return }
        var low = 0
        var high = nearest.count
        while low < high {
            let middle = (low + high) / 2
            if nearest[middle].bound <= upper { low = middle + 1 } else { high = middle }
        }
        if nearest.count == k { nearest.removeLast() }
        nearest.insert((upper, id), at: low)
        if nearest.count == k { threshold = nearest[k - 1].bound + margin }
    }

    /// The candidates that the bounds do not rule out, each cell once, in the order of their cells.
    public var unresolved: [Candidate] {
        var kept = candidates.filter { $0.lower <= threshold }
        kept.sort { ($0.partition, $0.cell, $0.lower) < ($1.partition, $1.cell, $1.lower) }
        var last: (PartitionIndex, CellNumber)?
        return kept.filter { candidate in
            let isNew = last.map { $0 != (candidate.partition, candidate.cell) } ?? true
            last = (candidate.partition, candidate.cell)
            return isNew
        }
    }
}
