import LociBase
import LociModel

/// Pages as bytes that travel in gossip: for each partition of a space, runs as the distance from
/// the run before and a length, in variable-length numbers of seven bits a byte (LEB128).
///
///     format: 1, then until the end: space, partition, runs, and of each run: gap, length
enum PageRuns {
    private static let format: UInt8 = 1

    static func encoded(_ pages: [PageAddress]) -> Bytes {
        var bytes: [UInt8] = [format]
        let sorted = pages.sorted()
        var index = 0
        while index < sorted.count {
            let (space, partition) = (sorted[index].space, sorted[index].partition)
            var runs: [(first: UInt64, count: UInt64)] = []
            while index < sorted.count, sorted[index].space == space,
                sorted[index].partition == partition
            {
                let page = sorted[index].page
                index += 1
                if let last = runs.last, page < last.first + last.count { continue }
                if let last = runs.last, page == last.first + last.count {
                    runs[runs.count - 1].count += 1
                } else {
                    runs.append((page, 1))
                }
            }
            append(UInt64(space), to: &bytes)
            append(UInt64(partition), to: &bytes)
            append(UInt64(runs.count), to: &bytes)
            var end: UInt64 = 0
            for run in runs {
                append(run.first - end, to: &bytes)
                append(run.count, to: &bytes)
                end = run.first + run.count
            }
        }
        return Bytes(bytes)
    }

    /// Reads foreign bytes; memory is taken for at most so many pages.
    /// - Returns: nil for what `encoded` does not make, or of more pages.
    static func decoded(_ bytes: Bytes, most: Int) -> [PageAddress]? {
        guard bytes.count > 1, bytes[0] == format else { return nil }
        var position = 1
        var pages: [PageAddress] = []
        while position < bytes.count {
            guard let space = number(bytes, &position), let space = SpaceID(exactly: space),
                let partition = number(bytes, &position),
                let partition = PartitionIndex(exactly: partition),
                let runs = number(bytes, &position), runs <= UInt64(bytes.count - position)
            else { return nil }
            var end: UInt64 = 0
            for _ in 0..<runs {
                guard let gap = number(bytes, &position), let count = number(bytes, &position),
                    count >= 1, count <= UInt64(most - pages.count)
                else { return nil }
                let (first, isBeyond) = end.addingReportingOverflow(gap)
                let (next, isTooLong) = first.addingReportingOverflow(count)
                guard !isBeyond, !isTooLong else { return nil }
                end = next
                for page in first..<end {
                    pages.append(PageAddress(space: space, partition: partition, page: page))
                }
            }
        }
        return pages
    }

    static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Nil at the end of the bytes, and for what is longer than it need be or than 64 bits.
    static func number(_ bytes: Bytes, _ position: inout Int) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < bytes.count else { return nil }
            let byte = bytes[position]
            position += 1
            if shift == 63, byte > 1 { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return byte == 0 && shift > 0 ? nil : value }
        }
        return nil
    }
}
