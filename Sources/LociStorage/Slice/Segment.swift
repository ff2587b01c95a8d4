import LociBase
import LociModel

/// Where things lie in a segment file.
///
///     pages | one `PageSum` for each | footer: `FileHeader`, space 4, page bytes 4
///
/// The file has its full size from the start; what was never written is a hole.
struct SegmentLayout: Sendable {
    static let footerBytes: UInt64 = 4096

    let pageBytes: Int

    var pageCount: UInt64 { Layout.segmentBytes / UInt64(pageBytes) }
    var sumsOffset: UInt64 { Layout.segmentBytes }
    var footerOffset: UInt64 { sumsOffset + pageCount * UInt64(PageSum.byteCount) }
    var fileBytes: UInt64 { footerOffset + Self.footerBytes }

    func offset(of page: UInt64) -> UInt64 { page % pageCount * UInt64(pageBytes) }

    func sumOffset(of page: UInt64) -> UInt64 {
        sumsOffset + page % pageCount * UInt64(PageSum.byteCount)
    }
}

/// Names a segment of a partition.
struct SegmentName: Hashable, Comparable, Sendable {
    let space: SpaceID
    let number: UInt64
    let pageBytes: Int

    init(space: SpaceID, number: UInt64, pageBytes: Int) {
        self.space = space
        self.number = number
        self.pageBytes = pageBytes
    }

    init(holding page: PageName, pageBytes: Int) {
        self.init(
            space: page.space, number: page.number / SegmentLayout(pageBytes: pageBytes).pageCount,
            pageBytes: pageBytes)
    }

    var layout: SegmentLayout { SegmentLayout(pageBytes: pageBytes) }

    /// The segment's pages, numbered over the whole partition.
    var pages: Range<UInt64> { (number * layout.pageCount)..<((number + 1) * layout.pageCount) }

    static func < (left: SegmentName, right: SegmentName) -> Bool {
        (left.space, left.number) < (right.space, right.number)
    }
}

/// An open segment.
final class Segment: Sendable {
    let name: SegmentName
    let file: any StorageFile
    private let path: String

    /// A file that was found to be this segment's, for a look at it.
    init(_ name: SegmentName, _ file: any StorageFile) {
        self.name = name
        self.file = file
        path = ""
    }

    /// - Returns: nil if the file is absent and not to be created.
    /// - Throws: `foreign` or `corrupt` if it is not this segment's file.
    init?(_ name: SegmentName, in place: PartitionPlace, create: Bool) throws(StorageError) {
        path = place.segment(name.number, of: name.space)
        if create && !place.fileSystem.exists(path) { try Self.make(name, path, in: place) }
        guard
            let file = try place.fileSystem.openPaged(
                path, size: name.layout.fileBytes, create: false)
        else { return nil }
        self.name = name
        self.file = file
        try check(place)
    }

    /// Makes the file under another name, and names it when it has its footer: a reader that looks
    /// for it meanwhile finds either no file or a whole one.
    private static func make(
        _ name: SegmentName, _ path: String, in place: PartitionPlace
    ) throws(StorageError) {
        let layout = name.layout
        try place.fileSystem.createFolder(place.spaceFolder(name.space))
        let unnamed = path + ".made"
        let file = try place.fileSystem.openPaged(unnamed, size: layout.fileBytes, create: true)!
        try file.write(footer(of: name, in: place), at: layout.footerOffset)
        try file.sync()
        try place.fileSystem.rename(unnamed, to: path)
    }

    private static func footer(of name: SegmentName, in place: PartitionPlace) -> Bytes {
        var writer = ByteWriter()
        writer.write(name.space)
        writer.write(UInt32(name.pageBytes))
        return Bytes.joined([
            place.header(.segment, number: name.number, proof: writer.finished.checksum()),
            writer.finished,
        ])
    }

    private func check(_ place: PartitionPlace) throws(StorageError) {
        let bytes = try file.read(at: name.layout.footerOffset, count: FileHeader.byteCount + 8)
        let header = try place.header(of: bytes, path, .segment)
        let detail = bytes.slice(FileHeader.byteCount..<bytes.count)
        guard detail.checksum() == header.proof else {
            throw .corrupt(path: path, what: "the checksum of its footer is wrong")
        }
        let space = detail.load(SpaceID.self, at: 0)
        guard header.number == name.number, space == name.space,
            detail.load(UInt32.self, at: 4) == UInt32(name.pageBytes)
        else {
            throw .foreign(
                path: path, what: "it is segment \(header.number) of space \(space)")
        }
    }

    func sum(of page: UInt64) throws(StorageError) -> PageSum {
        PageSum(
            decoding: try file.read(
                at: name.layout.sumOffset(of: page), count: PageSum.byteCount))
    }

    /// Checksums of consecutive pages of this segment.
    func sums(of pages: Range<UInt64>) throws(StorageError) -> [PageSum] {
        let bytes = try file.read(
            at: name.layout.sumOffset(of: pages.lowerBound),
            count: pages.count * PageSum.byteCount)
        return pages.indices.map {
            PageSum(decoding: bytes, at: Int($0 - pages.lowerBound) * PageSum.byteCount)
        }
    }

    /// Bytes of the file to a page: a hole where it was never written.
    func image(of page: UInt64) throws(StorageError) -> Bytes {
        try file.read(at: name.layout.offset(of: page), count: name.pageBytes)
    }

    /// The page that a byte of the file before the footer belongs to: of its content or its sum.
    func pages(atOffsets range: Range<UInt64>) -> Range<UInt64> {
        let layout = name.layout
        let isSum = range.lowerBound >= layout.sumsOffset
        let base = isSum ? layout.sumsOffset : 0
        let width = UInt64(isSum ? PageSum.byteCount : name.pageBytes)
        let first = (range.lowerBound - base) / width
        let end = min((range.upperBound - base + width - 1) / width, layout.pageCount)
        return (name.pages.lowerBound + first)..<(name.pages.lowerBound + end)
    }
}
