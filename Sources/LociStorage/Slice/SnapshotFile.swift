import LociBase

/// A partition's state at a checkpoint: a header, then the bytes that the caller gave.
enum SnapshotFile {
    /// Durable on return. After an error nothing is left of it.
    static func write(
        _ snapshot: Bytes, at lsn: LSN, in place: PartitionPlace
    ) throws(StorageError) {
        let path = place.snapshot(at: lsn)
        do {
            try place.fileSystem.remove(path)
            let file = try place.fileSystem.open(path, create: true)
            try file.write(
                place.header(.snapshot, number: lsn, proof: snapshot.checksum()), at: 0)
            try file.write(snapshot, at: UInt64(FileHeader.byteCount))
            try file.sync()
            try place.fileSystem.syncFolder(place.folder)
        } catch {
            try? place.fileSystem.remove(path)
            throw error
        }
    }

    static func read(at lsn: LSN, in place: PartitionPlace) throws(StorageError) -> Bytes {
        let path = place.snapshot(at: lsn)
        guard place.fileSystem.exists(path) else {
            throw .corrupt(path: path, what: "the superblock names it and it is missing")
        }
        let bytes = try place.readAll(path)
        let header = try place.header(of: bytes, path, .snapshot)
        let snapshot = bytes.slice(FileHeader.byteCount..<bytes.count)
        guard header.number == lsn, header.proof == snapshot.checksum() else {
            throw .corrupt(path: path, what: "its checksum is wrong")
        }
        return snapshot
    }

    static func names(in place: PartitionPlace) throws(StorageError) -> [String] {
        try place.fileSystem.list(place.folder).filter {
            $0.hasPrefix(PartitionPlace.snapshotPrefix)
        }
    }

    /// Removes all but the one that the superblock names.
    static func removeOthers(
        than superblock: Superblock, in place: PartitionPlace
    ) throws(StorageError) {
        let kept = superblock.hasSnapshot ? place.snapshot(at: superblock.lsn) : ""
        for name in try names(in: place) {
            let path = place.folder + "/" + name
            if path != kept { try place.fileSystem.remove(path) }
        }
    }
}
