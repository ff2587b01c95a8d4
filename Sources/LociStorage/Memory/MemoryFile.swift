import LociBase

/// A handle of a file in memory.
final class MemoryFile: StorageFile {
    let inode: UInt64
    let life: UInt64
    let path: String
    private let fileSystem: MemoryFileSystem

    init(_ fileSystem: MemoryFileSystem, inode: UInt64, life: UInt64, path: String) {
        self.fileSystem = fileSystem
        self.inode = inode
        self.life = life
        self.path = path
    }

    deinit { fileSystem.close(inode: inode, life: life) }

    func size() throws(StorageError) -> UInt64 {
        try fileSystem.look(self, "fstat") { content throws(StorageError) in content.size }
    }

    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(StorageError) {
        let count = target.count
        try fileSystem.checkReadable(path, offset..<(offset + UInt64(count)))
        let bytes = try fileSystem.look(self, "pread") { content throws(StorageError) in
            guard offset <= content.size, UInt64(count) <= content.size - offset else {
                throw .corrupt(path: path, what: "it ends before byte \(offset + UInt64(count))")
            }
            return content.read(at: offset, count: count)
        }
        unsafe bytes.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
    }

    func dataRanges(in range: Range<UInt64>) throws(StorageError) -> [Range<UInt64>] {
        try fileSystem.look(self, "lseek") { content throws(StorageError) in
            content.dataRanges(in: range)
        }
    }

    func allocatedBytes() throws(StorageError) -> UInt64 {
        try fileSystem.look(self, "fstat") { content throws(StorageError) in content.usedBytes }
    }

    func write(_ bytes: Bytes, at offset: UInt64) throws(StorageError) {
        if !bytes.isEmpty {
            try fileSystem.change(self, "pwrite", .write(bytes, offset: offset))
        }
    }

    func resize(to size: UInt64) throws(StorageError) {
        try fileSystem.change(self, "ftruncate", .resize(size))
    }

    func punch(at offset: UInt64, count: UInt64) throws(StorageError) {
        if count > 0 {
            try fileSystem.change(self, "fallocate", .punch(offset: offset, count: count))
        }
    }

    func sync() throws(StorageError) { try fileSystem.sync(self) }
}
