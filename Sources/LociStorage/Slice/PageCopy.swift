import LociBase
import LociModel

/// A snapshot of a partition's pages that is being written while writes go on.
///
/// Invariants:
/// - Every page goes into the copy once, as it was at the cut: from `frozen` if the segment lacked
///   it then; by `preserve` just before a flush overwrites it; else in its turn.
struct PageCopy: Sendable {
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

/// The file of a snapshot with a partition's pages.
///
///     FileHeader | (space 4, page bytes 4, page 8, check 8, image) each | end: 0, 0, count 8, check 8
///
/// Each check is the checksum of the image and of what stands before it, chained to the check
/// before; so nothing can be lost, swapped or repeated.
struct CopyFile: Sendable {
    let file: any StorageFile
    private(set) var bytes: UInt64
    private(set) var pages: UInt64 = 0
    private var chain: UInt64

    init(creating path: String, in place: PartitionPlace) throws(StorageError) {
        try place.fileSystem.remove(path)
        file = try place.fileSystem.open(path, create: true)
        chain = mix64(UInt64(place.partition) + 1)
        let header = place.header(.copy, number: UInt64(place.partition), proof: chain)
        try file.write(header, at: 0)
        bytes = UInt64(header.count)
    }

    mutating func append(_ page: PageName, _ image: Bytes) throws(StorageError) {
        try append(page.space, UInt32(image.count), page.number, image)
        pages += 1
    }

    /// Durable on return.
    mutating func finish() throws(StorageError) {
        try append(0, 0, pages, Bytes())
        try file.sync()
    }

    private mutating func append(
        _ space: SpaceID, _ pageBytes: UInt32, _ number: UInt64, _ image: Bytes
    ) throws(StorageError) {
        var writer = ByteWriter(reserving: 24)
        writer.write(space)
        writer.write(pageBytes)
        writer.write(number)
        chain = image.checksum(seed: writer.finished.checksum(seed: chain))
        writer.write(chain)
        try file.write(Bytes.joined([writer.finished, image]), at: bytes)
        bytes += UInt64(24 + image.count)
    }
}
