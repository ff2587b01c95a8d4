public import LociBase

/// The files and folders that storage is built on. Paths are separated by `/`; `rename` stays
/// within one folder. Names that are created, renamed or removed are durable only after
/// `syncFolder`, data in files only after `StorageFile.sync`.
public protocol StorageFileSystem: Sendable {
    /// Creates the folder and its missing parents, mode 0700, durable on return. One that is there
    /// is no error.
    func createFolder(_ path: String) throws(StorageError)

    /// Names of the files and folders in a folder, sorted; none if it is absent.
    func list(_ folder: String) throws(StorageError) -> [String]

    /// Opens a file for reading and writing. `io` with ENOENT if it is absent and not to be
    /// created.
    func open(_ path: String, create: Bool) throws(StorageError) -> any StorageFile

    /// Opens a segment: a sparse file of exactly `size` bytes, read at random in pages. One that is
    /// created has its full size from the moment it has its name; one of another size is `corrupt`.
    /// - Returns: nil if it is absent and not to be created.
    func openPaged(
        _ path: String, size: UInt64, create: Bool
    ) throws(StorageError) -> (any StorageFile)?

    /// Reads pages of files that this file system opened, and waits for all. Answers are in the
    /// order of the reads, and each stands for itself: one that fails leaves the others alone.
    func readPaged(
        _ reads: [PagedRead], into memory: any PageMemory
    ) -> [Result<Bytes, StorageError>]

    func exists(_ path: String) -> Bool

    /// Removes a file; one that is absent is no error.
    func remove(_ path: String) throws(StorageError)

    /// Removes a folder and all that it holds; one that is absent is no error.
    func removeTree(_ path: String) throws(StorageError)

    /// Gives a file another name in the same folder, in one step, in place of a file of that name.
    func rename(_ from: String, to: String) throws(StorageError)

    /// Makes names in the folder durable. A failure is final, as with `StorageFile.sync`.
    func syncFolder(_ path: String) throws(StorageError)

    /// Locks a folder against other processes. The lock is held while a copy of this file system
    /// lives, at the longest until the process ends, however it ends. `locked` if somebody else
    /// holds it.
    func lock(_ folder: String) throws(StorageError)
}

extension StorageFileSystem {
    /// One after the other.
    public func readPaged(
        _ reads: [PagedRead], into memory: any PageMemory
    ) -> [Result<Bytes, StorageError>] {
        reads.map { $0.answer(into: memory) }
    }
}
