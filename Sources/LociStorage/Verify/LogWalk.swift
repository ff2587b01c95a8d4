import LociBase

/// Reads a log file from its start to its end, a few megabytes at a time.
struct LogWalk {
    enum Ending: Equatable {
        /// A whole record ends the file.
        case clean
        /// What stands behind the last whole record is no record, and none of a later append
        /// follows: a crash cut an append off, or it was damaged later.
        case torn(bytes: UInt64)
        /// A record is damaged, and what was written after it shows that it was whole once.
        case broken(String)
    }

    let header: FileHeader
    private(set) var records: UInt64 = 0
    /// Where the whole records end: position in the log and in the file.
    private(set) var end: LSN
    private(set) var offset: UInt64
    /// Hash of the last whole record.
    private(set) var chain: UInt64
    private(set) var ending = Ending.clean

    private static let windowBytes = 4 << 20

    /// - Parameter onRecord: Gets each whole record and its place in the file; says whether to go
    ///   on.
    /// - Throws: What the header and reading meet.
    init(
        _ file: any StorageFile, _ path: String, in place: PartitionPlace,
        onRecord: (LogFrame, UInt64) -> Bool
    ) throws(StorageError) {
        let size = try file.size()
        let start = UInt64(FileHeader.byteCount)
        header = try place.header(
            of: try file.read(at: 0, count: Int(min(size, start))), path, .log)
        end = header.number
        chain = header.proof
        offset = start
        var window = Bytes()
        var windowStart = offset
        while offset < size {
            if !Self.holdsRecord(window, Int(offset - windowStart)) {
                windowStart = offset
                window = try Self.window(of: file, at: offset, size: size)
            }
            guard
                let frame = LogFrame(
                    window, at: Int(offset - windowStart), lsn: end,
                    recordLimit: SliceStore.recordBytes)
            else {
                try close(file, size)
                return
            }
            guard frame.previous == chain else {
                ending = .broken("the record at \(end) follows another one")
                return
            }
            records += 1
            let goesOn = onRecord(frame, offset)
            offset += frame.end - end
            end = frame.end
            chain = frame.hash
            if !goesOn { return }
        }
    }

    /// Whether the window has all of the record that starts in it, as far as its length can be
    /// believed.
    private static func holdsRecord(_ window: Bytes, _ position: Int) -> Bool {
        let rest = window.count - position
        guard rest >= LogFrame.headerBytes else { return false }
        return rest - LogFrame.headerBytes >= Int(window.load(UInt32.self, at: position))
    }

    private static func window(
        of file: any StorageFile, at offset: UInt64, size: UInt64
    ) throws(StorageError) -> Bytes {
        let rest = size - offset
        guard rest >= UInt64(LogFrame.headerBytes) else {
            return try file.read(at: offset, count: Int(rest))
        }
        let length = try file.read(at: offset, count: 4).load(UInt32.self, at: 0)
        let needed = LogFrame.headerBytes + min(Int(length), SliceStore.recordBytes)
        return try file.read(at: offset, count: Int(min(rest, UInt64(max(needed, windowBytes)))))
    }

    private mutating func close(_ file: any StorageFile, _ size: UInt64) throws(StorageError) {
        let rest = try file.read(at: offset, count: Int(size - offset))
        ending =
            LogScan.hasLaterAppend(rest, after: 0, broken: end)
            ? .broken("the record at \(end) is damaged, and newer ones follow it")
            : .torn(bytes: UInt64(rest.count))
    }
}
