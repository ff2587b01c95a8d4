public import LociBase
import LociModel

/// Copies of partitions at one moment, and slices made from them.
extension SliceStore {
    /// Where a snapshot's folder keeps a partition.
    public static func snapshotFile(_ partition: PartitionIndex, in folder: String) -> String {
        "\(folder)/partition-\(partition).pages"
    }

    /// Copies a partition's state and pages into a snapshot's folder, as they are at this moment,
    /// while writes go on; durable on return.
    /// - Parameters:
    ///   - state: After all records whose `write`s have returned. No other `write` may be under
    ///     way before `onCut`.
    ///   - onCut: Called as soon as later writes cannot get into the copy.
    /// - Returns: Bytes of the copy.
    /// - Throws: What writing the copy meets, `damagedPage` if a page cannot be copied, or what
    ///   ails the partition itself. The partition is not affected; of the copy nothing is left.
    public func snapshot(
        _ partition: PartitionIndex, state: Bytes, into folder: String, onCut: () -> Void
    ) throws(StorageError) -> UInt64 {
        try fileSystem.createFolder(folder)
        let bytes = try store(partition).copy(
            to: Self.snapshotFile(partition, in: folder), state: state, onCut: onCut)
        try fileSystem.syncFolder(folder)
        return bytes
    }

    /// Fills a partition that was recovered and is still empty from a snapshot, durably.
    /// - Throws: `corrupt` if the copy is not whole.
    /// - Returns: Pages that were restored.
    public func restore(
        _ partition: PartitionIndex, from folder: String
    ) throws(StorageError) -> UInt64 {
        let store = store(partition)
        let path = Self.snapshotFile(partition, in: folder)
        var reader = try CopyReader(opening: path, fileSystem)
        guard reader.header.partition == partition else {
            throw .foreign(
                path: path, what: "it is of partition \(reader.header.partition)")
        }
        var pages: UInt64 = 0
        while let (page, image) = try reader.nextPage() {
            store.buffer.insert(image, of: page)
            pages += 1
            if writeBufferBytes > writeBufferLimit { try store.flush() }
        }
        _ = try store.checkpoint(at: PartitionLog.firstLSN, state: reader.state)
        return pages
    }
}
