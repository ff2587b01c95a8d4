import LociBase
import LociModel

extension PartitionVerifier {
    /// Checks a segment that the checkpoint lists: its size and footer, and each page against its
    /// checksum.
    /// - Parameter batches: Of the double-write files, the newest first.
    func verify(_ name: SegmentName, _ batches: [DoubleWriteFile.Batch]) {
        let path = place.segment(name.number, of: name.space)
        let pages =
            "pages \(name.pages.lowerBound)-\(name.pages.upperBound - 1) of space "
            + "\(name.space)"
        do throws(StorageError) {
            guard let segment = try Segment(name, in: place, create: false) else {
                throw .corrupt(path: path, what: "its file is missing")
            }
            try verifyFooter(segment, path)
            try segment.walk(name.pages) { page throws(StorageError) in
                verify(page, of: segment, path, batches)
                return true
            }
        } catch {
            run.find(
                .damage, .segment, error, path, about: pages,
                advice: "None of its pages can be read. " + SliceVerifier.restore)
        }
    }

    private func verifyFooter(_ segment: Segment, _ path: String) throws(StorageError) {
        let layout = segment.name.layout
        run.countFile(bytes: SegmentLayout.footerBytes)
        let used = FileHeader.byteCount + 8
        let rest = try segment.file.read(
            at: layout.footerOffset + UInt64(used), count: Int(SegmentLayout.footerBytes) - used)
        if rest.isZero { return }
        run.find(
            .repairable, .segment, path, at: layout.footerOffset + UInt64(used),
            "there are bytes behind its footer, where there should be none",
            advice: "No page is affected; look for disk errors in the kernel's log.")
    }

    private func verify(
        _ page: Segment.PresentPage, of segment: Segment, _ path: String,
        _ batches: [DoubleWriteFile.Batch]
    ) {
        let name = PageName(segment.name.space, page.number)
        let subject = "page \(page.number) of space \(name.space)"
        let offset = segment.name.layout.offset(of: page.number)
        run.count(bytes: UInt64(segment.name.pageBytes + PageSum.byteCount))
        do throws(StorageError) {
            let image = try segment.image(of: page.number)
            if page.sum.isCold && page.sum.generation > 0 {
                return verifyCold(image, page, name, segment, path, batches)
            }
            if page.sum.isWritten ? page.sum.matches(image, name, in: place) : image.isZero {
                return page.sum.isWritten ? run.countPage() : ()
            }
            findBad(
                name, page.sum, path, at: offset, batches,
                page.sum.isWritten
                    ? "its bytes are not those that its checksum was made of"
                    : "it has bytes although it was never written")
        } catch {
            run.find(.damage, .page, error, path, at: offset, about: subject, advice: "")
        }
    }

    /// A page that is lost, unless the next start takes it from a double-write file.
    private func findBad(
        _ page: PageName, _ sum: PageSum, _ path: String, at offset: UInt64?,
        _ batches: [DoubleWriteFile.Batch], _ what: String
    ) {
        let subject = "page \(page.number) of space \(page.space)"
        let isMended = batches.contains { batch in
            !(sum.isWritten && sum.generation > batch.sequence)
                && batch.pages.contains { $0.0 == page }
        }
        if isMended {
            run.find(
                .repairable, .page, path, at: offset, about: subject, what,
                advice: "A flush was cut off. The page is whole in a double-write file, and the "
                    + "next start mends it.")
        } else {
            run.find(
                .damage, .page, path, at: offset, about: subject, what,
                advice: "Other pages are not affected. Restore it from a snapshot, or write all of "
                    + "it anew.")
        }
    }

    /// A page that its checksum says to lie on the cold tier.
    private func verifyCold(
        _ image: Bytes, _ page: Segment.PresentPage, _ name: PageName, _ segment: Segment,
        _ path: String, _ batches: [DoubleWriteFile.Batch]
    ) {
        let offset = segment.name.layout.offset(of: page.number)
        guard hasColdTier else {
            return findBad(
                name, page.sum, path, at: offset, batches,
                "its checksum says that it is on a cold tier, and the shard has none")
        }
        guard let cold else { return run.countColdPage() }
        let pageBytes = segment.name.pageBytes
        let answer = cold.coldPages(
            [(page.number, page.sum)], of: cold.extent(holding: name, pageBytes),
            pageBytes: pageBytes, into: HeapPageMemory())[0]
        switch answer {
        case .success(let bytes) where page.sum.matches(bytes, name, in: place):
            run.count(bytes: UInt64(pageBytes))
            run.countPage()
        case .success:
            findBad(
                name, page.sum, path, at: offset, batches,
                "its bytes on the cold tier are not those that its checksum was made of")
        case .failure(.damagedPage(_, let extent, let what)):
            findBad(name, page.sum, extent, at: nil, batches, what)
        case .failure(let error):
            run.find(
                .damage, .page, error, path, at: offset,
                about: "page \(page.number) of space \(name.space)",
                advice: error.sentence.advice)
        }
    }
}
