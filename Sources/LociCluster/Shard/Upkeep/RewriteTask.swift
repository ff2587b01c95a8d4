import LociBase
import LociModel
import LociSearch

/// The current rows of a posting on their way into a rewrite: first the pages of its codes, which
/// say which points they are, then the vectors of these, in rounds.
struct RewriteTask: Sendable {
    let partition: PartitionIndex
    let key: PartitionWorker.RewriteKey
    /// The posting's pages of codes, as it was when the task began; none if it is gone.
    let runs: [RowRun]
    /// Of `runs`: those before `scanned` have been looked at, those up to `asked` are next.
    var scanned = 0
    var asked = 0
    private(set) var members: [VectorGathering.Member] = []
    var vectors: VectorGathering?

    init(partition: PartitionIndex, key: PartitionWorker.RewriteKey, runs: [RowRun]) {
        self.partition = partition
        self.key = key
        self.runs = runs
    }

    /// Notes the current rows on the pages that were asked for.
    mutating func take(_ slice: CollectionSlice, held: [PageAddress: Bytes]) {
        for run in runs[scanned..<asked] {
            guard let page = held[run.address] else { continue }
            for row in 0..<run.count {
                let header = slice.coder.header(
                    of: page, at: run.offset + row * slice.coder.format.rowBytes)
                guard slice.points.isCurrent(header.cell, tag: header.tag) else { continue }
                members.append(.init(cell: header.cell, tag: header.tag))
            }
        }
        scanned = asked
    }

    /// The next runs, at most so many.
    mutating func ask(_ most: Int) -> ArraySlice<RowRun> {
        asked = min(scanned + max(1, most), runs.count)
        return runs[scanned..<asked]
    }
}

/// Vectors of cells on their way, page by page in rounds.
///
/// Invariants:
/// - `rows` are those of the first `done` members; the pages of those up to `asked` were asked for.
struct VectorGathering: Sendable {
    struct Member: Sendable {
        let cell: CellNumber
        let tag: UInt32
    }

    /// By cell, so that those on one page are together.
    let members: [Member]
    var rows: [SplitRow] = []
    private var done = 0
    private var asked = 0

    init(_ members: [Member]) { self.members = members.sorted { $0.cell < $1.cell } }

    /// Takes what is held. Returns the pages that are needed next; none when all vectors are here.
    /// Points that have changed are left out.
    mutating func step(
        _ slice: CollectionSlice, held: [PageAddress: Bytes], roundBytes: Int
    ) -> [PageAddress] {
        let rowBytes = slice.definition.rowBytes
        for member in members[done..<asked]
        where slice.points.isCurrent(member.cell, tag: member.tag) {
            let place = slice.vectorPlace(of: member.cell)
            guard let page = held[place.address] else { continue }
            // A copy, so that the page can go.
            let vector = page.slice(place.offset..<(place.offset + rowBytes)).compact()
            rows.append(SplitRow(cell: member.cell, tag: member.tag, vector: vector))
        }
        done = asked
        var places: [PageAddress] = []
        let most = max(1, roundBytes / slice.definition.vectorPageBytes)
        while asked < members.count {
            let address = slice.vectorPlace(of: members[asked].cell).address
            if places.last != address {
                if places.count == most { break }
                places.append(address)
            }
            asked += 1
        }
        return places
    }
}
