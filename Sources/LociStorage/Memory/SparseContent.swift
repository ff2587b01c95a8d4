import LociBase

/// The bytes of a file in memory. Only blocks that were written take space.
///
/// Invariants:
/// - Bytes of a block that lie beyond `size` are zero.
struct SparseContent: Sendable {
    static let blockBytes = 4096

    private(set) var size: UInt64 = 0
    private(set) var blocks: [UInt64: Bytes] = [:]

    var usedBytes: UInt64 { UInt64(blocks.count * Self.blockBytes) }

    /// The range must lie within the file.
    func read(at offset: UInt64, count: Int) -> Bytes {
        var result = Bytes(zeros: count)
        Self.forEachBlock(of: offset, count: UInt64(count)) { block, within, position in
            if let bytes = blocks[block] { result.replace(at: position, with: bytes.slice(within)) }
        }
        return result
    }

    mutating func write(_ bytes: Bytes, at offset: UInt64) {
        Self.forEachBlock(of: offset, count: UInt64(bytes.count)) { block, within, position in
            blocks[block, default: Bytes(zeros: Self.blockBytes)].replace(
                at: within.lowerBound, with: bytes.slice(position..<(position + within.count)))
        }
        size = max(size, offset + UInt64(bytes.count))
    }

    mutating func resize(to newSize: UInt64) {
        if newSize < size { clear(at: newSize, count: size - newSize) }
        size = newSize
    }

    mutating func punch(at offset: UInt64, count: UInt64) {
        if offset < size { clear(at: offset, count: min(count, size - offset)) }
    }

    /// Takes over the blocks that a change touched, and the size, from the newer content.
    mutating func adopt(_ touched: Set<UInt64>, from newer: SparseContent) {
        for block in touched { blocks[block] = newer.blocks[block] }
        resize(to: newer.size)
    }

    private mutating func clear(at offset: UInt64, count: UInt64) {
        let blockBytes = UInt64(Self.blockBytes)
        let end = offset + count
        for block in Self.existing(blocks, in: offset, count: count) {
            let first = max(offset, block * blockBytes) - block * blockBytes
            let last = min(end - block * blockBytes, blockBytes)
            if first == 0 && last == blockBytes {
                blocks[block] = nil
            } else {
                blocks[block]!.replace(at: Int(first), with: Bytes(zeros: Int(last - first)))
            }
        }
    }

    /// Blocks of a range that were written; a range may be far larger than what is in it.
    func blocksWritten(in offset: UInt64, count: UInt64) -> [UInt64] {
        Self.existing(blocks, in: offset, count: count)
    }

    /// Blocks of a range that were written, joined where they touch.
    func dataRanges(in range: Range<UInt64>) -> [Range<UInt64>] {
        let range = range.clamped(to: 0..<size)
        let blockBytes = UInt64(Self.blockBytes)
        var found: [Range<UInt64>] = []
        let blocks = blocksWritten(in: range.lowerBound, count: UInt64(range.count))
        for block in blocks.sorted() {
            let part = (block * blockBytes..<(block + 1) * blockBytes).clamped(to: range)
            if let last = found.last, last.upperBound == part.lowerBound {
                found[found.count - 1] = last.lowerBound..<part.upperBound
            } else {
                found.append(part)
            }
        }
        return found
    }

    private static func existing(
        _ blocks: [UInt64: Bytes], in offset: UInt64, count: UInt64
    ) -> [UInt64] {
        if count == 0 { return [] }
        let range = (offset / UInt64(blockBytes))...((offset + count - 1) / UInt64(blockBytes))
        if range.count > blocks.count { return blocks.keys.filter { range.contains($0) } }
        return range.filter { blocks[$0] != nil }
    }

    /// Calls with the block, the range of it, and how far into the whole range that is.
    static func forEachBlock(
        of offset: UInt64, count: UInt64, _ body: (UInt64, Range<Int>, Int) -> Void
    ) {
        var done: UInt64 = 0
        while done < count {
            let block = (offset + done) / UInt64(blockBytes)
            let start = Int((offset + done) % UInt64(blockBytes))
            let length = min(blockBytes - start, Int(count - done))
            body(block, start..<(start + length), Int(done))
            done += UInt64(length)
        }
    }
}
