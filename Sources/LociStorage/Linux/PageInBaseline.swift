import CLinux
import Glibc

/// What page-ins are measured against: one pread of the device past the page cache, into memory
/// that is there already. Nothing that reads a page from the device can be faster for long.
@safe public final class DeviceReader {
    private let file: LinuxFile
    private let memory: UnsafeMutableRawBufferPointer

    /// - Parameter byteCount: Bytes of each read, a multiple of 4096.
    public init(_ path: String, byteCount: Int) throws(StorageError) {
        file = try LinuxFile(path, flags: O_RDONLY | loci_o_direct)
        unsafe memory = .allocate(byteCount: byteCount, alignment: 4096)
    }

    deinit { unsafe memory.deallocate() }

    /// Reads, and returns the first 8 bytes.
    public func read(at offset: UInt64) throws(StorageError) -> UInt64 {
        unsafe try file.read(at: offset, into: memory)
        return unsafe memory.load(as: UInt64.self)
    }
}

/// What page-ins are measured against: a file that is mapped and looked at in place. The kernel
/// pages it in and out as it likes; nothing is copied and no error is caught.
@safe public final class KernelPagedFile: @unchecked Sendable {
    private let file: LinuxFile
    private let base: UnsafeRawPointer
    private let byteCount: Int

    public init(_ path: String) throws(StorageError) {
        file = try LinuxFile(path, flags: O_RDONLY)
        byteCount = Int(try file.size())
        guard let base = unsafe loci_map_random(file.descriptor.number, UInt64(byteCount)) else {
            throw .io(operation: "mmap", path: path, errno: errno)
        }
        unsafe self.base = base
    }

    deinit { unsafe munmap(UnsafeMutableRawPointer(mutating: base), byteCount) }

    /// Looks at a word of every 4 KiB of a range, and returns the first.
    public func touch(at offset: UInt64, count: Int) -> UInt64 {
        precondition(offset <= UInt64(byteCount) && count <= byteCount - Int(offset))
        let start = unsafe base + Int(offset)
        var others: UInt64 = 0
        for position in stride(from: 4096, to: count, by: 4096) {
            others ^= unsafe start.load(fromByteOffset: position, as: UInt64.self)
        }
        // A result that depends on every word, so that none is left out.
        return unsafe others == .max ? 0 : start.load(as: UInt64.self)
    }

    /// Copies a range out of the mapping.
    public func copy(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) {
        precondition(target.count <= byteCount && Int(offset) <= byteCount - target.count)
        unsafe target.copyMemory(
            from: UnsafeRawBufferPointer(start: base + Int(offset), count: target.count))
    }

    /// Bytes of the file that are in the page cache.
    public func cachedBytes() throws(StorageError) -> Int {
        var resident = Array(repeating: UInt8(0), count: (byteCount + 4095) / 4096)
        _ = try SystemCall.retrying("mincore", file.path) {
            unsafe mincore(UnsafeMutableRawPointer(mutating: base), byteCount, &resident)
        }
        return resident.reduce(0) { $0 + Int($1 & 1) } * 4096
    }
}

extension LinuxFileSystem {
    /// Makes the kernel forget what it holds of a file, as far as nobody has it mapped and it is
    /// synced.
    public static func dropCache(of path: String) throws(StorageError) {
        let file = try LinuxFile(path, flags: O_RDONLY)
        _ = posix_fadvise(file.descriptor.number, 0, 0, POSIX_FADV_DONTNEED)
    }
}
