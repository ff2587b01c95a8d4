import LociBase
import LociModel
import LociWire

/// A shard's part of a snapshot of the cluster.
///
/// Invariants:
/// - A partition is cut between two groups of records, when nothing is queued: its state and its
///   pages then are those of one LSN. Until the cut is reported, nothing more is committed to it.
/// - What is reported of another snapshot than this one changes nothing.
struct ShardSnapshotState: Sendable {
    let place: SnapshotPlace
    /// Partitions that have to come to rest before they are cut.
    var waiting: Set<PartitionIndex>
    /// Partitions whose cut is under way.
    var cutting: Set<PartitionIndex> = []
    /// Partitions that are being copied.
    var copying: Set<PartitionIndex>
    var bytes: UInt64 = 0
    var failure: LociError?
    var cutAsker: Asker?
    var finishAsker: Asker?
}

extension ShardNode {
    mutating func snapshot(
        _ step: ShardSnapshot, _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        let place = SnapshotPlace(name: step.name, id: step.id)
        switch step.step {
        case .cut:
            // A later snapshot ends an earlier one that was given up.
            let partitions = Set(workers.keys)
            snapshot = ShardSnapshotState(
                place: place, waiting: partitions, copying: partitions, cutAsker: asker)
            commitAll(into: &directives)
            answerSnapshot(into: &directives)
        case .finish:
            guard snapshot?.place == place else {
                return refuse(asker, Self.unknownSnapshot, into: &directives)
            }
            snapshot!.finishAsker = asker
            answerSnapshot(into: &directives)
        case .abandon:
            guard snapshot?.place == place else { return }
            snapshot = nil
            commitAll(into: &directives)
        }
    }

    private static let unknownSnapshot = LociError(
        .failedPrecondition, "The shard does not know this snapshot (any more).",
        advice: "Create it again.")

    /// Whether a partition is at the point of being cut, which it then is: nothing more may be
    /// committed to it until the cut is reported.
    mutating func holdForCut(
        _ partition: PartitionIndex, into directives: inout [ShardDirective]
    ) -> Bool {
        guard var current = snapshot else { return false }
        let worker = workers[partition]!
        if current.waiting.contains(partition), worker.queue.isEmpty, worker.inFlight.isEmpty {
            current.waiting.remove(partition)
            current.cutting.insert(partition)
            snapshot = current
            directives.append(
                .snapshot(current.place, partition, worker.lsn, worker.state))
        }
        return current.cutting.contains(partition)
    }

    mutating func snapshotCut(
        _ place: SnapshotPlace, _ partition: PartitionIndex,
        into directives: inout [ShardDirective]
    ) {
        guard snapshot?.place == place else { return }
        snapshot!.cutting.remove(partition)
        answerSnapshot(into: &directives)
        commitAll(into: &directives)
    }

    /// A partition's copy is complete, or failed; a failure may come without a cut before it.
    mutating func snapshotDone(
        _ place: SnapshotPlace, _ partition: PartitionIndex, _ result: Result<UInt64, LociError>,
        into directives: inout [ShardDirective]
    ) {
        guard snapshot?.place == place else { return }
        snapshot!.cutting.remove(partition)
        snapshot!.copying.remove(partition)
        switch result {
        case .success(let bytes): snapshot!.bytes += bytes
        case .failure(let error): snapshot!.failure = snapshot!.failure ?? error
        }
        answerSnapshot(into: &directives)
        commitAll(into: &directives)
    }

    /// Answers what can be answered.
    private mutating func answerSnapshot(into directives: inout [ShardDirective]) {
        guard var current = snapshot else { return }
        let isCut = current.waiting.isEmpty && current.cutting.isEmpty
        if let asker = current.cutAsker, isCut || current.failure != nil {
            current.cutAsker = nil
            answerSnapshot(asker, bytes: 0, current.failure, into: &directives)
        }
        let isDone = current.copying.isEmpty
        if let asker = current.finishAsker, isDone || current.failure != nil {
            current.finishAsker = nil
            answerSnapshot(asker, bytes: current.bytes, current.failure, into: &directives)
        }
        snapshot = current
    }

    private func answerSnapshot(
        _ asker: Asker, bytes: UInt64, _ failure: LociError?,
        into directives: inout [ShardDirective]
    ) {
        if let failure { return refuse(asker, failure, into: &directives) }
        let done = Acknowledged(count: bytes, receipt: finish(Receipt(), asker))
        answer(asker, .acknowledged(done), into: &directives)
    }
}
