import Glibc
import LociBase
import Synchronization

@testable import LociStorage

/// Counts the calls of storage, and does something just before one of them. Only one thread uses
/// it.
final class PowerSupply: @unchecked Sendable {
    private var left: Int?
    private var action: () -> Void = {}
    private var random: SeededRandom
    private(set) var hasFired = false

    init(seed: UInt64) { random = SeededRandom(seed: seed &+ 1000) }

    func fail(after calls: Int, _ action: @escaping () -> Void) {
        left = calls
        self.action = action
        hasFired = false
    }

    func call() {
        guard let left else { return }
        self.left = left > 1 ? left - 1 : nil
        if left > 1 { return }
        let action = action
        cancel()
        action()
        hasFired = true
    }

    /// Lets go of what the action holds.
    func cancel() {
        left = nil
        action = {}
    }

    /// Now and then the kernel writes some of what it holds before it is told to.
    func writesBack() -> Bool { random.chance(0.3) }
    func chance() -> Bool { random.chance(0.5) }
}

/// The machine's files, with a power supply that is cut between two calls.
struct PoweredFileSystem: StorageFileSystem {
    private let files = LinuxFileSystem()
    private let power: PowerSupply

    init(_ power: PowerSupply) { self.power = power }

    func createFolder(_ path: String) throws(StorageError) {
        power.call()
        try files.createFolder(path)
    }
    func list(_ folder: String) throws(StorageError) -> [String] { try files.list(folder) }
    func exists(_ path: String) -> Bool { files.exists(path) }
    func lock(_ folder: String) throws(StorageError) { try files.lock(folder) }
    func remove(_ path: String) throws(StorageError) {
        power.call()
        try files.remove(path)
    }
    func removeTree(_ path: String) throws(StorageError) {
        power.call()
        try files.removeTree(path)
    }
    func syncFolder(_ path: String) throws(StorageError) {
        power.call()
        try files.syncFolder(path)
    }
    func rename(_ from: String, to: String) throws(StorageError) {
        power.call()
        try files.rename(from, to: to)
    }
    func open(_ path: String, create: Bool) throws(StorageError) -> any StorageFile {
        power.call()
        return PoweredFile(try files.open(path, create: create), path, power)
    }
    func openPaged(
        _ path: String, size: UInt64, create: Bool
    ) throws(StorageError) -> (any StorageFile)? {
        power.call()
        return try files.openPaged(path, size: size, create: create).map {
            PoweredFile($0, path, power)
        }
    }
}

private final class PoweredFile: StorageFile {
    private let file: any StorageFile
    private let power: PowerSupply
    private let descriptor: Int32

    init(_ file: any StorageFile, _ path: String, _ power: PowerSupply) {
        self.file = file
        self.power = power
        descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC)
    }

    deinit { close(descriptor) }

    func write(_ bytes: Bytes, at offset: UInt64) throws(StorageError) {
        power.call()
        try file.write(bytes, at: offset)
        guard power.writesBack() else { return }
        // Single pages of the write go to the disk, and others do not.
        let block: UInt64 = 4096
        for start in stride(
            from: offset / block * block, to: offset + UInt64(bytes.count), by: 4096)
        where power.chance() {
            posix_fadvise(descriptor, off_t(start), off_t(block), POSIX_FADV_DONTNEED)
        }
    }
    func sync() throws(StorageError) {
        power.call()
        try file.sync()
    }
    func resize(to size: UInt64) throws(StorageError) {
        power.call()
        try file.resize(to: size)
    }
    func punch(at offset: UInt64, count: UInt64) throws(StorageError) {
        power.call()
        try file.punch(at: offset, count: count)
    }

    func size() throws(StorageError) -> UInt64 { try file.size() }
    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(StorageError) {
        try file.read(at: offset, into: target)
    }
    func dataRanges(in range: Range<UInt64>) throws(StorageError) -> [Range<UInt64>] {
        try file.dataRanges(in: range)
    }
    func allocatedBytes() throws(StorageError) -> UInt64 { try file.allocatedBytes() }
}
