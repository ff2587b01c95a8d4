import LociBase
import LociModel
import LociStorage

/// When a partition's state goes to a file, so that its log can be cut.
///
/// Invariants:
/// - At most one checkpoint of a partition is under way.
/// - One that found no space is due again, after a pause, whether or not anything is written.
extension ShardNode {
    /// Pause after one that found no space.
    private static let checkpointPauseMilliseconds: UInt64 = 1_000

    /// Orders those that are due where nothing is under way: one that found no space is tried again
    /// even if nothing more is written.
    mutating func checkpointWhereDue(into directives: inout [ShardDirective]) {
        for partition in workers.keys.sorted()
        where workers[partition]!.inFlight.isEmpty
            && snapshot?.cutting.contains(partition) != true
        {
            checkpointIfDue(partition, into: &directives)
        }
    }

    mutating func checkpointIfDue(
        _ partition: PartitionIndex, into directives: inout [ShardDirective]
    ) {
        let worker = workers[partition]!
        let isDue = worker.wantsCheckpoint || worker.logBytes > settings.checkpointLogBytes
        guard isDue, !worker.isCheckpointing, worker.checkpointNotBefore <= now else { return }
        workers[partition]!.wantsCheckpoint = false
        orderCheckpoint(partition, into: &directives)
    }

    private mutating func orderCheckpoint(
        _ partition: PartitionIndex, into directives: inout [ShardDirective]
    ) {
        workers[partition]!.isCheckpointing = true
        let worker = workers[partition]!
        directives.append(.checkpoint(partition, worker.lsn, worker.state))
    }

    /// Orders a checkpoint of each partition that has records in its log and nothing under way.
    public mutating func checkpointAll(into directives: inout [ShardDirective]) {
        applyEverything(into: &directives)
        for partition in workers.keys.sorted() {
            let worker = workers[partition]!
            guard worker.logBytes > 0, worker.inFlight.isEmpty, !worker.isCheckpointing else {
                continue
            }
            orderCheckpoint(partition, into: &directives)
        }
    }

    mutating func checkpointed(
        _ partition: PartitionIndex, _ result: Result<UInt64, LociError>,
        into directives: inout [ShardDirective]
    ) {
        workers[partition]!.isCheckpointing = false
        switch result {
        case .success(let logBytes): workers[partition]!.logBytes = logBytes
        case .failure(let error) where error.code == .resourceExhausted:
            workers[partition]!.wantsCheckpoint = true
            workers[partition]!.checkpointNotBefore = now.advanced(
                milliseconds: Self.checkpointPauseMilliseconds)
        case .failure(let error): directives.append(.stop(error))
        }
    }
}
