import LociBase
import LociCluster
import LociModel
import LociSearch
import LociStorage

/// Copies of partitions for snapshots of the cluster.
extension StoragePool {
    /// No page is written to the partition until the cut is reported: the node sees to that.
    func snapshot(
        _ place: SnapshotPlace, _ partition: PartitionIndex, _ state: PartitionState
    ) {
        let folder = "\(snapshotFolder)/\(place.workingFolder)"
        afterWrites(on: upkeep.snapshotQueue(partition)) { [self] in
            // The coordinator makes the folder first, and removes it when it gives up.
            guard LinuxFileSystem().exists(folder) else {
                let error = LociError(
                    .failedPrecondition, "The folder \(folder) of the snapshot is not there.",
                    advice: "Shards on other machines must reach snapshot-folder by the same path.")
                return post(.snapshotDone(place, partition, .failure(error)))
            }
            let result = resultInSentence { () throws(StorageError) in
                try store.snapshot(
                    partition, state: state.snapshot,
                    into: folder,
                    onCut: { self.post(.snapshotCut(place, partition)) })
            }
            post(.snapshotDone(place, partition, result))
        }
    }
}
