/// Sizes that tests make small.
struct StorageTuning: Sendable {
    /// An append begins a new log file where the last one is as large.
    var logFileBytes: UInt64 = 64 << 20
    /// A checkpoint begins a new log file where the last one is as large, so that the next
    /// checkpoint can remove it.
    var checkpointFileBytes: UInt64 = 4 << 20
    /// Segments that are open at once.
    var openSegments = SliceStore.openSegments
}
