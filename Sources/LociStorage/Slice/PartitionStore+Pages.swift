import LociBase
import LociModel
import Synchronization

/// Pages: from the write buffer or their segments to readers, and from writers to the write buffer.
extension PartitionStore {
    /// Where a page's newest bytes are.
    enum Whereabouts {
        case buffered(Bytes)
        /// In no file: it was never written, or its space is gone.
        case nowhere
        case segment(Segment, PageSum)
    }

    /// - Throws: What the segment's own tables meet: damage there concerns this page.
    func locate(
        _ page: PageName, pageBytes: Int
    ) throws(StorageError) -> Whereabouts {
        if let image = buffer.image(of: page) { return .buffered(image) }
        let name = SegmentName(holding: page, pageBytes: pageBytes)
        let (isDropped, isKnown) = known.withLock {
            ($0.dropped.contains(page.space), $0.segments.contains(name))
        }
        if isDropped { return .nowhere }
        guard let segment = try segments.segment(name, in: place, create: false) else {
            guard isKnown else { return .nowhere }
            throw damage(page, name, "its segment's file is missing")
        }
        return .segment(segment, try segment.sum(of: page.number))
    }

    /// A page that may move between the segment and an extent while it is read: it is damaged only
    /// if its checksum stays what it was when the bytes did not fit.
    func read(
        _ page: PageName, pageBytes: Int, slowest: Tier, into memory: any PageMemory
    ) throws(StorageError) -> PageAnswer {
        var last: PageSum?
        for attempt in 1... {
            switch try locate(page, pageBytes: pageBytes) {
            case .buffered(let image): return .loaded(image, from: .dram)
            case .nowhere: return .loaded(Bytes(zeros: pageBytes), from: .ssd)
            case .segment(let segment, let sum):
                let tier: Tier = sum.isCold ? .hdd : .ssd
                if slowest < tier { return .skipped(tier) }
                let isLast = sum == last || attempt == Self.mostReadAttempts
                do throws(StorageError) {
                    let image = try fetch(page, sum, segment, into: memory)
                    guard fits(image, sum, page) else { throw misfit(page, sum, segment) }
                    return .loaded(image, from: tier)
                } catch {
                    guard error.isDamage else { throw error }
                    if isLast {
                        counters.countDamage()
                        throw error
                    }
                }
                last = sum
            }
        }
        preconditionFailure("the last attempt ends it")
    }

    private static let mostReadAttempts = 8

    /// A page's bytes for this thread alone.
    func read(_ page: PageName, pageBytes: Int) throws(StorageError) -> Bytes {
        let answer = try read(
            page, pageBytes: pageBytes, slowest: .object, into: HeapPageMemory())
        guard case .loaded(let image, _) = answer else {
            preconditionFailure("no tier is slower than the slowest")
        }
        return image
    }

    /// The bytes of a page that its checksum belongs to, not yet compared with it.
    func fetch(
        _ page: PageName, _ sum: PageSum, _ segment: Segment, into memory: any PageMemory
    ) throws(StorageError) -> Bytes {
        let name = segment.name
        guard sum.isCold else {
            return try segment.file.read(
                at: name.layout.offset(of: page.number), count: name.pageBytes, into: memory)
        }
        let wanted = [(page: page.number, sum: sum)]
        return try coldPages(
            wanted, of: extent(holding: page, name.pageBytes), pageBytes: name.pageBytes,
            into: memory)[0].get()
    }

    /// Whether the bytes are those that were written to the page last.
    func fits(_ image: Bytes, _ sum: PageSum, _ page: PageName) -> Bool {
        sum.isWritten ? sum.matches(image, page, in: place) : image.isZero
    }

    /// Throws `damagedPage` unless the bytes are those that were written to the page last.
    func verify(
        _ image: Bytes, _ sum: PageSum, _ page: PageName, _ segment: Segment
    ) throws(StorageError) {
        if fits(image, sum, page) { return }
        counters.countDamage()
        throw misfit(page, sum, segment)
    }

    private func misfit(_ page: PageName, _ sum: PageSum, _ segment: Segment) -> StorageError {
        damage(
            page, segment.name,
            sum.isWritten
                ? "its bytes are not those that its checksum was made of"
                : "it has bytes although it was never written")
    }

    func damage(_ page: PageName, _ segment: SegmentName, _ what: String) -> StorageError {
        .damagedPage(
            PageAddress(space: page.space, partition: place.partition, page: page.number),
            path: place.segment(segment.number, of: segment.space), what: what)
    }

    /// Writes into the page's image in the write buffer, which is read in first if need be. A page
    /// that is damaged stays so unless all of it is written: what was in it is lost.
    func write(
        _ bytes: Bytes, at offset: Int, of address: PageAddress, pageBytes: Int
    ) throws(StorageError) {
        precondition(offset >= 0 && offset + bytes.count <= pageBytes, "a write stays in its page")
        try checkFailure()
        let page = PageName(address)
        if buffer.patch(page, at: offset, with: bytes) { return }
        if bytes.count == pageBytes { return buffer.insert(bytes.compact(), of: page) }
        var attempt = 1
        while true {
            do {
                var image = try read(page, pageBytes: pageBytes)
                image.replace(at: offset, with: bytes)
                return buffer.insert(image, of: page)
            } catch {
                if error.isDamage { return counters.countLostWrite() }
                // A device may fail once. A page that cannot be read again and again is lost.
                if attempt == 3 {
                    guard error.isUnreadable else { throw error }
                    try condemn(page, pageBytes: pageBytes)
                    return counters.countLostWrite()
                }
                attempt += 1
            }
        }
    }

    /// Gives a page a checksum that nothing matches: should the device read it once more, the write
    /// that it lacks would be missing in silence.
    private func condemn(_ page: PageName, pageBytes: Int) throws(StorageError) {
        try withMaintenance { maintenance throws(StorageError) in
            let name = SegmentName(holding: page, pageBytes: pageBytes)
            guard let segment = try segments.segment(name, in: place, create: false) else { return }
            // Only where the device works but for this page: else the log may still mend it.
            _ = try segment.sum(of: page.number)
            maintenance.sequence += 1
            var sum = ByteWriter()
            PageSum(condemning: page, generation: maintenance.sequence, in: place).write(to: &sum)
            try segment.file.write(sum.finished, at: name.layout.sumOffset(of: page.number))
            try segment.file.sync()
            counters.countDamage()
        }
    }

    func drop(_ space: SpaceID) {
        known.withLock { _ = $0.dropped.insert(space) }
        buffer.forget(space)
    }
}
