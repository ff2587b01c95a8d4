import Glibc
import LociBase

/// A partition's write-ahead log, open for appending.
///
/// Invariants:
/// - An LSN is a byte position over the log's whole life, from 1; headers of files do not count.
/// - Files follow one another without a gap; all but the last are complete and durable.
/// - Bytes in the last file beyond `activeBytes` never outlive a return from `append`, unless by
///   an error that is final.
struct PartitionLog: Sendable {
    struct File: Sendable {
        let first: LSN
        let path: String
    }

    static let firstLSN: LSN = 1

    let place: PartitionPlace
    private(set) var files: [File]
    private(set) var active: any StorageFile
    /// Size of the last file, its header included.
    private(set) var activeBytes: UInt64
    /// Where the next record will start.
    private(set) var end: LSN
    /// Hash of the last record.
    private(set) var chain: UInt64

    init(
        place: PartitionPlace, files: [File], active: any StorageFile, activeBytes: UInt64,
        end: LSN, chain: UInt64
    ) {
        self.place = place
        self.files = files
        self.active = active
        self.activeBytes = activeBytes
        self.end = end
        self.chain = chain
    }

    /// A new log without a record, durable.
    init(creatingIn place: PartitionPlace) throws(StorageError) {
        let path = place.log(first: Self.firstLSN)
        let file = try Self.createFile(path, first: Self.firstLSN, chain: 0, in: place)
        self.init(
            place: place, files: [File(first: Self.firstLSN, path: path)], active: file,
            activeBytes: UInt64(FileHeader.byteCount), end: Self.firstLSN, chain: 0)
    }

    /// Durable on return. After `noSpace` the log is as before; any other error is final, and only
    /// recovery knows which of the records became durable.
    mutating func append(_ records: [Bytes]) throws(StorageError) {
        if records.isEmpty { return }
        if activeBytes >= place.tuning.logFileBytes { try beginFile() }
        var parts: [Bytes] = []
        parts.reserveCapacity(records.count * 2)
        var position = end
        var previous = chain
        for record in records {
            precondition(record.count <= SliceStore.recordBytes, "a record is at most 32 MiB")
            let frame = LogFrame(record, lsn: position, appendStart: end, previous: previous)
            parts += [frame.header, record]
            position = frame.end
            previous = frame.hash
        }
        do {
            try active.write(Bytes.joined(parts), at: activeBytes)
        } catch .noSpace(let path) {
            do {
                try active.resize(to: activeBytes)
                try active.sync()
            } catch {
                throw .io(operation: "ftruncate", path: path, errno: ENOSPC)
            }
            throw .noSpace(path: path)
        }
        try active.sync()
        activeBytes += position - end
        end = position
        chain = previous
    }

    /// Begins a new file if the last one is large enough to be worth removing later.
    mutating func beginFileAtCheckpoint() throws(StorageError) {
        if activeBytes >= place.tuning.checkpointFileBytes { try beginFile() }
    }

    /// Removes the files that hold no record from `lsn` on.
    mutating func removeFiles(below lsn: LSN) throws(StorageError) {
        while files.count > 1, files[1].first <= lsn {
            try place.fileSystem.remove(files[0].path)
            files.removeFirst()
        }
    }

    private mutating func beginFile() throws(StorageError) {
        let path = place.log(first: end)
        active = try Self.createFile(path, first: end, chain: chain, in: place)
        activeBytes = UInt64(FileHeader.byteCount)
        files.append(File(first: end, path: path))
    }

    private static func createFile(
        _ path: String, first: LSN, chain: UInt64, in place: PartitionPlace
    ) throws(StorageError) -> any StorageFile {
        do {
            let file = try place.fileSystem.open(path, create: true)
            try file.resize(to: 0)
            try file.write(place.header(.log, number: first, proof: chain), at: 0)
            try file.sync()
            try place.fileSystem.syncFolder(place.logFolder)
            return file
        } catch {
            try? place.fileSystem.remove(path)
            throw error
        }
    }
}
