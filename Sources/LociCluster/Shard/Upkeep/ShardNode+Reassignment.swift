import LociBase
import LociKernels
import LociModel
import LociSearch
import LociTiering

/// After a split: points that another hard location has become the nearest of go there.
extension ShardNode {
    mutating func beginReassignment(
        _ aftermath: SplitAftermath, _ key: PartitionWorker.RewriteKey,
        _ partition: PartitionIndex, into directives: inout [ShardDirective]
    ) {
        guard let slice = workers[partition]?.state.slices[key.space] else { return }
        let children = Set(slice.journal.heirs(of: key.location) { slice.postings[$0] != nil })
        let around = slice.locations.closest(
            to: aftermath.parent, generation: aftermath.generation,
            most: slice.reassignNeighbours + children.count
        ).filter { !children.contains($0) }
        let task = ReassignTask(
            partition: partition, space: key.space, aftermath: aftermath, around: around, slice)
        begin(.reassign(task), into: &directives)
    }

    mutating func run(_ reassign: inout ReassignTask, _ task: inout PageTask) -> [PageNeed] {
        guard let slice = workers[reassign.partition]?.state.slices[reassign.space] else {
            return []
        }
        let definition = slice.definition
        if reassign.vectors == nil {
            if reassign.scan(slice, held: task.held) {
                task.isPausing = true
                return []
            }
            let needs = reassign.ask(min(Self.runsPerTurn, roundBytes / definition.codePageBytes))
            if !needs.isEmpty {
                return needs.map {
                    PageNeed(address: $0.run.address, pageBytes: definition.codePageBytes)
                }
            }
            reassign.vectors = VectorGathering(reassign.candidates)
        }
        let pages = reassign.vectors!.step(slice, held: task.held, roundBytes: roundBytes)
        if !pages.isEmpty {
            return pages.map { PageNeed(address: $0, pageBytes: definition.vectorPageBytes) }
        }
        reassign.judge(slice, atMost: settings.pointsPerTurn)
        if reassign.isJudged { move(reassign, slice) } else { task.isPausing = true }
        return []
    }

    /// Pages of codes that are looked at before others have their turn.
    private static let runsPerTurn = 32

    /// Those of the candidates that really have another nearest hard location. If the queue is full
    /// they stay where they are: they are found there, too, only by more distant queries less well.
    private mutating func move(_ reassign: ReassignTask, _ slice: CollectionSlice) {
        let away = reassign.away
        if away.isEmpty, reassign.evaluated == 0 { return }
        let rows = max(1, PartitionWorker.groupBytes / 2 / slice.definition.rowBytes)
        var evaluated = reassign.evaluated
        for start in stride(from: 0, to: max(away.count, 1), by: rows) {
            let part = away[start..<min(start + rows, away.count)]
            let move = PointMove(
                cells: part.map(\.cell), tags: part.map(\.tag), vectors: part.map(\.vector),
                retiring: nil, evaluated: evaluated)
            evaluated = 0
            let record = LogRecord.move(space: reassign.space, move)
            let encoded = record.encoded
            guard workers[reassign.partition]!.hasRoom(for: encoded) else { return }
            workers[reassign.partition]!.append(
                .init(record: record, encoded: encoded, reply: .none))
        }
    }
}
