import CLinux
import Glibc
import LociBase

/// A file that is read by pread and written by pwrite.
final class LinuxFile: StorageFile {
    let path: String
    let descriptor: Descriptor

    init(_ path: String, flags: Int32) throws(StorageError) {
        self.path = path
        descriptor = try Descriptor(path, flags: flags)
    }

    func size() throws(StorageError) -> UInt64 { try descriptor.size(path) }

    /// `corrupt` if the file does not have just this many bytes.
    func checkSize(_ expected: UInt64) throws(StorageError) {
        let found = try size()
        guard found == expected else {
            throw .corrupt(path: path, what: "it has \(found) bytes instead of \(expected)")
        }
    }

    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(StorageError) {
        let done = try SystemCall.transferring(target.count, "pread", path) { done in
            unsafe pread(
                descriptor.number, target.baseAddress! + done, target.count - done,
                off_t(offset) + off_t(done))
        }
        if done < target.count { throw endError(offset + UInt64(target.count)) }
    }

    func dataRanges(in range: Range<UInt64>) throws(StorageError) -> [Range<UInt64>] {
        var found: [Range<UInt64>] = []
        var offset = range.lowerBound
        while offset < range.upperBound {
            var start: UInt64 = 0
            var end: UInt64 = 0
            let answer = try SystemCall.retrying("lseek", path) {
                unsafe loci_next_data(descriptor.number, offset, &start, &end)
            }
            guard answer > 0, start < range.upperBound else { break }
            // Another thread's punch can come between the kernel's two answers.
            if end > start { found.append(start..<min(end, range.upperBound)) }
            offset = max(end, start + 1)
        }
        return found
    }

    func allocatedBytes() throws(StorageError) -> UInt64 {
        UInt64(try descriptor.status(path).st_blocks) * 512
    }

    func write(_ bytes: Bytes, at offset: UInt64) throws(StorageError) {
        unsafe try bytes.withUnsafeBytes { (source: UnsafeRawBufferPointer) throws(StorageError) in
            let done = try SystemCall.transferring(source.count, "pwrite", path) { done in
                unsafe pwrite(
                    descriptor.number, source.baseAddress! + done, source.count - done,
                    off_t(offset) + off_t(done))
            }
            if done < source.count { throw .io(operation: "pwrite", path: path, errno: EIO) }
        }
    }

    func resize(to size: UInt64) throws(StorageError) {
        _ = try SystemCall.retrying("ftruncate", path) { ftruncate(descriptor.number, off_t(size)) }
    }

    func punch(at offset: UInt64, count: UInt64) throws(StorageError) {
        if count == 0 { return }
        _ = try SystemCall.retrying("fallocate", path) {
            loci_fallocate_punch(descriptor.number, offset, count)
        }
    }

    func sync() throws(StorageError) { try descriptor.sync(path) }

    /// A read that the file has no bytes for.
    func endError(_ end: UInt64) -> StorageError {
        .corrupt(path: path, what: "it ends before byte \(end)")
    }
}
