public import LociBase
public import LociModel
public import LociPlacement
public import LociSearch
public import LociStorage

/// From a shard's data folder to the node's state: the newest snapshot of each partition, and the
/// log after it. The simulator recovers its shards by the same code.
public enum ShardRecovery {
    /// Replays every partition. Replaying is idempotent: interrupted, it starts again.
    public static func recover(
        _ store: SliceStore, shard: ShardIndex, map: PartitionMap,
        tuning: SearchTuning = SearchTuning()
    ) throws(LociError) -> [(state: PartitionState, lsn: LSN, logBytes: UInt64)] {
        var recovered: [(state: PartitionState, lsn: LSN, logBytes: UInt64)] = []
        for partition in map.partitions(of: shard) {
            let (state, end) = try recover(
                store, partition, partitions: map.partitions, tuning)
            recovered.append((state, end, store.logBytes(partition)))
        }
        return recovered
    }

    private static func recover(
        _ store: SliceStore, _ partition: PartitionIndex, partitions: Int, _ tuning: SearchTuning
    ) throws(LociError) -> (PartitionState, LSN) {
        do throws(StorageError) {
            let saved = try store.recover(partition)
            var replay = Replay(store: store, partition: partition)
            return (try replay.run(saved, partitions: partitions, tuning), saved.end)
        } catch {
            throw error.sentence
        }
    }
}

private struct Replay {
    let store: SliceStore
    let partition: PartitionIndex
    /// Bytes in the write buffer at which a flush is tried next: later each time on a full disk.
    private var flushAt: Int

    init(store: SliceStore, partition: PartitionIndex) {
        self.store = store
        self.partition = partition
        flushAt = store.writeBufferLimit
    }

    mutating func run(
        _ saved: RecoveredPartition, partitions: Int, _ tuning: SearchTuning
    ) throws(StorageError) -> PartitionState {
        do {
            var state =
                try saved.snapshot.map { (bytes) throws(LociError) in
                    try PartitionState(
                        partition: partition, partitions: partitions, tuning: tuning,
                        snapshot: bytes)
                }
                ?? PartitionState(
                    partition: partition, partitions: partitions, tuning: tuning)
            for record in saved.records {
                var effects = PartitionState.Effects()
                state.apply(try LogRecord(encoded: record.payload), effects: &effects)
                try carryOut(effects)
            }
            return state
        } catch let error as StorageError {
            throw error
        } catch {
            throw .corrupt(path: "partition-\(partition)", what: "\(error)")
        }
    }

    private mutating func carryOut(_ effects: PartitionState.Effects) throws(StorageError) {
        for write in effects.writes {
            try store.write(
                write.bytes, at: write.offset, of: write.address, pageBytes: write.pageBytes)
        }
        for space in effects.dropped { store.drop(space: space, partition: partition) }
        guard store.writeBufferBytes > flushAt else { return }
        do {
            try store.flush(partition)
        } catch .noSpace {
            flushAt = store.writeBufferBytes + store.writeBufferLimit / 4
            // The shard starts all the same, and answers reads; the buffer holds what the log does.
        }
    }
}
