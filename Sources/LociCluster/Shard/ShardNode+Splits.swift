import LociBase
import LociModel
import LociSearch
import LociTiering

/// The rows of a posting on their way into a split: page by page in rounds.
struct SplitTask: Sendable {
    let partition: PartitionIndex
    let key: PartitionWorker.SplitKey
    /// The posting's, when its first page was asked for.
    let stamp: UInt64
    /// Its pages; none if it is gone.
    let runs: [RowRun]
    /// Of `runs`: those before `done` have been copied, those up to `asked` are next.
    var done = 0
    var asked = 0
    var rows = SplitRows()
}

/// Live rows of a posting.
struct SplitRows: Sendable {
    var ids: [PointID] = []
    var vectors: [Bytes] = []

    mutating func append(_ run: RowRun, of posting: Posting, rowBytes: Int, page: Bytes) {
        for slot in run.firstSlot..<(run.firstSlot + run.count) where posting.isLive[slot] {
            let start = (slot - run.firstSlot) * rowBytes
            ids.append(posting.ids[slot])
            vectors.append(page.slice(start..<(start + rowBytes)))
        }
    }
}

/// Splitting postings that have become too full. The pages are brought into memory first; then,
/// when no record is in flight, the split is computed from the state just as it will be applied to.
extension ShardNode {
    /// Asks for the pages of postings that are too full and not being split yet.
    mutating func loadSplits(
        _ partition: PartitionIndex, into directives: inout [ShardDirective]
    ) {
        for space in workers[partition]!.state.slices.keys.sorted() {
            for location in workers[partition]!.state.slices[space]!.overfull.sorted() {
                let key = PartitionWorker.SplitKey(space: space, location: location)
                guard workers[partition]!.splits[key] == nil else { continue }
                beginSplit(key, partition, into: &directives)
            }
        }
    }

    /// Rows are copies of the moment at which each page came; the stamp is of the moment before.
    private mutating func beginSplit(
        _ key: PartitionWorker.SplitKey, _ partition: PartitionIndex,
        into directives: inout [ShardDirective]
    ) {
        let slice = workers[partition]!.state.slices[key.space]
        let posting = slice?.postings[key.location]
        workers[partition]!.splits[key] = .loading
        let task = SplitTask(
            partition: partition, key: key, stamp: posting?.stamp ?? 0,
            runs: posting.map { slice!.runs(of: $0) } ?? [])
        begin(.split(task), into: &directives)
    }

    mutating func run(_ split: inout SplitTask, _ task: inout PageTask) -> [PageNeed] {
        let slice = workers[split.partition]?.state.slices[split.key.space]
        let posting = slice?.postings[split.key.location]
        guard let slice, let posting, posting.stamp == split.stamp else {
            // What came so far is of no use; whether pages in memory are is seen when it is due.
            workers[split.partition]?.splits[split.key] = .ready(SplitRows(), stamp: nil)
            return []
        }
        for run in split.runs[split.done..<split.asked] {
            // Copies, so that the page can go.
            split.rows.append(
                run, of: posting, rowBytes: slice.definition.rowBytes,
                page: task.held[run.address]!.compact())
        }
        split.done = split.asked
        let pageBytes = slice.definition.vectorPageBytes
        split.asked = min(split.done + max(1, roundBytes / pageBytes), split.runs.count)
        if split.done == split.runs.count {
            workers[split.partition]!.splits[split.key] = .ready(split.rows, stamp: split.stamp)
            return []
        }
        return split.runs[split.done..<split.asked].map {
            PageNeed(address: $0.address, pageBytes: pageBytes)
        }
    }

    /// Records for the splits whose pages are all in memory now. Called when nothing is in flight.
    mutating func readySplits(
        _ partition: PartitionIndex, into directives: inout [ShardDirective]
    ) -> [PartitionWorker.Pending] {
        var group: [PartitionWorker.Pending] = []
        for key in workers[partition]!.splits.keys.sorted() {
            guard case .ready(let rows, let stamp) = workers[partition]!.splits[key]! else {
                continue
            }
            guard let slice = workers[partition]!.state.slices[key.space],
                slice.overfull.contains(key.location),
                let posting = slice.postings[key.location]
            else {
                workers[partition]!.splits[key] = nil
                continue
            }
            guard let current = posting.stamp == stamp ? rows : rowsInMemory(posting, slice)
            else {
                // Changed and evicted meanwhile: once more.
                beginSplit(key, partition, into: &directives)
                continue
            }
            workers[partition]!.splits[key] = .logged
            let split = LocationSplit(
                location: posting.location, ids: current.ids, vectors: current.vectors,
                dimension: slice.definition.dimension, splitAbove: slice.splitAbove)
            let record = LogRecord.split(space: key.space, split)
            group.append(.init(record: record, encoded: record.encoded, reply: .none))
        }
        return group
    }

    /// The rows as they are now, if all their pages are in memory.
    private func rowsInMemory(_ posting: Posting, _ slice: CollectionSlice) -> SplitRows? {
        var rows = SplitRows()
        for run in slice.runs(of: posting) {
            guard let page = pages.peek(run.address) else { return nil }
            rows.append(run, of: posting, rowBytes: slice.definition.rowBytes, page: page)
        }
        return rows
    }
}
