import LociBase
import LociModel
import LociSearch
import LociTiering

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

    /// Pages are copies of the moment at which each came; the stamp is of the moment before.
    private mutating func beginSplit(
        _ key: PartitionWorker.SplitKey, _ partition: PartitionIndex,
        into directives: inout [ShardDirective]
    ) {
        let posting = workers[partition]!.state.slices[key.space]?.postings[key.location]
        workers[partition]!.splits[key] = .loading
        begin(.split(partition, key, stamp: posting?.stamp ?? 0), into: &directives)
    }

    mutating func run(
        split key: PartitionWorker.SplitKey, _ partition: PartitionIndex, _ stamp: UInt64,
        _ task: inout PageTask
    ) -> [PageNeed] {
        if task.rounds == 0, let needs = splitNeeds(key, partition), !needs.isEmpty {
            return needs
        }
        workers[partition]?.splits[key] = .ready(held: task.held, stamp: stamp)
        return []
    }

    private func splitNeeds(
        _ key: PartitionWorker.SplitKey, _ partition: PartitionIndex
    ) -> [PageNeed]? {
        guard let slice = workers[partition]?.state.slices[key.space],
            let posting = slice.postings[key.location]
        else { return nil }
        return slice.runs(of: posting).map {
            PageNeed(address: $0.address, pageBytes: slice.definition.vectorPageBytes)
        }
    }

    /// Records for the splits whose pages are all in memory now. Called when nothing is in flight.
    mutating func readySplits(
        _ partition: PartitionIndex, into directives: inout [ShardDirective]
    ) -> [PartitionWorker.Pending] {
        var group: [PartitionWorker.Pending] = []
        for key in workers[partition]!.splits.keys.sorted() {
            guard case .ready(let held, let stamp) = workers[partition]!.splits[key]! else {
                continue
            }
            guard let slice = workers[partition]!.state.slices[key.space],
                slice.overfull.contains(key.location),
                let posting = slice.postings[key.location]
            else {
                workers[partition]!.splits[key] = nil
                continue
            }
            let isCurrent = posting.stamp == stamp
            guard let split = split(posting, of: slice, held: isCurrent ? held : [:]) else {
                // Changed and evicted meanwhile: once more.
                beginSplit(key, partition, into: &directives)
                continue
            }
            workers[partition]!.splits[key] = .logged
            let record = LogRecord.split(space: key.space, split)
            group.append(.init(record: record, encoded: record.encoded, reply: .none))
        }
        return group
    }

    private func split(
        _ posting: Posting, of slice: CollectionSlice, held: [PageAddress: Bytes]
    ) -> LocationSplit? {
        var ids: [PointID] = []
        var vectors: [Bytes] = []
        let rowBytes = slice.definition.rowBytes
        for run in slice.runs(of: posting) {
            guard let page = held[run.address] ?? pages.cache.peek(run.address) else { return nil }
            for slot in run.firstSlot..<(run.firstSlot + run.count) where posting.isLive[slot] {
                let start = (slot - run.firstSlot) * rowBytes
                ids.append(posting.ids[slot])
                vectors.append(page.slice(start..<(start + rowBytes)))
            }
        }
        return LocationSplit(
            location: posting.location, ids: ids, vectors: vectors,
            dimension: slice.definition.dimension,
            splitAbove: slice.splitAbove)
    }
}
