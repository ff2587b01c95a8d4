import LociBase
import LociModel

/// What every file starts with, and a segment ends with.
///
///     magic 8, format 4, partition 4, cluster 8, shard 4, zero 4, number 8, proof 8, checksum 8
///
/// All little-endian; the checksum is XXH3 of what stands before it.
struct FileHeader: Equatable, Sendable {
    /// The magic spells the kind.
    enum Kind: String {
        case identity = "LociIdnt"
        case superblock = "LociSupr"
        case state = "LociStat"
        case log = "LociWLog"
        case doubleWrite = "LociDblW"
        case segment = "LociSegm"
        case extent = "LociExtn"
        case copy = "LociCopy"
    }

    static let byteCount = 56

    var kind: Kind
    var identity: SliceIdentity
    var partition: PartitionIndex
    /// Incarnation, generation, state's LSN, first LSN, sequence or number of the segment, by kind.
    var number: UInt64
    /// Of a log the hash of the record before its first one, else the checksum of what follows.
    var proof: UInt64

    var encoded: Bytes {
        var writer = ByteWriter(reserving: Self.byteCount)
        writer.write(raw: Bytes(utf8: kind.rawValue))
        writer.write(LociVersion.format)
        writer.write(partition)
        writer.write(identity.clusterID)
        writer.write(identity.shard)
        writer.write(UInt32(0))
        writer.write(number)
        writer.write(proof)
        writer.write(writer.finished.checksum())
        return writer.finished
    }

    /// The header of bytes read from a file, which must be of the kind, whoever owns it.
    init(_ bytes: Bytes, _ path: String, kind: Kind) throws(StorageError) {
        guard bytes.count >= Self.byteCount else {
            throw .corrupt(path: path, what: "its header is cut short")
        }
        guard bytes.slice(0..<8) == Bytes(utf8: kind.rawValue) else {
            throw .corrupt(path: path, what: "it does not start as a file of its kind does")
        }
        let format = bytes.load(UInt32.self, at: 8)
        guard format == LociVersion.format else {
            throw .foreign(
                path: path,
                what: "it has format \(format) where this program has \(LociVersion.format)")
        }
        let checked = Self.byteCount - 8
        guard bytes.load(at: checked) == bytes.slice(0..<checked).checksum() else {
            throw .corrupt(path: path, what: "the checksum of its header is wrong")
        }
        self.init(
            kind: kind,
            identity: SliceIdentity(clusterID: bytes.load(at: 16), shard: bytes.load(at: 24)),
            partition: bytes.load(at: 12), number: bytes.load(at: 32), proof: bytes.load(at: 40))
    }

    /// The header of bytes read from a file, which must be of the kind and of this owner.
    init(
        _ bytes: Bytes, _ path: String, kind: Kind, identity: SliceIdentity,
        partition: PartitionIndex
    ) throws(StorageError) {
        self = try FileHeader(bytes, path, kind: kind)
        guard self.identity == identity else {
            throw .foreign(
                path: path,
                what: "it is of shard \(self.identity.shard) of "
                    + "cluster \(hexadecimal(self.identity.clusterID)); this is "
                    + "shard \(identity.shard) of cluster \(hexadecimal(identity.clusterID))")
        }
        guard self.partition == partition else {
            throw .foreign(
                path: path, what: "it is of partition \(self.partition), not \(partition)")
        }
    }

    init(
        kind: Kind, identity: SliceIdentity, partition: PartitionIndex, number: UInt64,
        proof: UInt64
    ) {
        self.kind = kind
        self.identity = identity
        self.partition = partition
        self.number = number
        self.proof = proof
    }
}

/// 16 digits, so that names sort as numbers do.
func hexadecimal(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
