import LociBase
import LociModel

/// A partition at a checkpoint: which segments there are, and the state that the caller gave.
///
///     FileHeader | count 4 | (space 4, number 8, page bytes 4) each | state
enum StateFile {
    struct Content: Sendable {
        var segments: Set<SegmentName>
        var state: Bytes
    }

    /// Durable on return. After an error nothing is left of it.
    static func write(
        _ content: Content, at lsn: LSN, in place: PartitionPlace
    ) throws(StorageError) {
        var table = ByteWriter()
        table.write(UInt32(content.segments.count))
        for segment in content.segments.sorted() {
            table.write(segment.space)
            table.write(segment.number)
            table.write(UInt32(segment.pageBytes))
        }
        let bytes = Bytes.joined([table.finished, content.state])
        let path = place.state(at: lsn)
        do {
            try place.fileSystem.remove(path)
            let file = try place.fileSystem.open(path, create: true)
            try file.write(place.header(.state, number: lsn, proof: bytes.checksum()), at: 0)
            try file.write(bytes, at: UInt64(FileHeader.byteCount))
            try file.sync()
            try place.fileSystem.syncFolder(place.folder)
        } catch {
            try? place.fileSystem.remove(path)
            throw error
        }
    }

    static func read(at lsn: LSN, in place: PartitionPlace) throws(StorageError) -> Content {
        let path = place.state(at: lsn)
        guard place.fileSystem.exists(path) else {
            throw .corrupt(path: path, what: "the superblock names it and it is missing")
        }
        let bytes = try place.readAll(path)
        let header = try place.header(of: bytes, path, .state)
        let content = bytes.slice(FileHeader.byteCount..<bytes.count)
        guard header.number == lsn, header.proof == content.checksum() else {
            throw .corrupt(path: path, what: "its checksum is wrong")
        }
        do {
            let (segments, state) = try decode(content)
            return Content(segments: segments, state: state)
        } catch {
            throw .corrupt(path: path, what: "its list of segments is cut short")
        }
    }

    /// What stands behind the header.
    static func decode(
        _ content: Bytes
    ) throws(TruncatedBytes) -> (segments: Set<SegmentName>, state: Bytes) {
        var reader = ByteReader(content)
        var segments: Set<SegmentName> = []
        for _ in 0..<(try reader.read(UInt32.self)) {
            let space: SpaceID = try reader.read()
            let number: UInt64 = try reader.read()
            segments.insert(
                SegmentName(
                    space: space, number: number, pageBytes: Int(try reader.read(UInt32.self))))
        }
        return (segments, try reader.readRaw(reader.remaining))
    }

    static func names(in place: PartitionPlace) throws(StorageError) -> [String] {
        try place.fileSystem.list(place.folder).filter {
            $0.hasPrefix(PartitionPlace.statePrefix)
        }
    }

    /// Removes all but the one that the superblock names.
    static func removeOthers(
        than superblock: Superblock, in place: PartitionPlace
    ) throws(StorageError) {
        let kept = superblock.hasState ? place.state(at: superblock.lsn) : ""
        for name in try names(in: place) {
            let path = place.folder + "/" + name
            if path != kept { try place.fileSystem.remove(path) }
        }
    }
}
