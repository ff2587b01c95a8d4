import LociBase

/// A page that is to be read from a file of `StorageFileSystem.openPaged`.
public struct PagedRead: Sendable {
    public let file: any StorageFile
    public let offset: UInt64
    public let count: Int

    public init(file: any StorageFile, offset: UInt64, count: Int) {
        self.file = file
        self.offset = offset
        self.count = count
    }

    /// Reads this one page and waits for it.
    func answer(into memory: any PageMemory) -> Result<Bytes, StorageError> {
        do throws(StorageError) {
            return .success(try file.read(at: offset, count: count, into: memory))
        } catch {
            return .failure(error)
        }
    }
}
