import LociBase
import LociCluster
import LociModel
import LociSearch
import LociStorage

/// Surveys, scrubs and snapshots.
extension StoragePool {
    func survey(_ request: SurveyRequest) {
        post(.surveyed(request, .success(Survey(extents: [], hasMore: false))))
    }

    func scrub(bytesPerSecond: UInt64) {
        let error = LociError(.failedPrecondition, "The store of this shard is not scrubbed.")
        post(.scrubbed(ScrubProgress(failure: error)))
    }

    /// No page is written to the partition until the cut is reported: the node sees to that.
    func snapshot(
        _ place: SnapshotPlace, _ partition: PartitionIndex, _ state: PartitionState
    ) {
        afterWrites(on: snapshotQueue) { [self] in
            let result = Self.result { () throws(StorageError) in
                try store.snapshot(
                    partition, state: state.snapshot,
                    into: "\(snapshotFolder)/\(place.workingFolder)",
                    onCut: { self.post(.snapshotCut(place, partition)) })
            }
            post(.snapshotDone(place, partition, result))
        }
    }
}
