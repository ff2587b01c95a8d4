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

    func read(at offset: UInt64, count: Int) throws(StorageError) -> Bytes {
        unsafe try Bytes(uninitialized: count) {
            (target: UnsafeMutableRawBufferPointer) throws(StorageError) in
            var done = 0
            while done < count {
                let got = try SystemCall.retrying("pread", path) {
                    unsafe pread(
                        descriptor.number, target.baseAddress! + done, count - done,
                        off_t(offset) + off_t(done))
                }
                guard got > 0 else {
                    throw .corrupt(
                        path: path, what: "it ends before byte \(offset + UInt64(count))")
                }
                done += got
            }
        }
    }

    func write(_ bytes: Bytes, at offset: UInt64) throws(StorageError) {
        unsafe try bytes.withUnsafeBytes { (source: UnsafeRawBufferPointer) throws(StorageError) in
            var done = 0
            while done < source.count {
                let put = try SystemCall.retrying("pwrite", path) {
                    unsafe pwrite(
                        descriptor.number, source.baseAddress! + done, source.count - done,
                        off_t(offset) + off_t(done))
                }
                guard put > 0 else { throw .io(operation: "pwrite", path: path, errno: EIO) }
                done += put
            }
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
}
