import LociBase
import LociModel
import Synchronization

/// Moves of extents between the segments and the cold tier: into the new place first, then the
/// checksums say so, then out of the old place. At every instant the checksums name a place that
/// has the page durably.
///
/// What takes long is done while writes and flushes go on; a page that they have changed meanwhile
/// stays where it is.
extension PartitionStore {
    /// Brings an extent's pages to the cold tier and gives their space in the segment back. Pages
    /// in the write buffer stay, since their segment gets them anew.
    /// - Throws: What the tier meets, with nothing changed; what the segment meets is final.
    func demote(
        _ address: ExtentAddress, pageBytes: Int
    ) throws(StorageError) -> ExtentMove {
        try checkFailure()
        guard let extents else { preconditionFailure("there is a cold tier") }
        return try moving.withLock { _ throws(StorageError) in
            guard let segment = try segment(of: address, pageBytes) else { return .nothing }
            guard let draft = try draft(address, segment) else {
                extents.counters.count { $0.skippedExtents += 1 }
                return .damaged
            }
            if draft.moved.isEmpty {
                if draft.isUnused { try extents.remove(address, byteCount: draft.replacedBytes) }
                return .nothing
            }
            let content = ExtentTable.content(
                address, pageBytes: pageBytes, frames: draft.frames, in: place)
            try extents.put(content, as: address, replaced: draft.replacedBytes)
            let pages = try settle(draft.moved, address, pageBytes, content.count)
            let bytes = UInt64(pages * pageBytes)
            extents.counters.count { counts in
                counts.demotedExtents += 1
                counts.demotedPages += UInt64(pages)
                counts.demotedBytes += bytes
                counts.writtenBytes += UInt64(content.count)
            }
            return pages == 0 ? .nothing : .moved(pages: pages)
        }
    }

    /// An extent that is to be written.
    private struct Draft {
        var frames: [(sum: PageSum, frame: Bytes)?] = []
        /// Pages that move, with their checksums until now.
        var moved: [UInt64: PageSum] = [:]
        /// Of the object that is there.
        var replacedBytes = 0
        /// Whether there is an object, and no page in it that is needed.
        var isUnused: Bool { replacedBytes > 0 && frames.allSatisfy { $0 == nil } }
    }

    /// - Returns: nil if a page is damaged.
    private func draft(
        _ address: ExtentAddress, _ segment: Segment
    ) throws(StorageError) -> Draft? {
        let pageBytes = segment.name.pageBytes
        let pages = address.pages(pageBytes: pageBytes)
        let sums = try segment.sums(of: pages)
        var draft = Draft()
        guard let kept = try keptFrames(zip(pages, sums), address, pageBytes, &draft) else {
            return nil
        }
        let compressor = PageCompressor(extents!.tier.compression)
        for (number, sum) in zip(pages, sums) {
            let page = PageName(address.space, number)
            if let frame = kept[number] {
                draft.frames.append((sum, frame))
                continue
            }
            guard sum.isWritten, !sum.isCold, buffer.image(of: page) == nil else {
                draft.frames.append(nil)
                continue
            }
            let image = try segment.image(of: number)
            if fits(image, sum, page) {
                draft.frames.append((sum, compressor.frame(of: image) ?? image))
                draft.moved[number] = sum
                continue
            }
            // A flush may have been at work on it.
            let isBuffered = buffer.image(of: page) != nil
            let isSame = try segment.sum(of: number) == sum
            if !isBuffered && isSame { return nil }
            draft.frames.append(nil)
        }
        return draft
    }

    /// Frames of pages that are cold already.
    private func keptFrames(
        _ pages: Zip2Sequence<Range<UInt64>, [PageSum]>, _ address: ExtentAddress,
        _ pageBytes: Int, _ draft: inout Draft
    ) throws(StorageError) -> [UInt64: Bytes]? {
        let extent: OpenExtent?
        do throws(StorageError) {
            extent = try extents!.open(address, pageBytes: pageBytes, in: place)
        } catch {
            if !error.isDamage { throw error }
            extent = nil
        }
        draft.replacedBytes = extent?.object.byteCount ?? 0
        let cold = pages.filter(\.1.isCold)
        if cold.isEmpty { return [:] }
        let frames = frames(
            cold.map { (page: $0.0, sum: $0.1) }, of: address, pageBytes: pageBytes)
        var kept: [UInt64: Bytes] = [:]
        for ((number, _), frame) in zip(cold, frames) {
            do throws(StorageError) {
                kept[number] = try frame.get()
            } catch {
                if error.isDamage { return nil }
                throw error
            }
        }
        return kept
    }

    /// The extent is durable: the checksums say so, and the segment lets go of the pages.
    /// - Returns: How many pages moved.
    private func settle(
        _ moved: [UInt64: PageSum], _ address: ExtentAddress, _ pageBytes: Int, _ byteCount: Int
    ) throws(StorageError) -> Int {
        try withMaintenance(isFinal: false) { _ throws(StorageError) in
            guard let segment = try segment(of: address, pageBytes) else {
                try extents!.remove(address, byteCount: byteCount)
                return 0
            }
            let pages = address.pages(pageBytes: pageBytes)
            let count = try refusingAfterFailure { () throws(StorageError) in
                try flag(pages, of: segment, toCold: true) { moved[$0] == $1 }
            }
            // Space that cannot be given back is no reason to stop: no page is in doubt.
            for run in try coldRuns(pages, of: segment) {
                try segment.file.punch(
                    at: segment.name.layout.offset(of: run.lowerBound),
                    count: UInt64(run.count * pageBytes))
            }
            try refusingAfterFailure { () throws(StorageError) in try segment.file.sync() }
            space.change(segment.name)
            return count
        }
    }

    /// Brings all cold pages of an extent back to its segment, and removes what is not needed any
    /// more. A page that is damaged in the extent stays there.
    /// - Throws: `noSpace` of the segment's disk and what the tier meets, with nothing changed;
    ///   else what the segment meets is final.
    func promote(
        _ address: ExtentAddress, pageBytes: Int
    ) throws(StorageError) -> ExtentMove {
        try checkFailure()
        guard let extents else { preconditionFailure("there is a cold tier") }
        return try moving.withLock { _ throws(StorageError) in
            guard let segment = try segment(of: address, pageBytes) else { return .nothing }
            let pages = address.pages(pageBytes: pageBytes)
            let cold = zip(pages, try segment.sums(of: pages)).filter(\.1.isCold)
            var images: [UInt64: (sum: PageSum, image: Bytes)] = [:]
            let found = try extentImages(of: cold, address, pageBytes)
            for ((number, sum), image) in zip(cold, found) {
                if let image, fits(image, sum, PageName(address.space, number)) {
                    images[number] = (sum, image)
                }
            }
            let (moved, isEmpty) = try bringBack(images, address, pageBytes)
            if isEmpty { try removeUnused(address, pageBytes) }
            let isDamaged = images.count < cold.count
            extents.counters.count { counts in
                counts.promotedExtents += moved > 0 ? 1 : 0
                counts.promotedPages += UInt64(moved)
                counts.promotedBytes += UInt64(moved * pageBytes)
                counts.skippedExtents += isDamaged ? 1 : 0
            }
            return moved > 0 ? .moved(pages: moved) : isDamaged ? .damaged : .nothing
        }
    }

    /// nil for those that are damaged.
    private func extentImages(
        of cold: [(UInt64, PageSum)], _ address: ExtentAddress, _ pageBytes: Int
    ) throws(StorageError) -> [Bytes?] {
        if cold.isEmpty { return [] }
        let found = coldPages(
            cold.map { (page: $0.0, sum: $0.1) }, of: address, pageBytes: pageBytes,
            into: HeapPageMemory())
        var images: [Bytes?] = []
        for image in found {
            do throws(StorageError) {
                images.append(try image.get())
            } catch {
                if !error.isDamage { throw error }
                images.append(nil)
            }
        }
        return images
    }

    /// - Returns: How many pages moved, and whether no page is left in the extent.
    private func bringBack(
        _ images: [UInt64: (sum: PageSum, image: Bytes)], _ address: ExtentAddress,
        _ pageBytes: Int
    ) throws(StorageError) -> (moved: Int, isEmpty: Bool) {
        try withMaintenance(isFinal: false) { _ throws(StorageError) in
            guard let segment = try segment(of: address, pageBytes) else { return (0, true) }
            let pages = address.pages(pageBytes: pageBytes)
            let count = try refusingAfterFailure { () throws(StorageError) in
                let sums = try segment.sums(of: pages)
                let current = zip(pages, sums).filter { images[$0]?.sum == $1 }.map(\.0)
                do throws(StorageError) {
                    for page in current {
                        try segment.file.write(
                            images[page]!.image, at: segment.name.layout.offset(of: page))
                    }
                } catch {
                    for page in current where error.isOutOfSpace {
                        try segment.file.punch(
                            at: segment.name.layout.offset(of: page), count: UInt64(pageBytes))
                    }
                    throw error
                }
                if !current.isEmpty { try segment.file.sync() }
                return try flag(pages, of: segment, toCold: false) { images[$0]?.sum == $1 }
            }
            space.change(segment.name)
            return (count, try coldRuns(pages, of: segment).isEmpty)
        }
    }

    private func removeUnused(
        _ address: ExtentAddress, _ pageBytes: Int
    ) throws(StorageError) {
        guard let extents else { return }
        do throws(StorageError) {
            let extent = try extents.open(address, pageBytes: pageBytes, in: place)
            if let extent { try extents.remove(address, byteCount: extent.object.byteCount) }
        } catch {
            // Nothing needs it; the next life's sweep finds it again.
            extents.counters.count { $0.failures += 1 }
        }
    }

    /// Writes that pages are here or there. Durable on return.
    /// - Returns: How many pages.
    private func flag(
        _ pages: Range<UInt64>, of segment: Segment, toCold: Bool,
        _ isMoved: (UInt64, PageSum) -> Bool
    ) throws(StorageError) -> Int {
        var moved = 0
        var sums = ByteWriter(reserving: pages.count * PageSum.byteCount)
        for (number, sum) in zip(pages, try segment.sums(of: pages)) {
            let isMoved = isMoved(number, sum)
            if isMoved { moved += 1 }
            (isMoved ? sum.moved(toCold: toCold) : sum).write(to: &sums)
        }
        if moved == 0 { return 0 }
        try segment.file.write(
            sums.finished, at: segment.name.layout.sumOffset(of: pages.lowerBound))
        try segment.file.sync()
        return moved
    }

    /// Runs of cold pages.
    private func coldRuns(
        _ pages: Range<UInt64>, of segment: Segment
    ) throws(StorageError) -> [Range<UInt64>] {
        var runs: [Range<UInt64>] = []
        for (number, sum) in zip(pages, try segment.sums(of: pages)) where sum.isCold {
            if let last = runs.last, last.upperBound == number {
                runs[runs.count - 1] = last.lowerBound..<(number + 1)
            } else {
                runs.append(number..<(number + 1))
            }
        }
        return runs
    }

    /// The segment that an extent is of; nil if there is none, or its space was dropped.
    private func segment(
        of address: ExtentAddress, _ pageBytes: Int
    ) throws(StorageError) -> Segment? {
        precondition(address.partition == place.partition)
        let first = PageName(address.space, address.pages(pageBytes: pageBytes).lowerBound)
        let name = SegmentName(holding: first, pageBytes: pageBytes)
        let isThere = known.withLock {
            $0.segments.contains(name) && !$0.dropped.contains(address.space)
        }
        return isThere ? try segments.segment(name, in: place, create: false) : nil
    }
}
