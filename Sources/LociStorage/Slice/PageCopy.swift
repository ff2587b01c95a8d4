import LociBase
import LociModel

/// A snapshot of a partition's pages that is being written while writes go on.
///
/// Invariants:
/// - Every page goes into the copy once, as it was at the cut: from `frozen` if the segment lacked
///   it then; by `preserve` just before a flush overwrites it; else in its turn.
struct PageCopy: Sendable {
    /// Tells it from a later one of the same partition.
    let number: UInt64
    /// Pages that were in the write buffer at the cut.
    let frozen: [PageName: Bytes]
    /// Segments at the cut.
    let segments: Set<SegmentName>
    /// The pages of this segment below this one have had their turn, and all segments before it.
    var reached: (segment: SegmentName, page: UInt64)?
    /// Pages that were copied before their turn.
    var early: Set<PageName> = []
    var writer: CopyFile
    /// Why it cannot be finished.
    var failure: StorageError?

    /// Whether a page is still to be read from its segment.
    func lacks(_ page: PageName, _ segment: SegmentName) -> Bool {
        guard segments.contains(segment), frozen[page] == nil, !early.contains(page) else {
            return false
        }
        guard let reached else { return true }
        return segment > reached.segment
            || segment == reached.segment && page.number >= reached.page
    }
}
