import LociBase
import LociModel
import Synchronization

/// Pages in cold extents.
extension PartitionStore {
    func extent(holding page: PageName, _ pageBytes: Int) -> ExtentAddress {
        ExtentAddress(
            of: PageAddress(space: page.space, partition: place.partition, page: page.number),
            pageBytes: pageBytes)
    }

    /// Pages of one extent; each answer stands for itself. They are what the extent says they are;
    /// whether they belong to the segment's checksums is for the caller to see.
    func coldPages(
        _ wanted: [(page: UInt64, sum: PageSum)], of address: ExtentAddress, pageBytes: Int,
        into memory: any PageMemory
    ) -> [Result<Bytes, StorageError>] {
        let frames = frames(wanted, of: address, pageBytes: pageBytes)
        let decompressor = PageDecompressor()
        return zip(wanted, frames).map { wanted, frame in
            do throws(StorageError) {
                let page = decompressor.page(try frame.get(), pageBytes: pageBytes, into: memory)
                if let page { return .success(page) }
                throw damage(wanted.page, address, "its bytes there are no page")
            } catch {
                return .failure(error)
            }
        }
    }

    /// The pages as they stand in the extent, in the order in which they are wanted, with one read
    /// for pages that follow each other there.
    func frames(
        _ wanted: [(page: UInt64, sum: PageSum)], of address: ExtentAddress, pageBytes: Int
    ) -> [Result<Bytes, StorageError>] {
        let extent: OpenExtent
        do throws(StorageError) {
            extent = try openExtent(address, pageBytes: pageBytes, for: wanted[0].page)
        } catch {
            return wanted.map { .failure(damage($0.page, address, error)) }
        }
        var frames: [Result<Bytes, StorageError>?] = Array(repeating: nil, count: wanted.count)
        var run: [(index: Int, entry: ExtentTable.Entry)] = []
        func finishRun() {
            guard let first = run.first?.entry, let last = run.last?.entry else { return }
            let bytes = Result { () throws(StorageError) in
                try extent.object.read(at: first.offset, count: last.end - first.offset)
            }
            for (index, entry) in run {
                let frame = bytes.map {
                    $0.slice((entry.offset - first.offset)..<(entry.end - first.offset))
                }
                frames[index] = checked(frame, entry, wanted[index].page, address)
            }
            run = []
        }
        for index in wanted.indices.sorted(by: { wanted[$0].page < wanted[$1].page }) {
            let entry = extent.table.entry(of: wanted[index].page)
            guard entry.byteCount > 0, entry.sum == wanted[index].sum else {
                let what = "its extent has it not, or as it was at another time"
                frames[index] = .failure(damage(wanted[index].page, address, what))
                continue
            }
            if let last = run.last?.entry, last.end != entry.offset, last != entry { finishRun() }
            run.append((index, entry))
        }
        finishRun()
        return frames.map { $0! }
    }

    private func checked(
        _ frame: Result<Bytes, StorageError>, _ entry: ExtentTable.Entry, _ page: UInt64,
        _ address: ExtentAddress
    ) -> Result<Bytes, StorageError> {
        frame.mapError { damage(page, address, $0) }.flatMap { frame in
            if frame.checksum() == entry.check { return .success(frame) }
            return .failure(
                damage(page, address, "its bytes there are not those that were written"))
        }
    }

    func openExtent(
        _ address: ExtentAddress, pageBytes: Int, for page: UInt64
    ) throws(StorageError) -> OpenExtent {
        guard let extents else {
            throw .missingTier(path: "the folder of partition \(place.partition)")
        }
        guard let extent = try extents.open(address, pageBytes: pageBytes, in: place) else {
            throw damage(page, address, "its extent is missing")
        }
        return extent
    }

    /// Damage to an extent is damage to its pages; other errors stay what they are.
    private func damage(
        _ page: UInt64, _ address: ExtentAddress, _ error: StorageError
    ) -> StorageError {
        switch error {
        case .corrupt(_, let what), .foreign(_, let what), .damagedPage(_, _, let what):
            damage(page, address, what)
        default: error
        }
    }

    private func damage(
        _ page: UInt64, _ address: ExtentAddress, _ what: String
    ) -> StorageError {
        .damagedPage(
            PageAddress(space: address.space, partition: place.partition, page: page),
            path: extents?.path(of: address) ?? "", what: what)
    }

    // MARK: What is where

    /// Extents that have pages in files, ascending, from one on.
    /// - Returns: Up to `limit` of them, and where to go on; nil at the end.
    func storedExtents(
        from start: ExtentAddress, limit: Int
    ) throws(StorageError) -> (extents: [StoredExtent], next: ExtentAddress?) {
        let names = known.withLock { known in
            known.segments.filter { !known.dropped.contains($0.space) }
        }
        var found: [StoredExtent] = []
        var visited = 0
        for name in names.sorted() {
            let end = ExtentAddress(
                space: name.space, partition: place.partition,
                number: (name.number + 1) * Layout.segmentBytes / Layout.extentBytes)
            if end <= start { continue }
            var first = ExtentAddress(
                space: name.space, partition: place.partition,
                number: name.number * Layout.segmentBytes / Layout.extentBytes)
            first = max(first, start)
            if found.count >= limit || visited == Self.mostSegmentsVisited { return (found, first) }
            visited += 1
            let next = try collect(from: first, of: name, limit: limit, into: &found)
            if let next { return (found, next) }
        }
        return (found, nil)
    }

    private static let mostSegmentsVisited = 64
    private static let sumsWindowBytes: UInt64 = 1 << 20

    /// - Returns: Where to go on within the segment; nil if all of it was seen.
    private func collect(
        from first: ExtentAddress, of name: SegmentName, limit: Int,
        into found: inout [StoredExtent]
    ) throws(StorageError) -> ExtentAddress? {
        guard let segment = try segments.segment(name, in: place, create: false) else {
            throw damage(PageName(name.space, name.pages.lowerBound), name, "its file is missing")
        }
        let layout = name.layout
        var offset = layout.sumOffset(of: first.pages(pageBytes: name.pageBytes).lowerBound)
        while offset < layout.footerOffset {
            let window = offset..<min(offset + Self.sumsWindowBytes, layout.footerOffset)
            for range in try segment.file.dataRanges(in: window) {
                let pages = segment.pages(atOffsets: range)
                for (number, sum) in zip(pages, try segment.sums(of: pages)) where sum.isWritten {
                    let extent = extent(holding: PageName(name.space, number), name.pageBytes)
                    if found.last?.address != extent {
                        if found.count >= limit { return extent }
                        found.append(StoredExtent(address: extent, pageBytes: name.pageBytes))
                    }
                    if sum.isCold {
                        found[found.count - 1].hddPages += 1
                    } else {
                        found[found.count - 1].ssdPages += 1
                    }
                }
            }
            offset = window.upperBound
        }
        return nil
    }
}
