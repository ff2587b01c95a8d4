import LociBase
import LociModel

/// The files `double-write-a` and `-b`, in turns: whole images of the pages that are about to be
/// written to their places. A loss of power tears a page there or here, never both.
///
///     FileHeader | length 8 | count 4 | (space 4, page 8, page bytes 4) each | images
///
/// The header's number is the batch's sequence, its proof the checksum of all after it.
struct DoubleWriteFile: Sendable {
    let place: PartitionPlace
    let path: String

    private static let mostBytes: UInt64 = 1 << 30

    /// The file for a batch: never that of the batch before it.
    init(for sequence: UInt64, in place: PartitionPlace) {
        self.init(sequence % 2 == 0 ? "a" : "b", place)
    }

    private init(_ suffix: String, _ place: PartitionPlace) {
        self.place = place
        path = place.folder + "/double-write-" + suffix
    }

    /// The file at a path, for a look at it.
    init(at path: String, in place: PartitionPlace) {
        self.place = place
        self.path = path
    }

    static func both(in place: PartitionPlace) -> [DoubleWriteFile] {
        [DoubleWriteFile("a", place), DoubleWriteFile("b", place)]
    }

    /// Durable on return.
    func write(_ pages: [(PageName, Bytes)], sequence: UInt64) throws(StorageError) {
        let isNew = !place.fileSystem.exists(path)
        let file = try place.fileSystem.open(path, create: true)
        // Before anything can fail for lack of space: the next call finds the file there.
        if isNew { try place.fileSystem.syncFolder(place.folder) }
        try file.write(content(pages, sequence), at: 0)
        try file.sync()
    }

    /// Says that all images up to a sequence are in their places. Need not become durable.
    func clear(sequence: UInt64) throws(StorageError) {
        let file = try place.fileSystem.open(path, create: true)
        try file.write(content([], sequence), at: 0)
    }

    private func content(_ pages: [(PageName, Bytes)], _ sequence: UInt64) -> Bytes {
        var table = ByteWriter()
        table.write(UInt32(pages.count))
        for (page, image) in pages {
            table.write(page.space)
            table.write(page.number)
            table.write(UInt32(image.count))
        }
        var length = ByteWriter()
        length.write(pages.reduce(UInt64(table.finished.count)) { $0 + UInt64($1.1.count) })
        let content = Bytes.joined([length.finished, table.finished] + pages.map(\.1))
        let header = place.header(.doubleWrite, number: sequence, proof: content.checksum())
        return Bytes.joined([header, content])
    }

    /// A batch as it stands in the file.
    struct Batch {
        let sequence: UInt64
        let pages: [(PageName, Bytes)]
    }

    /// The file's batch. One that is torn was never begun in place.
    /// - Returns: nil if there is no whole batch in the file.
    /// - Throws: What reading meets, and `foreign`.
    func read() throws(StorageError) -> Batch? {
        guard place.fileSystem.exists(path) else { return nil }
        let file = try place.fileSystem.open(path, create: false)
        let size = try file.size()
        let start = UInt64(FileHeader.byteCount)
        guard size >= start + 12 else { return nil }
        do {
            let header = try place.header(
                of: try file.read(at: 0, count: Int(start)), path, .doubleWrite)
            let length = try file.read(at: start, count: 8).load(UInt64.self, at: 0)
            guard length >= 4, length <= min(size - start - 8, Self.mostBytes) else { return nil }
            let content = try file.read(at: start, count: Int(length) + 8)
            guard content.checksum() == header.proof else { return nil }
            return Batch(
                sequence: header.number, pages: try pages(of: content.slice(8..<content.count)))
        } catch .corrupt {
            return nil
        }
    }

    private func pages(of content: Bytes) throws(StorageError) -> [(PageName, Bytes)] {
        do {
            var reader = ByteReader(content)
            var sizes: [(PageName, Int)] = []
            for _ in 0..<(try reader.read(UInt32.self)) {
                let space: SpaceID = try reader.read()
                let number: UInt64 = try reader.read()
                sizes.append((PageName(space, number), Int(try reader.read(UInt32.self))))
            }
            var pages: [(PageName, Bytes)] = []
            for (page, size) in sizes { pages.append((page, try reader.readRaw(size).compact())) }
            return pages
        } catch {
            throw .corrupt(path: path, what: "its table is damaged")
        }
    }
}
