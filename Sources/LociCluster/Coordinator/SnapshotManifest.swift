public import LociBase
public import LociModel

/// What a complete snapshot is: a file in its folder that is written last.
public struct SnapshotManifest: Equatable, Sendable {
    public var place: SnapshotPlace
    public var clusterID: UInt64
    /// When its point was, by the coordinator's clock.
    public var unixSeconds: UInt64
    /// Bytes of all partitions.
    public var bytes: UInt64
    public var partitions: Int
    public var shards: Int

    /// Its name in the snapshot's folder.
    public static let fileName = "manifest"

    public var encoded: Bytes {
        var writer = ByteWriter()
        writer.write(LociVersion.format)
        writer.write(place.name)
        writer.write(place.id)
        writer.write(clusterID)
        writer.write(unixSeconds)
        writer.write(bytes)
        writer.write(UInt32(partitions))
        writer.write(UInt32(shards))
        return writer.finished
    }

    init(
        place: SnapshotPlace, clusterID: UInt64, unixSeconds: UInt64, bytes: UInt64,
        partitions: Int, shards: Int
    ) {
        self.place = place
        self.clusterID = clusterID
        self.unixSeconds = unixSeconds
        self.bytes = bytes
        self.partitions = partitions
        self.shards = shards
    }

    /// - Throws: DATA_LOSS for what is no manifest, FAILED_PRECONDITION for another format.
    public init(encoded: Bytes) throws(LociError) {
        let broken = LociError(.dataLoss, "The manifest of a snapshot is damaged.")
        do {
            var reader = ByteReader(encoded)
            let format: UInt32 = try reader.read()
            guard format == LociVersion.format else {
                throw LociError(
                    .failedPrecondition,
                    "The snapshot has format \(format); this program reads \(LociVersion.format).",
                    advice: "Use the version of Loci that made it.")
            }
            let name = try reader.readString()
            place = SnapshotPlace(name: name, id: try reader.read())
            clusterID = try reader.read()
            unixSeconds = try reader.read()
            bytes = try reader.read()
            partitions = Int(try reader.read(UInt32.self))
            shards = Int(try reader.read(UInt32.self))
        } catch let error as LociError {
            throw error
        } catch {
            throw broken
        }
    }
}

/// A small file of the coordinator that belongs to a snapshot.
public struct SnapshotFile: Equatable, Sendable {
    public let name: String
    public let content: Bytes
}
