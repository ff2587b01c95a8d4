import Glibc

/// The files of the machine, to be read only: for checks of folders that must stay as they are,
/// read-only disks among them. Whatever would change something gets EROFS.
public struct ReadingFileSystem: StorageFileSystem {
    private let files = LinuxFileSystem()

    public init() {}

    public func createFolder(_ path: String) throws(StorageError) {
        if !exists(path) { throw Self.refusal("mkdir", path) }
    }

    public func list(_ folder: String) throws(StorageError) -> [String] { try files.list(folder) }

    public func open(_ path: String, create: Bool) throws(StorageError) -> any StorageFile {
        try LinuxFile(path, flags: O_RDONLY)
    }

    public func openPaged(
        _ path: String, size: UInt64, create: Bool
    ) throws(StorageError) -> (any StorageFile)? {
        do throws(StorageError) {
            let file = try LinuxFile(path, flags: O_RDONLY)
            let found = try file.size()
            guard found == size else {
                throw .corrupt(path: path, what: "it has \(found) bytes instead of \(size)")
            }
            return file
        } catch .io("open", _, ENOENT) {
            return nil
        }
    }

    public func exists(_ path: String) -> Bool { files.exists(path) }
    public func remove(_ path: String) throws(StorageError) { throw Self.refusal("unlink", path) }
    public func removeTree(_ path: String) throws(StorageError) {
        throw Self.refusal("rmdir", path)
    }
    public func rename(_ from: String, to: String) throws(StorageError) {
        throw Self.refusal("rename", from)
    }
    public func syncFolder(_ path: String) throws(StorageError) {}

    /// A folder that is in use has a file for its lock, on a disk that can be written to.
    public func lock(_ folder: String) throws(StorageError) {
        guard exists(folder + "/lock") else { return }
        do {
            try files.lock(folder)
        } catch .io(_, _, EROFS) {
            return
        }
    }

    private static func refusal(_ operation: String, _ path: String) -> StorageError {
        .io(operation: operation, path: path, errno: EROFS)
    }
}
