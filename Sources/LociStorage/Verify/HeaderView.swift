import LociBase

/// A file's header as it stands there, whoever owns the file.
struct HeaderView {
    /// nil if it does not start as any file of Loci does.
    let kind: FileHeader.Kind?
    let format: UInt32
    let partition: PartitionIndex
    let identity: SliceIdentity
    let number: UInt64
    let proof: UInt64
    /// Whether its checksum is right.
    let isIntact: Bool

    /// - Returns: nil if there are too few bytes for a header.
    init?(_ bytes: Bytes) {
        guard bytes.count >= FileHeader.byteCount else { return nil }
        kind = FileHeader.Kind(rawValue: bytes.slice(0..<8).string)
        format = bytes.load(at: 8)
        partition = bytes.load(at: 12)
        identity = SliceIdentity(clusterID: bytes.load(at: 16), shard: bytes.load(at: 24))
        number = bytes.load(at: 32)
        proof = bytes.load(at: 40)
        let checked = FileHeader.byteCount - 8
        isIntact = bytes.load(at: checked) == bytes.slice(0..<checked).checksum()
    }

    /// The header at the start of a file.
    init?(of file: any StorageFile) throws(StorageError) {
        let size = try file.size()
        guard size >= UInt64(FileHeader.byteCount) else { return nil }
        self.init(try file.read(at: 0, count: FileHeader.byteCount))
    }
}
