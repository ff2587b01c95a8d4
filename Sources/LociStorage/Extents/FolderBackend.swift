import Glibc
public import LociBase

/// Cold extents as files in a folder.
///
/// Invariants:
/// - A file is durable before it gets its name.
/// - Where the folder's `identity` is missing, nothing is said to be absent: its disk may be.
public struct FolderBackend: ExtentBackend {
    private let folder: String
    private let fileSystem: any StorageFileSystem

    static let unfinishedSuffix = ".new"

    public init(folder: String, fileSystem: any StorageFileSystem) {
        self.folder = folder
        self.fileSystem = fileSystem
    }

    public func path(of name: String) -> String { folder + "/" + name }

    public func claim(for identity: SliceIdentity, isNew: Bool) throws(StorageError) {
        if !isNew { try checkPresence() }
        try fileSystem.createFolder(folder)
        _ = try IdentityFile.open(folder, fileSystem, identity)
    }

    public func put(_ content: Bytes, as name: String) throws(StorageError) {
        let target = path(of: name)
        let parent = parentFolder(of: target)
        try checkPresence()
        if !fileSystem.exists(parent) { try fileSystem.createFolder(parent) }
        let unfinished = target + Self.unfinishedSuffix
        do {
            let file = try fileSystem.open(unfinished, create: true)
            try file.resize(to: 0)
            try file.write(content, at: 0)
            try file.sync()
            try fileSystem.rename(unfinished, to: target)
            try fileSystem.syncFolder(parent)
        } catch {
            try? fileSystem.remove(unfinished)
            throw error
        }
    }

    public func open(_ name: String) throws(StorageError) -> (any ExtentObject)? {
        do {
            return try ExtentFileObject(fileSystem.open(path(of: name), create: false))
        } catch .io("open", _, ENOENT) {
            try checkPresence()
            return nil
        }
    }

    public func remove(_ name: String) throws(StorageError) {
        try fileSystem.remove(path(of: name))
    }

    public func removeFolder(_ name: String) throws(StorageError) {
        try fileSystem.removeTree(path(of: name))
    }

    public func list(_ name: String) throws(StorageError) -> [String] {
        try fileSystem.list(path(of: name))
    }

    private func checkPresence() throws(StorageError) {
        let path = folder + "/identity"
        guard fileSystem.exists(path) else {
            throw .missingTier(path: path)
        }
    }
}

private struct ExtentFileObject: ExtentObject {
    private let file: any StorageFile
    let byteCount: Int

    init(_ file: any StorageFile) throws(StorageError) {
        self.file = file
        byteCount = Int(try file.size())
    }

    func read(at offset: Int, count: Int) throws(StorageError) -> Bytes {
        try file.read(at: UInt64(offset), count: count)
    }
}
