public import LociBase
public import LociModel

/// What a cluster is, beyond its data: the coordinator keeps it in one small file.
public struct ClusterMetadata: Equatable, Sendable {
    public var clusterID: UInt64
    /// Starts of the coordinator so far.
    public var incarnation: UInt64
    public var map: PartitionMap
    public var catalog: Catalog
    /// Collections whose data has no clusters: every shard is asked.
    public var unroutable: Set<SpaceID>
    /// Of collections that were tuned: what reaches which recall, the recalls ascending.
    public var tuning: [SpaceID: [RecallSetting]]

    public init(clusterID: UInt64, map: PartitionMap) {
        self.clusterID = clusterID
        incarnation = 0
        self.map = map
        catalog = Catalog()
        unroutable = []
        tuning = [:]
    }

    public var encoded: Bytes {
        var writer = ByteWriter()
        writer.write(LociVersion.format)
        writer.write(clusterID)
        writer.write(incarnation)
        writer.write(UInt32(map.partitions))
        writer.write(UInt32(map.shards))
        writer.write(catalog.encoded)
        writer.write(array: unroutable.sorted())
        writer.write(UInt32(tuning.count))
        for space in tuning.keys.sorted() {
            writer.write(space)
            writer.write(array: tuning[space]!.map(\.recall.bitPattern))
            writer.write(array: tuning[space]!.map(\.probes))
            writer.write(array: tuning[space]!.map(\.radius.bitPattern))
        }
        return writer.finished
    }

    /// - Throws: DATA_LOSS for what is not metadata, FAILED_PRECONDITION for another format.
    public init(encoded bytes: Bytes) throws(LociError) {
        let broken = LociError(
            .dataLoss, "The coordinator's metadata file is damaged.",
            advice: "Restore it from a copy of the data folder.")
        do {
            var reader = ByteReader(bytes)
            let format: UInt32 = try reader.read()
            guard format == LociVersion.format else {
                throw LociError(
                    .failedPrecondition,
                    "The metadata has format \(format); this program reads \(LociVersion.format).",
                    advice: "Start the version of Loci that wrote it.")
            }
            clusterID = try reader.read()
            incarnation = try reader.read()
            let partitions = Int(try reader.read(UInt32.self))
            let shards = Int(try reader.read(UInt32.self))
            guard shards > 0, partitions >= shards, partitions <= Limits.partitions else {
                throw broken
            }
            map = PartitionMap(partitions: partitions, shards: shards)
            catalog = try Catalog(encoded: try reader.readBytes())
            unroutable = Set(try reader.readArray(of: SpaceID.self))
            tuning = [:]
            for _ in 0..<(try reader.read(UInt32.self)) {
                let space: SpaceID = try reader.read()
                let recalls: [UInt32] = try reader.readArray()
                let probes: [UInt32] = try reader.readArray()
                let radii: [UInt32] = try reader.readArray()
                guard probes.count == recalls.count, radii.count == recalls.count else {
                    throw broken
                }
                tuning[space] = recalls.indices.map { index in
                    RecallSetting(
                        recall: Float(bitPattern: recalls[index]), probes: probes[index],
                        radius: Float(bitPattern: radii[index]))
                }
            }
        } catch let error as LociError {
            throw error
        } catch {
            throw broken
        }
    }
}
