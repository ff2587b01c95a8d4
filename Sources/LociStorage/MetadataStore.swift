public import LociBase

/// Small named files that are replaced as a whole: the coordinator's metadata, for one. A reader
/// sees the old content or the new, never a mixture, whatever happens in between.
public struct MetadataStore: Sendable {
    private let folder: String
    private let fileSystem: any StorageFileSystem
    private static let magic: UInt64 = 0x4154_454D_4943_4F4C  // "LOCIMETA"

    /// Creates the folder if it is missing, and locks it against other processes.
    public init(folder: String, fileSystem: any StorageFileSystem) throws(StorageError) {
        self.folder = folder
        self.fileSystem = fileSystem
        try fileSystem.createFolder(folder)
        try fileSystem.lock(folder)
    }

    /// For a look at what is stored, without a lock.
    init(reading folder: String, _ fileSystem: any StorageFileSystem) {
        self.folder = folder
        self.fileSystem = fileSystem
    }

    /// - Returns: nil if nothing was ever stored under the name.
    /// - Throws: `corrupt` if the file is not what was written.
    public func load(_ name: String) throws(StorageError) -> Bytes? {
        let path = "\(folder)/\(name)"
        guard fileSystem.exists(path) else { return nil }
        let file = try fileSystem.open(path, create: false)
        let bytes = try file.read(at: 0, count: Int(try file.size()))
        guard bytes.count >= 16, bytes.load(UInt64.self, at: 0) == Self.magic else {
            throw .corrupt(path: path, what: "it is not a metadata file")
        }
        let content = bytes.slice(16..<bytes.count)
        guard content.checksum() == bytes.load(UInt64.self, at: 8) else {
            throw .corrupt(path: path, what: "its checksum does not match")
        }
        return content
    }

    /// Durable on return.
    public func store(_ content: Bytes, as name: String) throws(StorageError) {
        let path = "\(folder)/\(name)"
        let fresh = path + ".new"
        try fileSystem.remove(fresh)
        var writer = ByteWriter(reserving: content.count + 16)
        writer.write(Self.magic)
        writer.write(content.checksum())
        writer.write(raw: content)
        let file = try fileSystem.open(fresh, create: true)
        try file.write(writer.finished, at: 0)
        try file.sync()
        try fileSystem.rename(fresh, to: path)
        try fileSystem.syncFolder(folder)
    }
}
