public import LociBase
public import LociModel
public import LociSearch

/// What a partition's log holds: every change of its state, in the order in which it was applied.
public enum LogRecord: Equatable, Sendable {
    case install(Catalog)
    case cells(space: SpaceID, cells: [CellIndex], bytes: Bytes)
    case claim(space: SpaceID, sequence: UInt64, ids: [PointID], targets: [[UInt16]])
    case settle(space: SpaceID, sequence: UInt64, ids: [PointID], targets: [[UInt16]])
    case put(space: SpaceID, sequence: UInt64, generation: UInt32, points: PutPoints)
    case remove(space: SpaceID, sequence: UInt64, ids: [PointID])
    case plant(space: SpaceID, generation: UInt32, centroids: [Float])
    case split(space: SpaceID, LocationSplit)
    case move(space: SpaceID, PointMove)
}

/// Points on their way into a partition.
public struct PutPoints: Equatable, Sendable {
    public var ids: [PointID]
    public var isPrimary: [UInt8]
    /// Rows one after the other.
    public var vectors: Bytes
    public var payloads: [Bytes]

    /// Some of them.
    func part(_ members: Range<Int>) -> PutPoints {
        let rowBytes = vectors.count / ids.count
        return PutPoints(
            ids: Array(ids[members]), isPrimary: Array(isPrimary[members]),
            vectors: vectors.slice(
                (members.lowerBound * rowBytes)..<(members.upperBound * rowBytes)),
            payloads: Array(payloads[members]))
    }
}

extension LogRecord {
    /// Whether an encoded record changes the catalog; on a full disk that may be what makes room.
    public static func isInstall(_ encoded: Bytes) -> Bool { !encoded.isEmpty && encoded[0] == 1 }

    public var encoded: Bytes {
        var writer = ByteWriter()
        switch self {
        case .install(let catalog):
            writer.write(UInt8(1))
            writer.write(catalog.encoded)
        case .cells(let space, let cells, let bytes):
            writer.write(UInt8(2))
            writer.write(space)
            writer.write(array: cells)
            writer.write(bytes)
        case .claim(let space, let sequence, let ids, let targets):
            writer.write(UInt8(3))
            Self.write(space, sequence, ids, targets, to: &writer)
        case .settle(let space, let sequence, let ids, let targets):
            writer.write(UInt8(4))
            Self.write(space, sequence, ids, targets, to: &writer)
        case .put(let space, let sequence, let generation, let points):
            writer.write(UInt8(5))
            writer.write(space)
            writer.write(sequence)
            writer.write(generation)
            writer.write(array: points.ids)
            writer.write(array: points.isPrimary)
            writer.write(points.vectors)
            for payload in points.payloads { writer.write(payload) }
        case .remove(let space, let sequence, let ids):
            writer.write(UInt8(6))
            writer.write(space)
            writer.write(sequence)
            writer.write(array: ids)
        case .plant(let space, let generation, let centroids):
            writer.write(UInt8(7))
            writer.write(space)
            writer.write(generation)
            writer.write(array: centroids)
        case .split(let space, let split):
            writer.write(UInt8(8))
            writer.write(space)
            writer.write(split.location)
            writer.write(UInt32(split.children.count))
            for child in split.children {
                writer.write(array: child.centroid)
                writer.write(array: child.cells)
                writer.write(array: child.tags)
                writer.write(child.codes)
            }
        case .move(let space, let move):
            writer.write(UInt8(9))
            writer.write(space)
            writer.write(array: move.cells)
            writer.write(array: move.tags)
            writer.write(Bytes.joined(move.vectors))
            writer.write(move.retiring != nil)
            writer.write(move.retiring ?? 0)
            writer.write(move.evaluated)
        }
        return writer.finished
    }

    private static func write(
        _ space: SpaceID, _ sequence: UInt64, _ ids: [PointID], _ targets: [[UInt16]],
        to writer: inout ByteWriter
    ) {
        writer.write(space)
        writer.write(sequence)
        writer.write(array: ids)
        for list in targets { writer.write(array: list) }
    }

    /// - Throws: DATA_LOSS. A record whose checksum was right but that cannot be read was written
    ///   by another version.
    public init(encoded bytes: Bytes) throws(LociError) {
        let broken = LociError(
            .dataLoss, "A log record cannot be read.",
            advice: "Start the version of Loci that wrote the data folder.")
        do {
            var reader = ByteReader(bytes)
            switch try reader.read(UInt8.self) {
            case 1: self = .install(try Catalog(encoded: try reader.readBytes()))
            case 2:
                self = .cells(
                    space: try reader.read(), cells: try reader.readArray(),
                    bytes: try reader.readBytes())
            case 3:
                let (space, sequence, ids, targets) = try Self.readTargets(&reader)
                self = .claim(space: space, sequence: sequence, ids: ids, targets: targets)
            case 4:
                let (space, sequence, ids, targets) = try Self.readTargets(&reader)
                self = .settle(space: space, sequence: sequence, ids: ids, targets: targets)
            case 5: self = try Self.readPut(&reader)
            case 6:
                self = .remove(
                    space: try reader.read(), sequence: try reader.read(),
                    ids: try reader.readArray())
            case 7:
                self = .plant(
                    space: try reader.read(), generation: try reader.read(),
                    centroids: try reader.readArray())
            case 8: self = try Self.readSplit(&reader)
            case 9: self = try Self.readMove(&reader)
            default: throw broken
            }
        } catch {
            throw broken
        }
    }

    private static func readTargets(
        _ reader: inout ByteReader
    ) throws(TruncatedBytes) -> (SpaceID, UInt64, [PointID], [[UInt16]]) {
        let space: SpaceID = try reader.read()
        let sequence: UInt64 = try reader.read()
        let ids: [PointID] = try reader.readArray()
        var targets: [[UInt16]] = []
        for _ in ids { targets.append(try reader.readArray()) }
        return (space, sequence, ids, targets)
    }

    private static func readPut(_ reader: inout ByteReader) throws(TruncatedBytes) -> LogRecord {
        let space: SpaceID = try reader.read()
        let sequence: UInt64 = try reader.read()
        let generation: UInt32 = try reader.read()
        var points = PutPoints(
            ids: try reader.readArray(), isPrimary: try reader.readArray(),
            vectors: try reader.readBytes(), payloads: [])
        for _ in points.ids { points.payloads.append(try reader.readBytes()) }
        return .put(space: space, sequence: sequence, generation: generation, points: points)
    }

    private static func readSplit(_ reader: inout ByteReader) throws(TruncatedBytes) -> LogRecord {
        let space: SpaceID = try reader.read()
        let location: LocationID = try reader.read()
        var children: [LocationSplit.Child] = []
        for _ in 0..<(try reader.read(UInt32.self)) {
            let child = LocationSplit.Child(
                centroid: try reader.readArray(), cells: try reader.readArray(),
                tags: try reader.readArray(), codes: try reader.readBytes())
            guard child.tags.count == child.cells.count,
                child.codes.count % max(child.cells.count, 1) == 0
            else { throw TruncatedBytes(position: reader.position) }
            children.append(child)
        }
        return .split(space: space, LocationSplit(location: location, children: children))
    }

    private static func readMove(_ reader: inout ByteReader) throws(TruncatedBytes) -> LogRecord {
        let space: SpaceID = try reader.read()
        let cells: [CellNumber] = try reader.readArray()
        let tags: [UInt32] = try reader.readArray()
        let rows = try reader.readBytes()
        guard tags.count == cells.count, rows.count % max(cells.count, 1) == 0 else {
            throw TruncatedBytes(position: reader.position)
        }
        let rowBytes = rows.count / max(cells.count, 1)
        let vectors = cells.indices.map { rows.slice(($0 * rowBytes)..<(($0 + 1) * rowBytes)) }
        let isRetiring = try reader.readBool()
        let retiring: LocationID = try reader.read()
        return .move(
            space: space,
            PointMove(
                cells: cells, tags: tags, vectors: vectors,
                retiring: isRetiring ? retiring : nil, evaluated: try reader.read()))
    }
}
