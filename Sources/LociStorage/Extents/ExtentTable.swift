import LociBase
import LociModel

/// What stands where in a cold extent.
///
///     FileHeader | space 4, page bytes 4, count 4 | (PageSum 16, check 8, bytes 4) each | frames
///
/// The header's number is the extent's, its proof the checksum of the table. There is an entry for
/// each page of the extent, of 0 bytes if the page is not in it. A frame is the page itself if it
/// has the page's size, else a Zstandard frame; `check` is the checksum of the frame.
struct ExtentTable: Sendable {
    struct Entry: Equatable, Sendable {
        static let byteCount = PageSum.byteCount + 12

        /// As in the segment, cold.
        let sum: PageSum
        let check: UInt64
        let offset: Int
        let byteCount: Int

        var end: Int { offset + byteCount }
    }

    let address: ExtentAddress
    let pageBytes: Int
    /// By page, from the extent's first on.
    let entries: [Entry]

    static func byteCount(_ address: ExtentAddress, pageBytes: Int) -> Int {
        FileHeader.byteCount + 12 + address.pages(pageBytes: pageBytes).count * Entry.byteCount
    }

    func entry(of page: UInt64) -> Entry {
        entries[Int(page - address.pages(pageBytes: pageBytes).lowerBound)]
    }

    /// The whole object.
    /// - Parameter frames: For each page of the extent, nil if it is not in it.
    static func content(
        _ address: ExtentAddress, pageBytes: Int, frames: [(sum: PageSum, frame: Bytes)?],
        in place: PartitionPlace
    ) -> Bytes {
        precondition(frames.count == address.pages(pageBytes: pageBytes).count)
        var table = ByteWriter(reserving: Self.byteCount(address, pageBytes: pageBytes))
        table.write(address.space)
        table.write(UInt32(pageBytes))
        table.write(UInt32(frames.count))
        for each in frames {
            (each?.sum.moved(toCold: true) ?? .unwritten).write(to: &table)
            table.write(each?.frame.checksum() ?? 0)
            table.write(UInt32(each?.frame.count ?? 0))
        }
        let header = place.header(
            .extent, number: address.number, proof: table.finished.checksum())
        return Bytes.joined([header, table.finished] + frames.compactMap { $0?.frame })
    }

    /// - Parameter bytes: The first `byteCount` of the object.
    /// - Throws: `corrupt` and `foreign`.
    init(
        _ bytes: Bytes, objectBytes: Int, _ address: ExtentAddress, pageBytes: Int, path: String,
        in place: PartitionPlace
    ) throws(StorageError) {
        let header = try place.header(of: bytes, path, .extent)
        let table = bytes.slice(FileHeader.byteCount..<bytes.count)
        guard table.checksum() == header.proof else {
            throw .corrupt(path: path, what: "the checksum of its table is wrong")
        }
        let count = address.pages(pageBytes: pageBytes).count
        guard header.number == address.number, table.load(at: 0) == address.space,
            table.load(UInt32.self, at: 4) == UInt32(pageBytes),
            table.load(UInt32.self, at: 8) == UInt32(count)
        else {
            throw .foreign(path: path, what: "it is another extent")
        }
        var entries: [Entry] = []
        var offset = bytes.count
        for index in 0..<count {
            let position = 12 + index * Entry.byteCount
            let size = Int(table.load(UInt32.self, at: position + PageSum.byteCount + 8))
            guard size <= pageBytes, size <= objectBytes - offset else {
                throw .corrupt(path: path, what: "it ends before its last page")
            }
            entries.append(
                Entry(
                    sum: PageSum(decoding: table, at: position),
                    check: table.load(at: position + PageSum.byteCount), offset: offset,
                    byteCount: size))
            offset += size
        }
        guard offset == objectBytes else {
            throw .corrupt(path: path, what: "it goes on behind its last page")
        }
        self.address = address
        self.pageBytes = pageBytes
        self.entries = entries
    }
}
