import LociBase
import LociModel
import Synchronization

/// Snapshots: all pages as they are at one moment, while writes go on.
extension PartitionStore {
    /// A copy that is still under way is given up.
    /// - Parameters:
    ///   - onCut: Called once later writes cannot get into the copy.
    /// - Returns: Bytes of the copy. After an error nothing is left of it.
    func copy(
        to path: String, state: Bytes, onCut: () -> Void
    ) throws(StorageError) -> UInt64 {
        let number = try withMaintenance(isFinal: false) { maintenance throws(StorageError) in
            maintenance.copies += 1
            maintenance.copy = nil
            let writer = try CopyFile(creating: path, state: state, in: place)
            let listed = known.withLock { known in
                known.segments.filter { !known.dropped.contains($0.space) }
            }
            maintenance.copy = PageCopy(
                number: maintenance.copies, frozen: buffer.images, segments: listed,
                writer: writer)
            return maintenance.copies
        }
        onCut()
        do {
            return try finishCopy(number, path)
        } catch {
            try withMaintenance(isFinal: false) { maintenance throws(StorageError) in
                guard maintenance.copy?.number == number else { return }
                maintenance.copy = nil
                try? place.fileSystem.remove(path)
            }
            throw error
        }
    }

    /// Throws if the copy has failed, another was begun, or its file was removed.
    private func check(
        _ number: UInt64, _ path: String, _ maintenance: Maintenance
    ) throws(StorageError) {
        guard maintenance.copy?.number == number, place.fileSystem.exists(path) else {
            throw .io(operation: "snapshot", path: path, errno: Self.cancelled)
        }
        if let failure = maintenance.copy!.failure { throw failure }
    }

    /// ECANCELED.
    private static let cancelled: Int32 = 125

    private func finishCopy(_ number: UInt64, _ path: String) throws(StorageError) -> UInt64 {
        let segments = try withMaintenance(isFinal: false) { maintenance throws(StorageError) in
            try check(number, path, maintenance)
            return maintenance.copy!.segments
        }
        for name in segments.sorted() { try copy(name, number, path) }
        return try withMaintenance(isFinal: false) { maintenance throws(StorageError) in
            try check(number, path, maintenance)
            let frozen = maintenance.copy!.frozen
            for page in frozen.keys.sorted() {
                try maintenance.copy!.writer.append(page, frozen[page]!)
            }
            try maintenance.copy!.writer.finish()
            let bytes = maintenance.copy!.writer.bytes
            maintenance.copy = nil
            return bytes
        }
    }

    /// Copies a segment's pages, a few at a time so that flushes get their turn.
    private func copy(
        _ name: SegmentName, _ number: UInt64, _ path: String
    ) throws(StorageError) {
        guard let segment = try segments.segment(name, in: place, create: false) else {
            throw damage(PageName(name.space, name.pages.lowerBound), name, "its file is missing")
        }
        let layout = name.layout
        let step = UInt64(64 * PageSum.byteCount)
        for range in try segment.file.dataRanges(in: layout.sumsOffset..<layout.footerOffset) {
            for start in stride(from: range.lowerBound, to: range.upperBound, by: Int(step)) {
                let end = min(start + step, range.upperBound)
                let pages = segment.pages(atOffsets: start..<end)
                try withMaintenance(isFinal: false) { maintenance throws(StorageError) in
                    try check(number, path, maintenance)
                    try copy(pages, of: segment, &maintenance)
                    maintenance.copy!.reached = (name, pages.upperBound)
                }
            }
        }
        try withMaintenance(isFinal: false) { maintenance throws(StorageError) in
            try check(number, path, maintenance)
            maintenance.copy!.reached = (name, name.pages.upperBound)
            maintenance.copy!.early = maintenance.copy!.early.filter {
                $0.space != name.space || !name.pages.contains($0.number)
            }
        }
    }

    private func copy(
        _ pages: Range<UInt64>, of segment: Segment, _ maintenance: inout Maintenance
    ) throws(StorageError) {
        for (number, sum) in zip(pages, try segment.sums(of: pages)) {
            let page = PageName(segment.name.space, number)
            guard maintenance.copy!.lacks(page, segment.name), sum.isWritten else { continue }
            let image = try stored(page, sum, segment)
            try maintenance.copy!.writer.append(page, image)
        }
    }

    /// A page as its segment, or its extent, has it.
    func stored(
        _ page: PageName, _ sum: PageSum, _ segment: Segment
    ) throws(StorageError) -> Bytes {
        let image = try fetch(page, sum, segment, into: HeapPageMemory())
        try verify(image, sum, page, segment)
        return image
    }

    /// Copies pages that are about to be overwritten. What goes wrong ends the copy, not the flush.
    func preserve(_ batch: [(PageName, Bytes)], _ maintenance: inout Maintenance) {
        guard maintenance.copy != nil, maintenance.copy!.failure == nil else { return }
        do {
            for (page, newer) in batch {
                let name = SegmentName(holding: page, pageBytes: newer.count)
                guard maintenance.copy!.lacks(page, name),
                    let segment = try segments.segment(name, in: place, create: false)
                else { continue }
                let sum = try segment.sum(of: page.number)
                if sum.isWritten {
                    try maintenance.copy!.writer.append(page, try stored(page, sum, segment))
                }
                maintenance.copy!.early.insert(page)
            }
        } catch {
            maintenance.copy!.failure = error
        }
    }
}
