import Synchronization

/// What a partition's storage has met since it was opened.
final class StorageCounters: Sendable {
    private let verifiedPages = Atomic<UInt64>(0)
    private let damagedPages = Atomic<UInt64>(0)
    private let lostWrites = Atomic<UInt64>(0)
    private let repairedPages = Atomic<UInt64>(0)
    private let flushedPages = Atomic<UInt64>(0)

    func countVerified(_ pages: Int) { verifiedPages.add(UInt64(pages), ordering: .relaxed) }
    func countDamage() { damagedPages.add(1, ordering: .relaxed) }
    func countLostWrite() { lostWrites.add(1, ordering: .relaxed) }
    func countRepair() { repairedPages.add(1, ordering: .relaxed) }
    func countFlush(pages: Int) { flushedPages.add(UInt64(pages), ordering: .relaxed) }

    var counts: StorageCounts {
        StorageCounts(
            verifiedPages: verifiedPages.load(ordering: .relaxed),
            damagedPages: damagedPages.load(ordering: .relaxed),
            lostWrites: lostWrites.load(ordering: .relaxed),
            repairedPages: repairedPages.load(ordering: .relaxed),
            flushedPages: flushedPages.load(ordering: .relaxed))
    }
}

/// Counts since a slice was opened.
public struct StorageCounts: Equatable, Sendable {
    /// Pages that a scrub found intact.
    public var verifiedPages: UInt64 = 0
    /// Times that a page was found damaged.
    public var damagedPages: UInt64 = 0
    /// Writes to parts of damaged pages: the page is lost, and they with it.
    public var lostWrites: UInt64 = 0
    /// Pages that an interrupted flush had torn, and that were whole in a double-write file.
    public var repairedPages: UInt64 = 0
    public var flushedPages: UInt64 = 0

    public mutating func add(_ other: StorageCounts) {
        verifiedPages += other.verifiedPages
        damagedPages += other.damagedPages
        lostWrites += other.lostWrites
        repairedPages += other.repairedPages
        flushedPages += other.flushedPages
    }
}
