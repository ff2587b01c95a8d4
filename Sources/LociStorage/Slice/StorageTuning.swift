/// Sizes that tests make small.
struct StorageTuning: Sendable {
    /// An append begins a new log file where the last one is as large.
    var logFileBytes: UInt64 = 64 << 20
    /// A checkpoint begins a new log file where the last one is as large, so that the next
    /// checkpoint can remove it.
    var checkpointFileBytes: UInt64 = 4 << 20
    /// Pages that were written and are not yet in their segments, over all partitions.
    var writeBufferBytes = 64 << 20
    /// Pages that go to their places together, through the double-write files.
    var flushBatchBytes = 4 << 20
    /// Segments that are open at once.
    var openSegments = SliceStore.openSegments
}
