import LociBase
import LociModel
import Synchronization

/// From the write buffer to the segments.
///
/// Each batch is durable in a double-write file before the first byte of it goes to its place, and
/// in its place before the file after the next is written. So of a batch that was cut off, each
/// page is whole in one of the two.
extension PartitionStore {
    func flush() throws(StorageError) {
        try withMaintenance { maintenance throws(StorageError) in try flushAll(&maintenance) }
    }

    /// Flushes what is dirty at the call; what becomes dirty meanwhile may stay.
    func flushAll(_ maintenance: inout Maintenance) throws(StorageError) {
        if buffer.isEmpty { return }
        var candidates = buffer.dirtyPages.sorted(by: >)
        while true {
            let batch = buffer.beginFlush(&candidates, most: place.tuning.flushBatchBytes)
            if batch.isEmpty { break }
            do {
                try write(batch, &maintenance)
                buffer.endFlush()
                bufferCounter.noteSpace()
            } catch {
                buffer.abandonFlush()
                throw error
            }
        }
        for file in DoubleWriteFile.both(in: place) where place.fileSystem.exists(file.path) {
            try file.clear(sequence: maintenance.sequence)
        }
    }

    private func write(
        _ batch: [(PageName, Bytes)], _ maintenance: inout Maintenance
    ) throws(StorageError) {
        var runs: [(pages: Run, segment: Segment)] = []
        for run in Self.runs(of: batch) {
            if let segment = try target(of: run, &maintenance) { runs.append((run, segment)) }
        }
        preserve(batch, &maintenance)
        maintenance.sequence += 1
        let sequence = maintenance.sequence
        try DoubleWriteFile(for: sequence, in: place).write(
            runs.flatMap { $0.pages.named }, sequence: sequence)
        for (run, segment) in runs {
            var sums = ByteWriter(reserving: run.images.count * PageSum.byteCount)
            for (page, image) in run.named {
                PageSum(sealing: image, page, generation: sequence, in: place).write(to: &sums)
            }
            let layout = run.segment.layout
            try segment.file.write(Bytes.joined(run.images), at: layout.offset(of: run.first))
            try segment.file.write(sums.finished, at: layout.sumOffset(of: run.first))
        }
        var synced: Set<SegmentName> = []
        for (_, segment) in runs where synced.insert(segment.name).inserted {
            try segment.file.sync()
            space.change(segment.name)
        }
        counters.countFlush(pages: batch.count)
    }

    /// The segment that pages go to, created if it is new.
    /// - Returns: nil if they are lost or not wanted: the space was dropped, or the segment's file
    ///   was there once and is missing or damaged. A new file in its place would turn what was in
    ///   it into zeros.
    private func target(
        of run: Run, _ maintenance: inout Maintenance
    ) throws(StorageError) -> Segment? {
        let (isDropped, isKnown) = known.withLock {
            ($0.dropped.contains(run.segment.space), $0.segments.contains(run.segment))
        }
        if isDropped { return nil }
        do {
            if let segment = try segments.segment(run.segment, in: place, create: !isKnown) {
                if !isKnown {
                    _ = known.withLock { $0.segments.insert(run.segment) }
                    maintenance.newFolders.insert(place.spaceFolder(run.segment.space))
                }
                return segment
            }
        } catch {
            guard error.isDamage, isKnown else { throw error }
        }
        for _ in run.images { counters.countLostWrite() }
        counters.countDamage()
        return nil
    }

    /// Consecutive pages of one segment.
    private struct Run {
        let segment: SegmentName
        let first: UInt64
        var images: [Bytes]

        var named: [(PageName, Bytes)] {
            images.enumerated().map {
                (PageName(segment.space, first + UInt64($0.offset)), $0.element)
            }
        }
    }

    /// - Parameter batch: Ascending.
    private static func runs(of batch: [(PageName, Bytes)]) -> [Run] {
        var runs: [Run] = []
        for (page, image) in batch {
            let segment = SegmentName(holding: page, pageBytes: image.count)
            if let last = runs.last, last.segment == segment,
                last.first + UInt64(last.images.count) == page.number
            {
                runs[runs.count - 1].images.append(image)
            } else {
                runs.append(Run(segment: segment, first: page.number, images: [image]))
            }
        }
        return runs
    }

    // MARK: Recovery

    /// Takes pages of a flush that was cut off, and are torn in their segments, out of the
    /// double-write files.
    /// - Returns: The sequence of the last batch.
    func recoverFlush(
        after checkpoint: UInt64, _ listed: Set<SegmentName>
    ) throws(StorageError) -> UInt64 {
        var sequence = checkpoint
        var batches: [DoubleWriteFile.Batch] = []
        for file in DoubleWriteFile.both(in: place) {
            if let batch = try file.read() { batches.append(batch) }
        }
        for batch in batches.sorted(by: { $0.sequence > $1.sequence }) {
            sequence = max(sequence, batch.sequence)
            for (page, image) in batch.pages where buffer.image(of: page) == nil {
                let name = SegmentName(holding: page, pageBytes: image.count)
                guard listed.contains(name), try isTorn(page, name, batch.sequence) else {
                    continue
                }
                buffer.insert(image, of: page, isInterrupted: true)
                counters.countRepair()
            }
        }
        return sequence
    }

    /// Whether a page is not what its checksum says, in a way that the batch explains.
    private func isTorn(
        _ page: PageName, _ name: SegmentName, _ sequence: UInt64
    ) throws(StorageError) -> Bool {
        guard let segment = try segments.segment(name, in: place, create: false) else {
            return false
        }
        let sum = try segment.sum(of: page.number)
        if sum.isWritten && sum.generation > sequence { return false }
        // The extent has the page as it was before the batch, and the segment may have parts of it.
        if sum.isCold { return sum.generation < sequence }
        do {
            try verify(try segment.image(of: page.number), sum, page, segment)
            return false
        } catch {
            if error.isDamage { return true }
            throw error
        }
    }

    /// Removes segments that were created after the checkpoint: the log has all that is in them.
    func removeSegments(except listed: Set<SegmentName>) throws(StorageError) {
        let fileSystem = place.fileSystem
        let paths = Set(listed.map { place.segment($0.number, of: $0.space) })
        let spaces = Set(listed.map { place.spaceFolder($0.space) })
        for name in try fileSystem.list(place.folder) {
            guard name.hasPrefix(PartitionPlace.spacePrefix) else { continue }
            let folder = place.folder + "/" + name
            guard spaces.contains(folder) else {
                try fileSystem.removeTree(folder)
                continue
            }
            for file in try fileSystem.list(folder)
            where file.contains(PartitionPlace.segmentSuffix)
                && !paths.contains(folder + "/" + file)
            {
                try fileSystem.remove(folder + "/" + file)
            }
            try fileSystem.syncFolder(folder)
        }
        try fileSystem.syncFolder(place.folder)
    }

    /// Removes the files of spaces that the newest checkpoint does not list any more.
    func removeDropped() throws(StorageError) {
        for space in known.withLock({ $0.dropped }).sorted() {
            segments.forget(space, of: place.partition)
            try place.fileSystem.removeTree(place.spaceFolder(space))
            self.space.forget(space)
            removeExtents(of: space)
            known.withLock { known in
                known.segments = known.segments.filter { $0.space != space }
            }
        }
    }
}
