import Glibc
import Synchronization

/// The files of the machine.
public struct LinuxFileSystem: StorageFileSystem {
    /// How pages of segments are read. `ring` is `direct` where the kernel allows no ring.
    public let effectiveKind: PageInKind
    let rings: RingPool?
    private let locks = FolderLocks()

    public init(pageIn: PageInKind = .mapped) {
        let pool = pageIn == .ring ? RingPool() : nil
        rings = pool.flatMap { $0.withRing { $0 != nil } ? pool : nil }
        effectiveKind = pageIn == .ring && rings == nil ? .direct : pageIn
    }

    public func createFolder(_ path: String) throws(StorageError) {
        if exists(path) { return }
        let parent = parentFolder(of: path)
        if parent != path { try createFolder(parent) }
        do {
            _ = try SystemCall.retrying("mkdir", path) { unsafe mkdir(path, 0o700) }
        } catch .io(_, _, EEXIST) {
            return
        }
        try syncFolder(parent)
    }

    public func list(_ folder: String) throws(StorageError) -> [String] {
        guard let stream = unsafe opendir(folder) else {
            if errno == ENOENT { return [] }
            throw SystemCall.error("opendir", folder, errno)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw SystemCall.error("readdir", folder, errno) }
        return names.sorted()
    }

    public func open(_ path: String, create: Bool) throws(StorageError) -> any StorageFile {
        try LinuxFile(path, flags: create ? O_RDWR | O_CREAT : O_RDWR)
    }

    public func openPaged(
        _ path: String, size: UInt64, create: Bool
    ) throws(StorageError) -> (any StorageFile)? {
        do {
            return try openSegment(path, size: size)
        } catch .io("open", _, ENOENT) {
            guard create else { return nil }
        }
        // It gets its name only when its size is durable, so that a shorter one was cut by others.
        let unfinished = path + ".new"
        do {
            let file = try LinuxFile(unfinished, flags: O_RDWR | O_CREAT | O_TRUNC)
            try file.resize(to: size)
            try file.sync()
        }
        try rename(unfinished, to: path)
        return try openSegment(path, size: size)
    }

    private func openSegment(
        _ path: String, size: UInt64
    ) throws(StorageError) -> any StorageFile {
        switch effectiveKind {
        case .mapped: try MappedSegment(try LinuxFile(path, flags: O_RDWR), size: size)
        case .buffered: try UnmappedSegment(path, size: size, isDirect: false)
        case .direct, .ring: try UnmappedSegment(path, size: size, isDirect: true)
        }
    }

    public func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    public func remove(_ path: String) throws(StorageError) {
        do {
            _ = try SystemCall.retrying("unlink", path) { unsafe unlink(path) }
        } catch .io(_, _, ENOENT) {
            return
        }
    }

    public func removeTree(_ path: String) throws(StorageError) {
        var status = stat()
        do {
            _ = try SystemCall.retrying("lstat", path) { unsafe lstat(path, &status) }
        } catch .io(_, _, ENOENT) {
            return
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return try remove(path) }
        for name in try list(path) { try removeTree(path + "/" + name) }
        _ = try SystemCall.retrying("rmdir", path) { unsafe rmdir(path) }
    }

    public func rename(_ from: String, to: String) throws(StorageError) {
        precondition(parentFolder(of: from) == parentFolder(of: to), "rename stays in its folder")
        _ = try SystemCall.retrying("rename", from) { unsafe Glibc.rename(from, to) }
    }

    public func syncFolder(_ path: String) throws(StorageError) {
        let folder = try Descriptor(path, flags: O_RDONLY | O_DIRECTORY)
        if fsync(folder.number) == 0 { return }
        throw .io(operation: "fsync", path: path, errno: errno)
    }

    public func lock(_ folder: String) throws(StorageError) { try locks.take(folder) }
}

/// The folder that a path's last name lies in.
func parentFolder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// Folders locked by this process. The kernel lets go of a lock when its descriptor closes.
private final class FolderLocks: Sendable {
    private let held = Mutex<[LinuxFile]>([])

    func take(_ folder: String) throws(StorageError) {
        let file = try LinuxFile(folder + "/lock", flags: O_RDWR | O_CREAT)
        do {
            _ = try SystemCall.retrying("flock", folder) {
                flock(file.descriptor.number, LOCK_EX | LOCK_NB)
            }
        } catch .io(_, _, EWOULDBLOCK) {
            throw .locked(path: folder)
        }
        held.withLock { $0.append(file) }
    }
}
