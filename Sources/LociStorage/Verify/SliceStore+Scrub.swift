public import LociBase
public import LociModel
import Synchronization

/// Where a scrub of a partition goes on. It stays good over flushes, checkpoints and restarts.
public struct ScrubCursor: Equatable, Sendable {
    let segment: SegmentName
    let page: UInt64
}

/// What one step of a scrub did.
public struct ScrubStep: Sendable {
    public struct Damage: Equatable, Sendable {
        public let address: PageAddress
        /// Says what is wrong; where it is the whole segment, the address is its first page.
        public let error: StorageError
    }

    /// Where the next step starts; nil at the end of the partition.
    public let next: ScrubCursor?
    /// Pages that are what was written to them.
    public let pagesVerified: Int
    /// Bytes of pages that were read.
    public let bytesRead: Int
    public let damaged: [Damage]
}

extension SliceStore {
    /// Reads some of a partition's pages, each from the tier that it lies in, and compares them
    /// with their checksums. Pages that wait in the write buffer are left out: their files are
    /// about to be written. Damage stops nothing; it is counted and told. To be called by one
    /// thread, at the rate that the disks can spare; a flush of this partition waits for the step.
    /// - Parameters:
    ///   - cursor: `next` of the step before; nil to begin.
    ///   - budgetBytes: A step ends once it has read as much, and earlier at the end of a segment
    ///     or in a stretch without pages.
    /// - Throws: What keeps the partition from working.
    public func scrub(
        _ partition: PartitionIndex, from cursor: ScrubCursor?, budgetBytes: Int
    ) throws(StorageError) -> ScrubStep {
        precondition(budgetBytes > 0)
        return try store(partition).scrub(from: cursor, budgetBytes: budgetBytes)
    }
}

extension PartitionStore {
    func scrub(
        from cursor: ScrubCursor?, budgetBytes: Int
    ) throws(StorageError) -> ScrubStep {
        try checkFailure()
        return try withMaintenance(isFinal: false) { _ throws(StorageError) in
            let listed = known.withLock { known in
                known.segments.filter { !known.dropped.contains($0.space) }
            }
            let left = listed.filter { cursor == nil || $0 >= cursor!.segment }
            guard let name = left.min() else {
                return ScrubStep(next: nil, pagesVerified: 0, bytesRead: 0, damaged: [])
            }
            let start = cursor?.segment == name ? cursor!.page : name.pages.lowerBound
            var scrub = SegmentScrub(name, from: start, budgetBytes: budgetBytes)
            scrub.run(in: self)
            counters.countVerified(scrub.verified)
            var next: ScrubCursor?
            if scrub.next < name.pages.upperBound {
                next = ScrubCursor(segment: name, page: scrub.next)
            } else if let following = left.filter({ $0 > name }).min() {
                next = ScrubCursor(segment: following, page: following.pages.lowerBound)
            }
            return ScrubStep(
                next: next, pagesVerified: scrub.verified, bytesRead: scrub.bytes,
                damaged: scrub.damaged)
        }
    }
}

/// One step within one segment.
private struct SegmentScrub {
    let name: SegmentName
    private(set) var next: UInt64
    private(set) var verified = 0
    private(set) var bytes = 0
    private(set) var damaged: [ScrubStep.Damage] = []
    private let budgetBytes: Int

    /// A window's block list is a look for each of its pages at worst; where there are few pages, a
    /// step ends after so many windows.
    private static let windowPages: UInt64 = 1 << 14
    private static let windows = 256

    init(_ name: SegmentName, from page: UInt64, budgetBytes: Int) {
        self.name = name
        self.budgetBytes = budgetBytes
        next = page
    }

    mutating func run(in store: PartitionStore) {
        do throws(StorageError) {
            guard let segment = try store.segments.segment(name, in: store.place, create: false)
            else {
                throw store.damage(
                    PageName(name.space, name.pages.lowerBound), name, "its file is missing")
            }
            for _ in 0..<Self.windows where next < name.pages.upperBound && bytes < budgetBytes {
                try verifyWindow(of: segment, in: store)
            }
        } catch {
            store.counters.countDamage()
            note(name.pages.lowerBound, error, store)
            next = name.pages.upperBound
        }
    }

    private mutating func verifyWindow(
        of segment: Segment, in store: PartitionStore
    ) throws(StorageError) {
        let end = min(next + Self.windowPages, name.pages.upperBound)
        try segment.walk(next..<end) { page throws(StorageError) in
            verify(page, of: segment, in: store)
            next = page.number + 1
            return bytes < budgetBytes
        }
        if bytes < budgetBytes { next = end }
    }

    private mutating func verify(
        _ page: Segment.PresentPage, of segment: Segment, in store: PartitionStore
    ) {
        let place = PageName(name.space, page.number)
        if store.buffer.image(of: place) != nil { return }
        bytes += name.pageBytes
        do throws(StorageError) {
            if page.sum.isWritten {
                _ = try store.stored(place, page.sum, segment)
                verified += 1
            } else {
                try store.verify(
                    try segment.image(of: page.number), page.sum, place, segment)
            }
        } catch {
            note(page.number, error, store)
        }
    }

    private mutating func note(
        _ page: UInt64, _ error: StorageError, _ store: PartitionStore
    ) {
        let address = PageAddress(
            space: name.space, partition: store.place.partition, page: page)
        damaged.append(ScrubStep.Damage(address: address, error: error))
    }
}
