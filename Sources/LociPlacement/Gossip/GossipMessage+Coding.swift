public import LociBase
public import LociModel

/// The layout, little-endian: format, step, then the step's fields in order; counts before lists.
extension GossipMessage {
    private static let format: UInt8 = 1

    /// - Precondition: At most `bytesAtMost`, as all that a node makes are.
    public var encoded: Bytes {
        var writer = ByteWriter(reserving: encodedCount)
        writer.write(Self.format)
        switch self {
        case .digest(let number, let fingerprints):
            writer.write(UInt8(1))
            writer.write(number)
            writer.write(UInt16(fingerprints.count))
            for fingerprint in fingerprints { writer.write(fingerprint) }
        case .stamps(let echo, let number, let leaves, let stamps):
            writer.write(UInt8(2))
            writer.write(echo)
            writer.write(number)
            writer.write(UInt16(leaves.count))
            for leaf in leaves { writer.write(leaf) }
            writer.write(UInt32(stamps.count))
            for stamp in stamps {
                writer.write(stamp.key)
                writer.write(stamp.version)
                writer.write(stamp.check)
                writer.write(UInt32(clamping: stamp.timeToLive))
            }
        case .delta(let echo, let number, let entries, let wanted):
            writer.write(UInt8(3))
            writer.write(echo)
            writer.write(number)
            writer.write(UInt32(entries.count))
            for entry in entries {
                writer.write(entry.key)
                writer.write(entry.version)
                writer.write(UInt32(clamping: entry.timeToLive))
                writer.write(UInt16(entry.payload.count))
                writer.write(raw: entry.payload)
            }
            writer.write(UInt32(wanted.count))
            for key in wanted { writer.write(key) }
        }
        precondition(writer.count <= Self.bytesAtMost)
        return writer.finished
    }

    /// Reads foreign bytes. Memory is taken only for what is there: counts are checked against the
    /// bytes that follow, payloads are copied to allocations of their own size.
    /// - Throws: INVALID_ARGUMENT for what no node writes: too long, cut short, bytes left over, an
    ///   unknown format, step or kind, lists of impossible length, too large a version or payload.
    public init(encoded bytes: Bytes) throws(LociError) {
        guard bytes.count <= Self.bytesAtMost else { throw Self.malformed }
        var reader = ByteReader(bytes)
        do {
            guard try reader.read(UInt8.self) == Self.format else { throw Self.malformed }
            let step = try reader.read(UInt8.self)
            let first: UInt64 = try reader.read()
            switch step {
            case 1: self = .digest(number: first, fingerprints: try reader.readFingerprints())
            case 2:
                self = .stamps(
                    echo: first, number: try reader.read(), leaves: try reader.readLeaves(),
                    stamps: try reader.readStamps())
            case 3:
                self = .delta(
                    echo: first, number: try reader.read(), entries: try reader.readEntries(),
                    wanted: try reader.readKeys())
            default: throw Self.malformed
            }
        } catch let error as LociError {
            throw error
        } catch {
            throw Self.malformed
        }
        guard reader.isAtEnd else { throw Self.malformed }
    }

    fileprivate static let malformed = LociError(
        .invalidArgument, "A gossip message is malformed.",
        advice: "It is dropped; the next round repeats what was in it.")
}

extension ByteWriter {
    fileprivate mutating func write(_ key: GossipKey) {
        write(key.origin)
        write(key.kind.rawValue)
        write(key.part)
    }
}

extension ByteReader {
    fileprivate mutating func readFingerprints() throws -> [UInt64] {
        let count = Int(try read(UInt16.self))
        guard GossipTable.isFineness(count), count * 8 <= remaining else {
            throw GossipMessage.malformed
        }
        return try (0..<count).map { _ in try read() }
    }

    fileprivate mutating func readLeaves() throws -> [UInt8] {
        let leaves = try readRaw(Int(try read(UInt16.self))).array
        guard zip(leaves, leaves.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw GossipMessage.malformed
        }
        return leaves
    }

    fileprivate mutating func readStamps() throws -> [GossipStamp] {
        let count = try readCount(of: GossipMessage.stampBytes)
        return try (0..<count).map { _ in
            GossipStamp(
                key: try readKey(), version: try readVersion(), check: try read(),
                timeToLive: UInt64(try read(UInt32.self)))
        }
    }

    fileprivate mutating func readEntries() throws -> [GossipEntry] {
        let count = try readCount(of: GossipMessage.entryBytes)
        return try (0..<count).map { _ in
            let (key, version) = (try readKey(), try readVersion())
            let timeToLive = UInt64(try read(UInt32.self))
            let size = Int(try read(UInt16.self))
            guard size <= GossipEntry.payloadBytesAtMost else { throw GossipMessage.malformed }
            return GossipEntry(
                key: key, version: version, timeToLive: timeToLive,
                payload: try readRaw(size).compact())
        }
    }

    fileprivate mutating func readKeys() throws -> [GossipKey] {
        let count = try readCount(of: GossipMessage.keyBytes)
        return try (0..<count).map { _ in try readKey() }
    }

    /// A count of things that take at least `size` bytes each.
    private mutating func readCount(of size: Int) throws -> Int {
        let count = Int(try read(UInt32.self))
        guard count <= remaining / size else { throw GossipMessage.malformed }
        return count
    }

    private mutating func readKey() throws -> GossipKey {
        let origin: UInt64 = try read()
        guard let kind = GossipKind(rawValue: try read()) else { throw GossipMessage.malformed }
        return GossipKey(origin: origin, kind: kind, part: try read())
    }

    private mutating func readVersion() throws -> UInt64 {
        let version: UInt64 = try read()
        guard version <= GossipEntry.versionAtMost else { throw GossipMessage.malformed }
        return version
    }
}
