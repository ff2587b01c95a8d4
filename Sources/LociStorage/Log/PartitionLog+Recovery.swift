import LociBase

extension PartitionLog {
    /// Reads a log back. The tail ends at the first break, and is cut there; a break before records
    /// of a later append, or before another file, is no torn write but damage. Nothing is changed
    /// before all is checked.
    /// - Parameter lsn: Where the superblock says that recovery starts.
    /// - Returns: The log and the records from `lsn` on.
    static func recover(
        in place: PartitionPlace, from lsn: LSN
    ) throws(StorageError) -> (PartitionLog, [RecoveredPartition.Record]) {
        var files: [File] = []
        var obsolete: [File] = []
        for file in try listFiles(in: place) {
            if try isUnfinished(file, in: place) {
                obsolete.append(file)
            } else {
                files.append(file)
            }
        }
        guard let start = files.lastIndex(where: { $0.first <= lsn }) else {
            throw .corrupt(
                path: place.logFolder, what: "the file with position \(lsn) of the log is missing")
        }
        obsolete += files[..<start]
        files.removeFirst(start)

        var records: [RecoveredPartition.Record] = []
        var scans: [LogScan] = []
        for (index, file) in files.enumerated() {
            scans.append(
                try LogScan(file, follows: scans.last, in: place, isLast: index == files.count - 1))
            records += scans.last!.records
        }
        let last = scans.last!
        guard records.contains(where: { $0.lsn == lsn }) || last.end == lsn else {
            throw .corrupt(
                path: files.last!.path, what: "no record starts at \(lsn), where the checkpoint is")
        }
        records.removeAll { $0.lsn < lsn }

        for file in obsolete { try place.fileSystem.remove(file.path) }
        let active = try place.fileSystem.open(files.last!.path, create: false)
        try last.makeDurable(active)
        try place.fileSystem.syncFolder(place.logFolder)
        let log = PartitionLog(
            place: place, files: files, active: active, activeBytes: UInt64(last.intact.count),
            end: last.end, chain: last.chain)
        return (log, records)
    }

    /// Whether any file holds a record, or shows that there was one.
    static func holdsRecords(in place: PartitionPlace) throws(StorageError) -> Bool {
        for file in try listFiles(in: place) {
            if file.first > firstLSN { return true }
            let size = try place.fileSystem.open(file.path, create: false).size()
            if size > UInt64(FileHeader.byteCount) { return true }
        }
        return false
    }

    /// Whether a file's creation was interrupted: no record is appended to a file before its header
    /// is durable.
    static func isUnfinished(
        _ file: File, in place: PartitionPlace
    ) throws(StorageError) -> Bool {
        let handle = try place.fileSystem.open(file.path, create: false)
        let size = try handle.size()
        guard size <= UInt64(FileHeader.byteCount) else { return false }
        do {
            let bytes = try handle.read(at: 0, count: Int(size))
            _ = try place.header(of: bytes, file.path, .log)
            return false
        } catch .corrupt {
            return true
        }
    }

    static func listFiles(in place: PartitionPlace) throws(StorageError) -> [File] {
        var files: [File] = []
        for name in try place.fileSystem.list(place.logFolder) where name.hasSuffix(".log") {
            guard name.utf8.count == 20, let first = LSN(name.dropLast(4), radix: 16) else {
                continue
            }
            files.append(File(first: first, path: place.logFolder + "/" + name))
        }
        return files
    }
}

/// What one log file holds.
struct LogScan {
    private(set) var records: [RecoveredPartition.Record] = []
    /// Where its intact records end.
    private(set) var end: LSN
    /// Hash of its last record.
    private(set) var chain: UInt64
    /// The file up to `end`.
    private(set) var intact: Bytes
    /// Where in the file its last append begins.
    private var lastAppend = FileHeader.byteCount

    /// - Parameter before: The file before it, if that is known.
    init(
        _ file: PartitionLog.File, follows before: LogScan?, in place: PartitionPlace, isLast: Bool
    ) throws(StorageError) {
        let content = try place.readAll(file.path)
        let header = try place.header(of: content, file.path, .log)
        guard header.number == file.first else {
            throw .corrupt(path: file.path, what: "its name and its header say different positions")
        }
        if let before, before.end != file.first || before.chain != header.proof {
            throw .corrupt(path: file.path, what: "it does not continue the file before it")
        }
        end = file.first
        chain = header.proof
        var offset = FileHeader.byteCount
        while let frame = Self.frame(content, offset, end) {
            guard frame.previous == chain else {
                throw .corrupt(path: file.path, what: "the record at \(end) follows another one")
            }
            records.append(
                RecoveredPartition.Record(lsn: frame.lsn, end: frame.end, payload: frame.payload))
            lastAppend = offset - Int(frame.distance)
            offset += Int(frame.end - end)
            end = frame.end
            chain = frame.hash
        }
        intact = content.slice(0..<offset)
        if offset == content.count { return }
        guard isLast, !Self.hasLaterAppend(content, after: offset, broken: end) else {
            throw .corrupt(
                path: file.path, what: "the record at \(end) is damaged, and newer ones follow it")
        }
    }

    /// Cuts the torn tail, and makes durable what was read: the process that wrote the header or
    /// the last append may have ended before its sync, or with a failed one, after which the kernel
    /// shows bytes that it will never write. Writing the same bytes again makes it.
    func makeDurable(_ file: any StorageFile) throws(StorageError) {
        try file.resize(to: UInt64(intact.count))
        try file.write(intact.slice(0..<FileHeader.byteCount), at: 0)
        let start = max(lastAppend, FileHeader.byteCount)
        try file.write(intact.slice(start..<intact.count), at: UInt64(start))
        try file.sync()
    }

    private static func frame(_ content: Bytes, _ offset: Int, _ lsn: LSN) -> LogFrame? {
        LogFrame(content, at: offset, lsn: lsn, recordLimit: SliceStore.recordBytes)
    }

    /// Whether a record stands behind the break that was written after the broken one was durable.
    static func hasLaterAppend(
        _ content: Bytes, after offset: Int, broken: LSN
    ) -> Bool {
        var candidate = offset + 1
        while candidate + LogFrame.headerBytes <= content.count {
            let lsn = broken + UInt64(candidate - offset)
            if let frame = frame(content, candidate, lsn), frame.appendStart > broken {
                return true
            }
            candidate += 1
        }
        return false
    }
}
