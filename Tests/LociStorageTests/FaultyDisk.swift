import LociBase
import Synchronization
import Testing

@testable import LociStorage

/// Files in memory on a disk that says it has written and has not: to segments only, so that the
/// double-write area is as good as the segments are bad.
final class FaultyDisk: StorageFileSystem {
    /// What happens to a run of pages and to the checksums that follow it.
    struct Fault: Sendable, CustomTestStringConvertible {
        enum Kind: Sendable, CaseIterable {
            case lostPages, lostSums, tornPages, oneSector, misdirected, swapped, swappedBoth
        }
        let kind: Kind
        var testDescription: String { "\(kind)" }

        /// Pages that are lost. Pages 0-11 are written in one run.
        var hits: Set<UInt64> {
            switch kind {
            case .lostPages, .lostSums: Set(0..<12)
            case .tornPages: Set(5..<12)
            case .oneSector: [7]
            case .misdirected: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
            case .swapped, .swappedBoth: [2, 3]
            }
        }
    }

    /// A page and its checksum that are both lost, and both are of the time before, are the one
    /// thing that a checksum beside the page cannot show; so that is not among these.
    static let all = Fault.Kind.allCases.map(Fault.init)

    let memory = MemoryFileSystem()
    private let current = Mutex<Fault?>(nil)

    var fault: Fault? {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }

    func createFolder(_ path: String) throws(StorageError) { try memory.createFolder(path) }
    func list(_ folder: String) throws(StorageError) -> [String] { try memory.list(folder) }
    func exists(_ path: String) -> Bool { memory.exists(path) }
    func remove(_ path: String) throws(StorageError) { try memory.remove(path) }
    func removeTree(_ path: String) throws(StorageError) { try memory.removeTree(path) }
    func syncFolder(_ path: String) throws(StorageError) { try memory.syncFolder(path) }
    func lock(_ folder: String) throws(StorageError) { try memory.lock(folder) }
    func rename(_ from: String, to: String) throws(StorageError) {
        try memory.rename(from, to: to)
    }
    func open(_ path: String, create: Bool) throws(StorageError) -> any StorageFile {
        try memory.open(path, create: create)
    }
    func openPaged(
        _ path: String, size: UInt64, create: Bool
    ) throws(StorageError) -> (any StorageFile)? {
        try memory.openPaged(path, size: size, create: create).map { FaultySegment($0, self) }
    }
}

private final class FaultySegment: StorageFile {
    private let file: any StorageFile
    private let disk: FaultyDisk
    private let layout = SegmentLayout(pageBytes: 16384)

    init(_ file: any StorageFile, _ disk: FaultyDisk) {
        self.file = file
        self.disk = disk
    }

    func write(_ bytes: Bytes, at offset: UInt64) throws(StorageError) {
        let isSums = offset >= layout.sumsOffset
        let page = layout.pageBytes
        switch (disk.fault?.kind, isSums) {
        case (.lostPages, false), (.lostSums, true): return
        case (.tornPages, false):
            // A few pages, and the first sectors of the next one.
            try file.write(bytes.slice(0..<(5 * page + 1024)), at: offset)
        case (.oneSector, false):
            try file.write(bytes.slice(0..<(7 * page + 512)), at: offset)
            try file.write(
                bytes.slice((7 * page + 1024)..<bytes.count), at: offset + UInt64(7 * page + 1024))
        case (.misdirected, false): try file.write(bytes, at: offset + UInt64(page))
        case (.swapped, false), (.swappedBoth, false): try write(bytes, swapping: page, at: offset)
        case (.swappedBoth, true): try write(bytes, swapping: PageSum.byteCount, at: offset)
        default: try file.write(bytes, at: offset)
        }
    }

    /// Pages 2 and 3, or their checksums, each in the other's place.
    private func write(
        _ bytes: Bytes, swapping width: Int, at offset: UInt64
    ) throws(StorageError) {
        try file.write(bytes, at: offset)
        try file.write(bytes.slice((2 * width)..<(3 * width)), at: offset + UInt64(3 * width))
        try file.write(bytes.slice((3 * width)..<(4 * width)), at: offset + UInt64(2 * width))
    }

    func size() throws(StorageError) -> UInt64 { try file.size() }
    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(StorageError) {
        try file.read(at: offset, into: target)
    }
    func dataRanges(in range: Range<UInt64>) throws(StorageError) -> [Range<UInt64>] {
        try file.dataRanges(in: range)
    }
    func allocatedBytes() throws(StorageError) -> UInt64 { try file.allocatedBytes() }
    func resize(to size: UInt64) throws(StorageError) { try file.resize(to: size) }
    func punch(at offset: UInt64, count: UInt64) throws(StorageError) {
        try file.punch(at: offset, count: count)
    }
    func sync() throws(StorageError) { try file.sync() }
}
