import LociBase
import LociModel
import LociSearch
import LociTiering

/// Rewriting postings: those that have become too full are split, those with mostly stale rows are
/// written anew, and those with few points give them away. What is needed is brought into memory
/// first; then, when no record is in flight, the record is computed from the state just as it will
/// be applied to. Points near a split are looked at afterwards (`ShardNode+Reassignment.swift`).
extension ShardNode {
    /// Rewrites of one partition that are on their way at once.
    private static let mostRewrites = 32
    /// Rewrites in one group of records: a millisecond or two of computing.
    private static let mostPerGroup = 2

    /// Begins what is due and not on its way yet.
    mutating func loadRewrites(
        _ partition: PartitionIndex, into directives: inout [ShardDirective]
    ) {
        for space in workers[partition]!.state.slices.keys.sorted() {
            for location in workers[partition]!.state.slices[space]!.due {
                let key = PartitionWorker.RewriteKey(space: space, location: location)
                guard workers[partition]!.rewrites[key] == nil,
                    workers[partition]!.rewrites.count < Self.mostRewrites,
                    workers[partition]!.isWorthRewriting(key)
                else { continue }
                beginRewrite(key, partition, into: &directives)
            }
        }
    }

    private mutating func beginRewrite(
        _ key: PartitionWorker.RewriteKey, _ partition: PartitionIndex,
        into directives: inout [ShardDirective]
    ) {
        let slice = workers[partition]!.state.slices[key.space]
        workers[partition]!.rewrites[key] = .loading
        workers[partition]!.appended[key] = []
        let runs = slice?.postings[key.location].map { slice!.runs(of: $0) } ?? []
        begin(
            .rewrite(RewriteTask(partition: partition, key: key, runs: runs)), into: &directives)
    }

    mutating func run(_ rewrite: inout RewriteTask, _ task: inout PageTask) -> [PageNeed] {
        guard let slice = workers[rewrite.partition]?.state.slices[rewrite.key.space],
            slice.postings[rewrite.key.location] != nil
        else {
            workers[rewrite.partition]?.endRewrite(rewrite.key)
            return []
        }
        let definition = slice.definition
        if rewrite.vectors == nil {
            rewrite.take(slice, held: task.held)
            let needs = rewrite.ask(roundBytes / definition.codePageBytes)
            if !needs.isEmpty {
                return needs.map {
                    PageNeed(address: $0.address, pageBytes: definition.codePageBytes)
                }
            }
            rewrite.vectors = VectorGathering(rewrite.members)
        }
        let pages = rewrite.vectors!.step(slice, held: task.held, roundBytes: roundBytes)
        if pages.isEmpty {
            workers[rewrite.partition]!.rewrites[rewrite.key] = .ready(rewrite.vectors!.rows)
        }
        return pages.map { PageNeed(address: $0, pageBytes: definition.vectorPageBytes) }
    }

    /// Records for the rewrites whose rows are all here. Called when nothing is in flight. Splits
    /// come first: what moves because of the others is placed when they have been applied. One
    /// posting of a group is given up: whether another can be, depends on what is left.
    mutating func readyRewrites(_ partition: PartitionIndex) -> [PartitionWorker.Pending] {
        var splits: [LogRecord] = []
        var moves: [LogRecord] = []
        for key in workers[partition]!.rewrites.keys.sorted() {
            // Others have their turn between groups.
            if splits.count + moves.count == Self.mostPerGroup { break }
            guard case .ready(let loaded) = workers[partition]!.rewrites[key]! else { continue }
            guard let slice = workers[partition]!.state.slices[key.space],
                let posting = slice.postings[key.location], slice.due.contains(key.location),
                workers[partition]!.isWorthRewriting(key)
            else {
                workers[partition]!.endRewrite(key)
                continue
            }
            let isOverfull = slice.overfull.contains(key.location)
            if !isOverfull, !moves.isEmpty { continue }
            let rows = (loaded + workers[partition]!.appended[key]!).filter {
                slice.points.isCurrent($0.cell, tag: $0.tag)
            }
            workers[partition]!.rewrites[key] = .logged
            if isOverfull {
                let split = LocationSplit(posting, rows: rows, of: slice)
                splits.append(.split(space: key.space, split))
                workers[partition]!.afterSplit[key] = SplitAftermath(split, rows: rows, slice)
            } else {
                moves.append(.move(space: key.space, PointMove(posting, rows: rows, of: slice)))
            }
        }
        return (splits + moves).map { .init(record: $0, encoded: $0.encoded, reply: .none) }
    }
}
