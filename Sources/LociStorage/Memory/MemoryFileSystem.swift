import Glibc
import LociBase
import Synchronization

/// An error that the n-th operation from now meets.
public struct InjectedFailure: Equatable, Sendable {
    /// 1 is the next operation; files and folders count alike, reads too.
    public var operation: UInt64
    public var errno: Int32
    /// Whether all later operations fail too.
    public var isSticky: Bool

    public init(operation: UInt64, errno: Int32, isSticky: Bool = false) {
        precondition(operation > 0)
        self.operation = operation
        self.errno = errno
        self.isSticky = isSticky
    }
}

/// Files and folders in memory, for the simulator and for tests: deterministic, with loss of power,
/// full disks and failing operations. It keeps its promises exactly and no better: what was not
/// synced can be lost.
public final class MemoryFileSystem: StorageFileSystem, @unchecked Sendable {
    private struct State: Sendable {
        var names = MemoryNames()
        var inodes: [UInt64: MemoryInode] = [:]
        var nextInode: UInt64 = 1
        var locked: Set<String> = []
        /// Grows when the process that opened files ends; older handles are invalid.
        var life: UInt64 = 0
        var usedBytes: UInt64 = 0
        var spaceLimit: UInt64?
        var failure: InjectedFailure?
        var operations: UInt64 = 0
        var badSectors: BadSectors?
    }

    private let state: Mutex<State>

    public init() { state = Mutex(State()) }

    private init(copying state: State) { self.state = Mutex(state) }

    /// A second file system with the same files, and no handle or lock on them.
    public func copy() -> MemoryFileSystem {
        var state = state.withLock { $0 }
        Self.endProcess(&state)
        return MemoryFileSystem(copying: state)
    }

    /// Bytes that all files may take, in blocks of 4 KiB; a write beyond gets `noSpace` and changes
    /// nothing.
    public var spaceLimit: UInt64? {
        get { state.withLock { $0.spaceLimit } }
        set { state.withLock { $0.spaceLimit = newValue } }
    }

    public var failure: InjectedFailure? {
        get { state.withLock { $0.failure } }
        set { state.withLock { $0.failure = newValue } }
    }

    /// Bytes of a file that the device does not give back: reading any of them is EIO each time.
    public struct BadSectors: Equatable, Sendable {
        public let path: String
        public let range: Range<UInt64>

        public init(path: String, range: Range<UInt64>) {
            self.path = path
            self.range = range
        }
    }

    public var badSectors: BadSectors? {
        get { state.withLock { $0.badSectors } }
        set { state.withLock { $0.badSectors = newValue } }
    }

    /// Operations so far, for choosing one that shall fail.
    public var operations: UInt64 { state.withLock { $0.operations } }

    /// Bytes that all files take, in blocks of 4 KiB.
    public var usedBytes: UInt64 { state.withLock { $0.usedBytes } }

    /// Power is lost and comes back: of what was not synced, each write survives whole, torn after
    /// some 512-byte sector, or not at all, as the seed decides; of a folder's changes the first
    /// few. All handles and locks are gone.
    public func crash(seed: UInt64) {
        state.withLock { state in
            var random = SeededRandom(seed: seed)
            state.names.crash { random.below($0) }
            for number in state.names.inodes.sorted() {
                state.inodes[number]!.crash(using: &random)
            }
            Self.endProcess(&state)
            state.usedBytes = state.inodes.values.reduce(0) { $0 + $1.live.usedBytes }
        }
    }

    /// The process ends, by a kill -9 for one, and the machine stays up: nothing is lost, and all
    /// handles and locks are gone.
    public func endProcess() {
        state.withLock { Self.endProcess(&$0) }
    }

    private static func endProcess(_ state: inout State) {
        state.locked = []
        state.life += 1
        let named = state.names.inodes
        state.inodes = state.inodes.filter { named.contains($0.key) }
        for number in named { state.inodes[number]!.handles = 0 }
    }

    // MARK: StorageFileSystem

    public func createFolder(_ path: String) throws(StorageError) {
        try perform("mkdir", path) { state throws(StorageError) in state.names.createFolder(path) }
    }

    public func list(_ folder: String) throws(StorageError) -> [String] {
        try perform("opendir", folder) { state throws(StorageError) in
            let inside = folder + "/"
            let paths = state.names.folders.union(state.names.live.keys)
            return paths.filter { $0.hasPrefix(inside) }
                .map { String($0.dropFirst(inside.count)) }
                .filter { !$0.contains("/") }.sorted()
        }
    }

    public func open(_ path: String, create: Bool) throws(StorageError) -> any StorageFile {
        try perform("open", path) { state throws(StorageError) in
            if state.names.live[path] == nil {
                guard create, state.names.folders.contains(parentFolder(of: path)) else {
                    throw .io(operation: "open", path: path, errno: ENOENT)
                }
                Self.addFile(path, MemoryInode(), to: &state)
            }
            return handle(of: path, in: &state)
        }
    }

    public func openPaged(
        _ path: String, size: UInt64, create: Bool
    ) throws(StorageError) -> (any StorageFile)? {
        try perform("open", path) { state throws(StorageError) -> MemoryFile? in
            if let number = state.names.live[path] {
                let found = state.inodes[number]!.live.size
                guard found == size else {
                    throw .corrupt(path: path, what: "it has \(found) bytes instead of \(size)")
                }
            } else {
                guard create else { return nil }
                guard state.names.folders.contains(parentFolder(of: path)) else {
                    throw .io(operation: "open", path: path, errno: ENOENT)
                }
                var inode = MemoryInode()
                inode.apply(.resize(size))
                inode.sync()
                Self.addFile(path, inode, to: &state)
            }
            return handle(of: path, in: &state)
        }
    }

    public func exists(_ path: String) -> Bool {
        state.withLock { $0.names.live[path] != nil || $0.names.folders.contains(path) }
    }

    public func remove(_ path: String) throws(StorageError) {
        try perform("unlink", path) { state throws(StorageError) in
            if let number = state.names.live[path] { Self.release(number, in: &state) }
            state.names.remove(path)
        }
    }

    public func removeTree(_ path: String) throws(StorageError) {
        try perform("rmdir", path) { state throws(StorageError) in
            for (name, number) in state.names.live where name.hasPrefix(path + "/") || name == path
            {
                Self.release(number, in: &state)
            }
            state.names.removeTree(path)
        }
    }

    public func rename(_ from: String, to: String) throws(StorageError) {
        precondition(parentFolder(of: from) == parentFolder(of: to), "rename stays in its folder")
        try perform("rename", from) { state throws(StorageError) in
            guard state.names.live[from] != nil else {
                throw .io(operation: "rename", path: from, errno: ENOENT)
            }
            if let replaced = state.names.live[to] { Self.release(replaced, in: &state) }
            state.names.rename(from, to: to)
        }
    }

    public func syncFolder(_ path: String) throws(StorageError) {
        do {
            try perform("fsync", path) { state throws(StorageError) in
                state.names.syncFolder(path)
                let named = state.names.inodes
                state.inodes = state.inodes.filter {
                    $0.value.handles > 0 || named.contains($0.key)
                }
            }
        } catch .noSpace {
            throw .io(operation: "fsync", path: path, errno: ENOSPC)
        }
    }

    public func lock(_ folder: String) throws(StorageError) {
        try perform("flock", folder) { state throws(StorageError) in
            guard state.names.folders.contains(folder) else {
                throw .io(operation: "open", path: folder + "/lock", errno: ENOENT)
            }
            guard state.locked.insert(folder).inserted else { throw .locked(path: folder) }
        }
    }

    // MARK: Files

    /// Looks at the file of a handle.
    func look<Result: Sendable>(
        _ handle: MemoryFile, _ operation: String,
        _ body: (SparseContent) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try perform(operation, handle.path) { state throws(StorageError) in
            try Self.check(handle, operation, state)
            return try body(state.inodes[handle.inode]!.live)
        }
    }

    func checkReadable(_ path: String, _ range: Range<UInt64>) throws(StorageError) {
        guard let bad = badSectors, bad.path == path, bad.range.overlaps(range) else { return }
        throw .io(operation: "pread", path: path, errno: EIO)
    }

    func change(
        _ handle: MemoryFile, _ operation: String, _ change: MemoryInode.Change
    ) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            try Self.check(handle, operation, state)
            if let number = Self.failureOfNextOperation(&state) {
                // A write that fails has done a part of its work, as on the machine.
                if case .write(let bytes, let offset) = change, bytes.count > 1 {
                    let part = bytes.slice(0..<(bytes.count / 2))
                    Self.apply(.write(part, offset: offset), handle, &state)
                }
                throw Self.error(operation, handle.path, number)
            }
            if let limit = state.spaceLimit {
                let growth = state.inodes[handle.inode]!.growth(by: change)
                guard growth == 0 || state.usedBytes + growth <= limit else {
                    throw .noSpace(path: handle.path)
                }
            }
            Self.apply(change, handle, &state)
        }
    }

    private static func apply(
        _ change: MemoryInode.Change, _ handle: MemoryFile, _ state: inout State
    ) {
        let before = state.inodes[handle.inode]!.live.usedBytes
        state.inodes[handle.inode]!.apply(change)
        if state.names.live[handle.path] == handle.inode {
            state.usedBytes += state.inodes[handle.inode]!.live.usedBytes
            state.usedBytes -= before
        }
    }

    func sync(_ handle: MemoryFile) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            let failure = Self.failureOfNextOperation(&state)
            try Self.check(handle, "fdatasync", state)
            guard let failure else {
                state.inodes[handle.inode]!.sync()
                return
            }
            var random = SeededRandom(seed: state.operations)
            state.inodes[handle.inode]!.failSync(using: &random)
            throw .io(operation: "fdatasync", path: handle.path, errno: failure)
        }
    }

    /// The handle is gone; a file without a name goes with its last handle.
    func close(inode: UInt64, life: UInt64) {
        state.withLock { state in
            guard life == state.life, state.inodes[inode] != nil else { return }
            state.inodes[inode]!.handles -= 1
            if state.inodes[inode]!.handles == 0 && !state.names.inodes.contains(inode) {
                state.inodes[inode] = nil
            }
        }
    }

    // MARK: Private parts

    private func perform<Result: Sendable>(
        _ operation: String, _ path: String,
        _ body: (inout State) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try state.withLock { state throws(StorageError) in
            if let number = Self.failureOfNextOperation(&state) {
                throw Self.error(operation, path, number)
            }
            return try body(&state)
        }
    }

    private static func error(
        _ operation: String, _ path: String, _ number: Int32
    ) -> StorageError {
        number == ENOSPC
            ? .noSpace(path: path) : .io(operation: operation, path: path, errno: number)
    }

    private static func failureOfNextOperation(_ state: inout State) -> Int32? {
        state.operations += 1
        guard let failure = state.failure else { return nil }
        if failure.operation > 1 {
            state.failure!.operation -= 1
            return nil
        }
        if !failure.isSticky { state.failure = nil }
        return failure.errno
    }

    private static func check(
        _ handle: MemoryFile, _ operation: String, _ state: State
    ) throws(StorageError) {
        guard handle.life == state.life, state.inodes[handle.inode] != nil else {
            throw .io(operation: operation, path: handle.path, errno: EBADF)
        }
    }

    private static func addFile(_ path: String, _ inode: MemoryInode, to state: inout State) {
        let number = state.nextInode
        state.nextInode += 1
        state.inodes[number] = inode
        state.names.create(path, inode: number)
    }

    /// A file without a name takes no space; its content stays for its handles and for a crash that
    /// brings the name back.
    private static func release(_ number: UInt64, in state: inout State) {
        state.usedBytes -= state.inodes[number]!.live.usedBytes
    }

    private func handle(of path: String, in state: inout State) -> MemoryFile {
        let number = state.names.live[path]!
        state.inodes[number]!.handles += 1
        return MemoryFile(self, inode: number, life: state.life, path: path)
    }
}
