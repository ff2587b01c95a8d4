import LociBase

/// What a segment holds, in the order of the pages: the shared part of verify, scrub and inspect.
extension Segment {
    /// A page that has a sum, or blocks on the disk, or both.
    struct PresentPage {
        let number: UInt64
        let sum: PageSum
        let hasBlocks: Bool
    }

    /// Pages whose block lists a walk has in memory at once: at worst 64 MiB of them.
    static let walkedPages: UInt64 = 1 << 22
    private static let sumsAtOnce: UInt64 = 4096

    /// Calls with each page of a range that the segment says something of, until it answers false.
    func walk(
        _ range: Range<UInt64>, _ body: (PresentPage) throws(StorageError) -> Bool
    ) throws(StorageError) {
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(start + Self.walkedPages, range.upperBound)
            guard try walkBounded(start..<end, body) else { return }
            start = end
        }
    }

    private func walkBounded(
        _ range: Range<UInt64>, _ body: (PresentPage) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        let layout = name.layout
        let first = layout.offset(of: range.lowerBound)
        let firstSum = layout.sumOffset(of: range.lowerBound)
        let count = UInt64(range.count)
        let blocks = try pageRanges(in: first..<(first + count * UInt64(layout.pageBytes)))
        let sums = try pageRanges(
            in: firstSum..<(firstSum + count * UInt64(PageSum.byteCount)))
        var position = 0
        for part in Self.union(blocks, sums) {
            for start in stride(
                from: part.lowerBound, to: part.upperBound, by: Int(Self.sumsAtOnce))
            {
                let pages = start..<min(start + Self.sumsAtOnce, part.upperBound)
                for (page, sum) in zip(pages, try self.sums(of: pages)) {
                    while position < blocks.count, blocks[position].upperBound <= page {
                        position += 1
                    }
                    let hasBlocks = position < blocks.count && blocks[position].contains(page)
                    guard hasBlocks || sum.isWritten else { continue }
                    let present = PresentPage(number: page, sum: sum, hasBlocks: hasBlocks)
                    guard try body(present) else { return false }
                }
            }
        }
        return true
    }

    private func pageRanges(in range: Range<UInt64>) throws(StorageError) -> [Range<UInt64>] {
        var found: [Range<UInt64>] = []
        for range in try file.dataRanges(in: range) {
            let pages = pages(atOffsets: range)
            if let last = found.last, last.upperBound >= pages.lowerBound {
                found[found.count - 1] = last.lowerBound..<max(last.upperBound, pages.upperBound)
            } else {
                found.append(pages)
            }
        }
        return found
    }

    private static func union(
        _ left: [Range<UInt64>], _ right: [Range<UInt64>]
    ) -> [Range<UInt64>] {
        var result: [Range<UInt64>] = []
        for range in (left + right).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, last.upperBound >= range.lowerBound {
                result[result.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }
}
