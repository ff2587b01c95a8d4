import LociBase

extension FileInspection {
    mutating func inspectSuperblock(
        _ path: String, _ place: PartitionPlace
    ) throws(StorageError) {
        let superblock = try SuperblockPair.read(path, place)
        state("generation", superblock.generation)
        state("checkpoint at", superblock.lsn)
        state("state file", superblock.hasState ? hexadecimal(superblock.lsn) : "none")
        state("last batch of pages", superblock.sequence)
    }

    mutating func inspectState(
        _ file: any StorageFile, _ header: HeaderView, _ place: PartitionPlace
    ) throws(StorageError) {
        state("checkpoint at", header.number)
        let bytes = try file.read(at: 0, count: Int(try file.size()))
        let content = bytes.slice(FileHeader.byteCount..<bytes.count)
        let isIntact = content.checksum() == header.proof
        state("content's checksum", isIntact ? "right" : "WRONG")
        guard isIntact, let (segments, rest) = try? StateFile.decode(content) else { return }
        state("segments", segments.count)
        state("state", "\(rest.count) bytes")
        for (index, segment) in segments.sorted().enumerated() {
            add(
                Part(
                    kind: "segment", offset: UInt64(FileHeader.byteCount + 4 + index * 16),
                    bytes: 16,
                    what: "segment \(segment.number) of space \(segment.space), "
                        + "pages of \(segment.pageBytes) bytes", isIntact: true))
        }
    }

    mutating func inspectLog(
        _ file: any StorageFile, _ path: String, _ place: PartitionPlace
    ) throws(StorageError) {
        var inspection = self
        let walk = try LogWalk(file, path, in: place) { record, offset in
            inspection.add(
                Part(
                    kind: "record", offset: offset, bytes: record.end - record.lsn,
                    what: "LSN \(record.lsn), \(record.payload.count) bytes, "
                        + "hash \(hexadecimal(record.hash))"
                        + (record.appendStart == record.lsn ? ", begins an append" : ""),
                    isIntact: true))
            return true
        }
        self = inspection
        state("first position", walk.header.number)
        state("follows hash", hexadecimal(walk.header.proof))
        state("records", walk.records)
        state("next position", walk.end)
        switch walk.ending {
        case .clean: state("end", "a whole record")
        case .torn(let bytes):
            state("end", "\(bytes) bytes that are no record: a torn append, or damage")
            add(
                Part(
                    kind: "tail", offset: walk.offset, bytes: bytes, what: "no record",
                    isIntact: false))
        case .broken(let what):
            state("end", what)
            add(
                Part(
                    kind: "record", offset: walk.offset, bytes: try file.size() - walk.offset,
                    what: what, isIntact: false))
        }
    }

    mutating func inspectDoubleWrite(
        _ path: String, _ place: PartitionPlace
    ) throws(StorageError) {
        guard let batch = try DoubleWriteFile(at: path, in: place).read() else {
            return state("batch", "not whole: a torn write, or damage")
        }
        state("batch", batch.sequence)
        state("pages", batch.pages.count)
        var offset = UInt64(FileHeader.byteCount + 12 + batch.pages.count * 16)
        for (page, image) in batch.pages {
            add(
                Part(
                    kind: "page", offset: offset, bytes: UInt64(image.count),
                    what: "page \(page.number) of space \(page.space)", isIntact: true))
            offset += UInt64(image.count)
        }
    }

    mutating func inspectSegment(
        _ file: any StorageFile, _ header: HeaderView, _ place: PartitionPlace
    ) throws(StorageError) {
        let footer = try file.size() - SegmentLayout.footerBytes
        let detail = try file.read(at: footer + UInt64(FileHeader.byteCount), count: 8)
        let name = SegmentName(
            space: detail.load(at: 0), number: header.number,
            pageBytes: Int(detail.load(UInt32.self, at: 4)))
        guard detail.checksum() == header.proof, name.layout.footerOffset == footer else {
            return state("footer", "DAMAGED: it does not fit the file")
        }
        state("segment", "\(name.number) of space \(name.space)")
        state("page bytes", name.pageBytes)
        state("pages", "\(name.pages.lowerBound) to \(name.pages.upperBound - 1)")
        let segment = Segment(name, file)
        var runs = PageRuns(name)
        var inspection = self
        try segment.walk(name.pages) { page throws(StorageError) in
            let image = try segment.image(of: page.number)
            let state: PageRuns.State =
                if page.sum.isCold && image.isZero {
                    .cold
                } else if page.sum.isWritten {
                    page.sum.matches(
                        image, PageName(name.space, page.number), in: place) ? .good : .bad
                } else if image.isZero {
                    .empty
                } else {
                    .bad
                }
            if let run = runs.add(page.number, state, page.sum.generation) { inspection.add(run) }
            return true
        }
        if let run = runs.end() { inspection.add(run) }
        self = inspection
        state("pages written", runs.counts[.good, default: 0])
        state("pages damaged", runs.counts[.bad, default: 0])
        state("pages in cold extents", runs.counts[.cold, default: 0])
    }

    mutating func inspectCopy(
        _ file: any StorageFile, _ header: HeaderView, _ size: UInt64
    ) throws(StorageError) {
        var offset = UInt64(FileHeader.byteCount)
        var chain = header.proof
        var pages: UInt64 = 0
        while size - offset >= 24 {
            let entry = try file.read(at: offset, count: 24)
            let count = entry.load(UInt32.self, at: 4)
            guard UInt64(count) <= size - offset - 24 else { break }
            let image = try file.read(at: offset + 24, count: Int(count))
            chain = image.checksum(seed: entry.slice(0..<16).checksum(seed: chain))
            let isIntact = chain == entry.load(at: 16)
            let number = entry.load(UInt64.self, at: 8)
            if count == 0 && isIntact {
                state("pages", pages)
                state("end", number == pages ? "complete" : "it should have \(number) pages")
                return
            }
            add(
                Part(
                    kind: "page", offset: offset, bytes: 24 + UInt64(count),
                    what: "page \(number) of space \(entry.load(SpaceID.self, at: 0))",
                    isIntact: isIntact))
            guard isIntact else { break }
            pages += 1
            offset += 24 + UInt64(count)
        }
        state("pages", pages)
        state("end", "NOT COMPLETE: it breaks off at byte \(offset)")
    }
}

/// Pages that follow one another and are alike.
private struct PageRuns {
    enum State: String {
        case good = "written"
        case bad = "DAMAGED"
        case cold = "in a cold extent"
        case empty = "blocks without a page"
    }

    private let name: SegmentName
    private var run: (first: UInt64, last: UInt64, state: State, generations: ClosedRange<UInt64>)?
    private(set) var counts: [State: UInt64] = [:]

    init(_ name: SegmentName) { self.name = name }

    /// - Returns: The run that ends before this page, if one does.
    mutating func add(
        _ page: UInt64, _ state: State, _ generation: UInt64
    ) -> FileInspection.Part? {
        counts[state, default: 0] += 1
        if let found = run, found.state == state, found.last + 1 == page {
            let lowest = min(found.generations.lowerBound, generation)
            let highest = max(found.generations.upperBound, generation)
            run = (found.first, page, state, lowest...highest)
            return nil
        }
        let ended = end()
        run = (page, page, state, generation...generation)
        return ended
    }

    mutating func end() -> FileInspection.Part? {
        guard let (first, last, state, generations) = run else { return nil }
        run = nil
        let of =
            generations.lowerBound == generations.upperBound
            ? "batch \(generations.lowerBound)"
            : "batches \(generations.lowerBound)-\(generations.upperBound)"
        let pages = first == last ? "page \(first)" : "pages \(first)-\(last)"
        return FileInspection.Part(
            kind: "pages", offset: name.layout.offset(of: first),
            bytes: (last - first + 1) * UInt64(name.pageBytes),
            what: "\(pages): \(state.rawValue)" + (state == .empty ? "" : ", \(of)"),
            isIntact: state != .bad)
    }
}
