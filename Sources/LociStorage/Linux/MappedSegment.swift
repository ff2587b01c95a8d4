import CLinux
import Glibc
import LociBase

/// A segment: read through a shared read-only mapping that the kernel does not read ahead in,
/// written by pwrite. A read error of the device or a file cut by others is an error value, no
/// signal.
@safe final class MappedSegment: StorageFile, @unchecked Sendable {
    private let file: LinuxFile
    private let base: UnsafeRawPointer
    private let mappedBytes: UInt64

    /// What one fault reads.
    private static let faultBytes = 4096

    /// - Parameter size: Bytes that the file must have.
    init(_ file: LinuxFile, size: UInt64) throws(StorageError) {
        try file.checkSize(size)
        loci_install_fault_guard()
        guard let base = unsafe loci_map_random(file.descriptor.number, size) else {
            throw .io(operation: "mmap", path: file.path, errno: errno)
        }
        self.file = file
        unsafe self.base = base
        mappedBytes = size
    }

    deinit { unsafe munmap(UnsafeMutableRawPointer(mutating: base), Int(mappedBytes)) }

    func size() throws(StorageError) -> UInt64 { mappedBytes }

    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(StorageError) {
        guard offset <= mappedBytes, UInt64(target.count) <= mappedBytes - offset else {
            throw file.endError(offset + UInt64(target.count))
        }
        if target.count == 0 { return }
        if target.count > Self.faultBytes {
            // Without read-ahead each of the kernel's pages would wait for the device by itself.
            let range = (off_t(offset), off_t(target.count))
            _ = posix_fadvise(file.descriptor.number, range.0, range.1, POSIX_FADV_WILLNEED)
        }
        let position = unsafe base + Int(offset)
        if unsafe loci_guarded_copy(target.baseAddress!, position, target.count) == 0 { return }
        // A file system in memory wants room for a hole that is looked at through a mapping, and
        // may have none; and of a device, a call says what is wrong.
        do throws(StorageError) {
            unsafe try file.read(at: offset, into: target)
        } catch .corrupt {
            throw .fault(path: file.path)
        }
    }

    func dataRanges(in range: Range<UInt64>) throws(StorageError) -> [Range<UInt64>] {
        try file.dataRanges(in: range)
    }

    func allocatedBytes() throws(StorageError) -> UInt64 { try file.allocatedBytes() }

    func write(_ bytes: Bytes, at offset: UInt64) throws(StorageError) {
        precondition(
            offset <= mappedBytes && UInt64(bytes.count) <= mappedBytes - offset,
            "a segment does not grow")
        try file.write(bytes, at: offset)
    }

    func resize(to size: UInt64) throws(StorageError) {
        precondition(size == mappedBytes, "a segment keeps its size")
    }

    func punch(at offset: UInt64, count: UInt64) throws(StorageError) {
        try file.punch(at: offset, count: count)
    }

    func sync() throws(StorageError) { try file.sync() }
}
