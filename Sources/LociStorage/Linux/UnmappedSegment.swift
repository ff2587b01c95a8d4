import CLinux
import Glibc
import LociBase
import LociModel

/// A segment that is read by pread: through the page cache, or past it where there is a second
/// descriptor for that. Writes go through the page cache.
///
/// Invariants:
/// - A read past the page cache returns what was written before it began: the kernel writes dirty
///   pages of the range to the device first.
final class UnmappedSegment: StorageFile {
    /// What reads past the page cache are aligned to: offset and length.
    static let alignment = 4096

    let file: LinuxFile
    /// nil if page-ins shall go through the page cache, or the file system allows nothing else.
    let direct: LinuxFile?
    private let byteCount: UInt64

    /// - Parameter size: Bytes that the file must have.
    init(_ path: String, size: UInt64, isDirect: Bool) throws(StorageError) {
        file = try LinuxFile(path, flags: O_RDWR)
        try file.checkSize(size)
        byteCount = size
        guard isDirect else {
            direct = nil
            return
        }
        do {
            direct = try LinuxFile(path, flags: O_RDONLY | loci_o_direct)
        } catch .io(_, _, EINVAL) {
            direct = nil
        }
    }

    func size() throws(StorageError) -> UInt64 { byteCount }

    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(StorageError) {
        try checkEnd(offset, target.count)
        guard let direct, Self.isAligned(offset, target.count) else {
            return unsafe try file.read(at: offset, into: target)
        }
        do {
            unsafe try direct.read(at: offset, into: target)
        } catch .io(_, _, EINVAL) {
            // A device with larger blocks than usual, memory that is not aligned, or the rest of a
            // short read.
            unsafe try file.read(at: offset, into: target)
        }
    }

    /// Whether a read can go past the page cache; memory for pages is aligned.
    static func isAligned(_ offset: UInt64, _ count: Int) -> Bool {
        count > 0 && (offset | UInt64(count)) % UInt64(alignment) == 0
    }

    func checkEnd(_ offset: UInt64, _ count: Int) throws(StorageError) {
        guard offset <= byteCount, UInt64(count) <= byteCount - offset else {
            throw file.endError(offset + UInt64(count))
        }
    }

    func dataRanges(in range: Range<UInt64>) throws(StorageError) -> [Range<UInt64>] {
        try file.dataRanges(in: range)
    }

    func allocatedBytes() throws(StorageError) -> UInt64 { try file.allocatedBytes() }

    func write(_ bytes: Bytes, at offset: UInt64) throws(StorageError) {
        precondition(
            offset <= byteCount && UInt64(bytes.count) <= byteCount - offset,
            "a segment does not grow")
        try file.write(bytes, at: offset)
    }

    func resize(to size: UInt64) throws(StorageError) {
        precondition(size == byteCount, "a segment keeps its size")
    }

    func punch(at offset: UInt64, count: UInt64) throws(StorageError) {
        try file.punch(at: offset, count: count)
    }

    /// What was written is on the device then, and read from there: its copy in the page cache
    /// only takes memory.
    func sync() throws(StorageError) {
        try file.sync()
        // Pages only: the checksums behind them stay in the kernel's cache.
        let pages = off_t(Layout.segmentBytes)
        if direct != nil {
            _ = posix_fadvise(file.descriptor.number, 0, pages, POSIX_FADV_DONTNEED)
        }
    }
}
