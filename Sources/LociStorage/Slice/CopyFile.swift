import LociBase
import LociModel

/// The file of a snapshot with a partition's state and pages.
///
///     FileHeader | records: (space 4, length 4, number 8, check 8, bytes) each
///
/// The first record has the state (its space is all ones), the last one none and the count of
/// pages (its space is 0). Each check is the checksum of the bytes and of what stands before it,
/// chained to the check before; so nothing can be lost, swapped or repeated.
struct CopyFile: Sendable {
    static let stateSpace = SpaceID.max
    static let endSpace: SpaceID = 0
    static let recordHeaderBytes = 24

    let file: any StorageFile
    private(set) var bytes: UInt64
    private(set) var pages: UInt64 = 0
    private var chain: UInt64

    init(creating path: String, state: Bytes, in place: PartitionPlace) throws(StorageError) {
        try place.fileSystem.remove(path)
        file = try place.fileSystem.open(path, create: true)
        chain = mix64(UInt64(place.partition) + 1)
        let header = place.header(.copy, number: UInt64(place.partition), proof: chain)
        try file.write(header, at: 0)
        bytes = UInt64(header.count)
        try append(Self.stateSpace, 0, state)
    }

    mutating func append(_ page: PageName, _ image: Bytes) throws(StorageError) {
        try append(page.space, page.number, image)
        pages += 1
    }

    /// Durable on return.
    mutating func finish() throws(StorageError) {
        try append(Self.endSpace, pages, Bytes())
        try file.sync()
    }

    private mutating func append(
        _ space: SpaceID, _ number: UInt64, _ content: Bytes
    ) throws(StorageError) {
        var writer = ByteWriter(reserving: Self.recordHeaderBytes)
        writer.write(space)
        writer.write(UInt32(content.count))
        writer.write(number)
        chain = Self.next(chain, writer.finished, content)
        writer.write(chain)
        try file.write(Bytes.joined([writer.finished, content]), at: bytes)
        bytes += UInt64(Self.recordHeaderBytes + content.count)
    }

    static func next(_ chain: UInt64, _ prefix: Bytes, _ content: Bytes) -> UInt64 {
        content.checksum(seed: prefix.checksum(seed: chain))
    }
}

/// Reads what `CopyFile` wrote, one record after the other.
struct CopyReader: Sendable {
    let header: FileHeader
    private(set) var state = Bytes()
    private let path: String
    private let file: any StorageFile
    private let size: UInt64
    private var position: UInt64
    private var chain: UInt64
    private var pages: UInt64 = 0

    /// - Throws: `corrupt`, or what reading meets.
    init(opening path: String, _ fileSystem: any StorageFileSystem) throws(StorageError) {
        self.path = path
        file = try fileSystem.open(path, create: false)
        size = try file.size()
        let start = try file.read(at: 0, count: min(FileHeader.byteCount, Int(size)))
        header = try FileHeader(start, path, kind: .copy)
        position = UInt64(FileHeader.byteCount)
        chain = header.proof
        let (space, _, content) = try nextRecord()
        guard space == CopyFile.stateSpace else {
            throw .corrupt(path: path, what: "it does not start with a state")
        }
        state = content
    }

    /// - Returns: nil at the end, once all of the file has proved whole.
    mutating func nextPage() throws(StorageError) -> (PageName, Bytes)? {
        let (space, number, content) = try nextRecord()
        guard space != CopyFile.endSpace else {
            guard number == pages, position == size else {
                throw .corrupt(path: path, what: "its end says another number of pages")
            }
            return nil
        }
        pages += 1
        return (PageName(space, number), content)
    }

    private mutating func nextRecord() throws(StorageError) -> (SpaceID, UInt64, Bytes) {
        let width = UInt64(CopyFile.recordHeaderBytes)
        guard position + width <= size else {
            throw .corrupt(path: path, what: "it ends in the middle of a record")
        }
        let head = try file.read(at: position, count: Int(width))
        let length = UInt64(head.load(UInt32.self, at: 4))
        guard position + width + length <= size else {
            throw .corrupt(path: path, what: "it ends in the middle of a record")
        }
        let content = try file.read(at: position + width, count: Int(length))
        chain = CopyFile.next(chain, head.slice(0..<16), content)
        guard head.load(UInt64.self, at: 16) == chain else {
            throw .corrupt(path: path, what: "the record at byte \(position) is damaged")
        }
        position += width + length
        return (head.load(SpaceID.self, at: 0), head.load(UInt64.self, at: 8), content)
    }
}
