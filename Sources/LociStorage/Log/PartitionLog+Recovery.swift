import LociBase

extension PartitionLog {
    /// Reads a log back. The tail ends at the first break, and is cut there; a break before records of a
    /// later append, or before another file, is no torn write but damage. Nothing is changed before all
    /// is checked.
    /// - Parameter lsn: Where the superblock says that recovery starts.
    /// - Returns: The log and the records from `lsn` on.
    static func recover(
        in place: PartitionPlace, from lsn: LSN
    ) throws(StorageError) -> (PartitionLog, [RecoveredPartition.Record]) {
        var files: [File] = []
        var obsolete: [File] = []
        for file in try listFiles(in: place) {
            if try isUnfinished(file, in: place) { obsolete.append(file) } else { files.append(file) }
        }
        guard let start = files.lastIndex(where: { $0.first <= lsn }) else {
            throw .corrupt(
                path: place.logFolder, what: "the file with position \(lsn) of the log is missing")
        }
        obsolete += files[..<start]
        files.removeFirst(start)

        var records: [RecoveredPartition.Record] = []
        var end = files[0].first
        var chain: UInt64?
        for (index, file) in files.enumerated() {
            let isLast = index == files.count - 1
            let scan = try LogScan(file, follows: chain, at: end, in: place, isLast: isLast)
            records += scan.records
            end = scan.end
            chain = scan.chain
        }
        guard end >= lsn, records.contains(where: { $0.lsn == lsn }) || end == lsn else {
            throw .corrupt(
                path: files.last!.path, what: "no record starts at \(lsn), where the checkpoint is")
        }
        records.removeAll { $0.lsn < lsn }

        for file in obsolete { try place.fileSystem.remove(file.path) }
        let active = try place.fileSystem.open(files.last!.path, create: false)
        let activeBytes = UInt64(FileHeader.byteCount) + end - files.last!.first
        if try active.size() > activeBytes {
            try active.resize(to: activeBytes)
            try active.sync()
        }
        let log = PartitionLog(
            place: place, files: files, active: active, activeBytes: activeBytes, end: end,
            chain: chain!)
        return (log, records)
    }

    /// Whether any file may hold a record.
    static func holdsRecords(in place: PartitionPlace) throws(StorageError) -> Bool {
        for file in try listFiles(in: place) {
            let size = try place.fileSystem.open(file.path, create: false).size()
            if size > UInt64(FileHeader.byteCount) { return true }
        }
        return false
    }

    /// Whether a file's creation was interrupted: no record is appended to a file before its header is
    /// durable.
    private static func isUnfinished(
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

    private static func listFiles(in place: PartitionPlace) throws(StorageError) -> [File] {
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
private struct LogScan {
    var records: [RecoveredPartition.Record] = []
    /// Where its intact records end.
    var end: LSN
    /// Hash of its last record.
    var chain: UInt64

    /// - Parameter chain: Hash of the record before the file; nil if that is not known.
    init(
        _ file: PartitionLog.File, follows chain: UInt64?, at position: LSN,
        in place: PartitionPlace, isLast: Bool
    ) throws(StorageError) {
        let content = try place.readAll(file.path)
        let header = try place.header(of: content, file.path, .log)
        guard header.number == file.first else {
            throw .corrupt(path: file.path, what: "its name and its header say different positions")
        }
        guard file.first == position, chain == nil || chain == header.proof else {
            throw .corrupt(path: file.path, what: "it does not continue the file before it")
        }
        end = file.first
        self.chain = header.proof
        let base = FileHeader.byteCount
        var offset = base
        while let frame = Self.frame(content, offset, end) {
            guard frame.previous == self.chain else {
                throw .corrupt(path: file.path, what: "the record at \(end) follows another one")
            }
            records.append(
                RecoveredPartition.Record(lsn: frame.lsn, end: frame.end, payload: frame.payload))
            end = frame.end
            self.chain = frame.hash
            offset = base + Int(end - file.first)
        }
        if offset == content.count { return }
        guard isLast, !Self.hasLaterAppend(content, after: offset, broken: end) else {
            throw .corrupt(
                path: file.path, what: "the record at \(end) is damaged, and newer ones follow it")
        }
    }

    private static func frame(_ content: Bytes, _ offset: Int, _ lsn: LSN) -> LogFrame? {
        LogFrame(content, at: offset, lsn: lsn, recordLimit: SliceStore.recordBytes)
    }

    /// Whether a record stands behind the break that was written after the broken one was durable.
    private static func hasLaterAppend(
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
