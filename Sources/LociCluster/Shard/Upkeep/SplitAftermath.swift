import LociBase
import LociKernels
import LociModel
import LociSearch

/// What has to be looked at after a split, so that every point stays at the hard location nearest
/// to it (SPFresh, LIRE): points of the split posting that lie nearer to its old centroid than to
/// any new one, and points around it that lie nearer to a new centroid than to the old.
struct SplitAftermath: Sendable {
    let generation: UInt32
    let parent: [Float]
    let children: [[Float]]
    /// Points of the posting that may belong elsewhere.
    let own: [VectorGathering.Member]
    let evaluated: UInt64

    /// Nil if nothing was split: a posting was only written anew.
    init?(_ split: LocationSplit, rows: [SplitRow], _ slice: CollectionSlice) {
        guard split.children.count > 1, let posting = slice.postings[split.location] else {
            return nil
        }
        generation = posting.generation
        parent = slice.locations.centroid(of: slice.key(split.location))!
        children = split.children.map(\.centroid)
        let centroids = parent + children.flatMap { $0 }
        var own: [VectorGathering.Member] = []
        var scores: [Float] = []
        for row in rows where slice.points[row.cell].location == split.location {
            scores.removeAll(keepingCapacity: true)
            Kernels.score(
                .squaredL2, query: row.vector.values(Float.self), rows: centroids, into: &scores)
            if scores[0] <= scores.dropFirst().min()! {
                own.append(.init(cell: row.cell, tag: row.tag))
            }
        }
        self.own = own
        evaluated = UInt64(rows.count)
    }
}

/// Looking at the points around a split: their codes first, then the vectors of those that may
/// belong elsewhere, in rounds.
struct ReassignTask: Sendable {
    struct Run: Sendable {
        let location: LocationID
        let run: RowRun
    }

    let partition: PartitionIndex
    let space: SpaceID
    let aftermath: SplitAftermath
    /// Pages of the codes of postings around it.
    let runs: [Run]
    var scanned = 0
    var asked = 0
    var evaluated: UInt64
    var candidates: [VectorGathering.Member]
    var vectors: VectorGathering?
    /// Rows of `vectors` that have been compared with all hard locations, and those of them that
    /// have another nearest one.
    private var judged = 0
    private(set) var away: [SplitRow] = []

    init(
        partition: PartitionIndex, space: SpaceID, aftermath: SplitAftermath,
        around locations: [LocationID], _ slice: CollectionSlice
    ) {
        self.partition = partition
        self.space = space
        self.aftermath = aftermath
        runs = locations.flatMap { location in
            slice.postings[location].map { slice.runs(of: $0) }?.map {
                Run(location: location, run: $0)
            } ?? []
        }
        evaluated = aftermath.evaluated
        candidates = aftermath.own
    }

    /// Looks at the codes that are held for points that are nearer to one of the new centroids than
    /// to the old one, and than to their own. The codes' estimates are good enough: what they
    /// suggest is looked at again, and what they miss is as near as an estimate can tell. False if
    /// there was nothing to look at.
    mutating func scan(_ slice: CollectionSlice, held: [PageAddress: Bytes]) -> Bool {
        if scanned == asked { return false }
        var views = CentroidViews(slice, [aftermath.parent] + aftermath.children)
        for run in runs[scanned..<asked] {
            guard let page = held[run.run.address], slice.postings[run.location] != nil,
                let centroid = slice.locations.centroid(of: slice.key(run.location))
            else { continue }
            evaluated += UInt64(run.run.count)
            for row in views.nearer(run.run, centroid: centroid, page: page)
            where slice.points.isCurrent(row.cell, tag: row.tag)
                && slice.points[row.cell].location == run.location
            {
                candidates.append(.init(cell: row.cell, tag: row.tag))
            }
        }
        scanned = asked
        return true
    }

    mutating func ask(_ most: Int) -> ArraySlice<Run> {
        asked = min(scanned + max(1, most), runs.count)
        return runs[scanned..<asked]
    }

    var isJudged: Bool { judged == vectors?.rows.count }

    /// Finds out which of the next rows really have another nearest hard location.
    mutating func judge(_ slice: CollectionSlice, atMost most: Int) {
        let rows = vectors!.rows[judged...].prefix(most)
        away += rows.filter { isNearerElsewhere($0, slice) }
        judged += rows.count
    }

    /// Whether another hard location is nearer by more than rounding: of several at one place none
    /// is, or points that are all alike would move among them for ever.
    private func isNearerElsewhere(
        _ row: SplitRow, _ slice: CollectionSlice
    ) -> Bool {
        let vector = row.vector.values(Float.self)
        let present = slice.points[row.cell].location
        guard
            let nearest = slice.locations.address(
                of: vector, metric: .l2, most: 1, epsilon: .infinity,
                generation: aftermath.generation
            ).first,
            nearest.key.location != present,
            let distance = slice.locations.score(
                .squaredL2, of: slice.key(present), with: vector)
        else { return false }
        return distance - nearest.score
            > 1e-4 * distance + 1e-9 * Kernels.dot(vector, vector)
    }
}
