import LociModel

/// The terms of an index in the order of their values: sorted blocks of a bounded size, so that
/// finding is two binary searches and inserting moves a few KiB.
///
/// Invariants:
/// - No block is empty or has more than `blockTerms`.
/// - `cells` of a block is what its terms have together.
struct TermOrder: Sendable {
    struct Block: Sendable {
        var terms: [UInt32]
        var cells: Int
    }

    struct Position: Equatable, Sendable {
        var block: Int
        var index: Int
    }

    static let blockTerms = 512

    private(set) var blocks: [Block] = []

    /// Terms that come sorted.
    init(sorted: [UInt32] = [], counts: [UInt32] = []) {
        var start = 0
        while start < sorted.count {
            let end = min(start + Self.blockTerms * 3 / 4, sorted.count)
            let terms = Array(sorted[start..<end])
            blocks.append(
                Block(terms: terms, cells: terms.reduce(0) { $0 + Int(counts[Int($1)]) }))
            start = end
        }
    }

    /// The first position whose value is not `isBefore`; behind the last block if all are.
    /// - Precondition: Values that are before come before all that are not.
    func partition(
        _ values: [FieldValue], where isBefore: (FieldValue) -> Bool
    ) -> Position {
        var (low, high) = (0, blocks.count)
        while low < high {
            let middle = (low + high) / 2
            let last = blocks[middle].terms[blocks[middle].terms.count - 1]
            if isBefore(values[Int(last)]) { low = middle + 1 } else { high = middle }
        }
        guard low < blocks.count else { return Position(block: low, index: 0) }
        var (first, end) = (0, blocks[low].terms.count)
        while first < end {
            let middle = (first + end) / 2
            if isBefore(values[Int(blocks[low].terms[middle])]) {
                first = middle + 1
            } else {
                end = middle
            }
        }
        return Position(block: low, index: first)
    }

    func term(at position: Position) -> UInt32? {
        guard position.block < blocks.count else { return nil }
        let terms = blocks[position.block].terms
        return position.index < terms.count ? terms[position.index] : nil
    }

    /// Puts a term where `partition` said that its value belongs; it has no cells yet.
    mutating func insert(_ term: UInt32, at position: Position) -> Position {
        if blocks.isEmpty { blocks.append(Block(terms: [], cells: 0)) }
        var position = position
        if position.block == blocks.count {
            position = Position(
                block: blocks.count - 1, index: blocks[blocks.count - 1].terms.count)
        }
        blocks[position.block].terms.insert(term, at: position.index)
        return position
    }

    /// Halves a block that has outgrown its size.
    mutating func splitIfFull(_ block: Int, counts: [UInt32]) {
        guard blocks[block].terms.count > Self.blockTerms else { return }
        let moved = Array(blocks[block].terms[(Self.blockTerms / 2)...])
        let cells = moved.reduce(0) { $0 + Int(counts[Int($1)]) }
        blocks[block].terms.removeLast(moved.count)
        blocks[block].cells -= cells
        blocks.insert(Block(terms: moved, cells: cells), at: block + 1)
    }

    mutating func add(_ cells: Int, in block: Int) { blocks[block].cells += cells }

    /// Takes out a term that has no cells left.
    mutating func remove(at position: Position) {
        blocks[position.block].terms.remove(at: position.index)
        if blocks[position.block].terms.isEmpty { blocks.remove(at: position.block) }
    }

    /// Calls `body` with the terms from one position up to another.
    func forEach(from start: Position, to end: Position, _ body: (UInt32) -> Void) {
        for block in start.block..<max(min(end.block + 1, blocks.count), start.block) {
            let terms = blocks[block].terms
            let first = block == start.block ? start.index : 0
            let last = block == end.block ? end.index : terms.count
            for index in first..<max(last, first) { body(terms[index]) }
        }
    }

    /// Cells that the terms from one position up to another have together.
    func cells(from start: Position, to end: Position, counts: [UInt32]) -> Int {
        var total = 0
        for block in start.block..<max(min(end.block + 1, blocks.count), start.block) {
            let terms = blocks[block].terms
            let first = block == start.block ? start.index : 0
            let last = block == end.block ? end.index : terms.count
            if first == 0, last == terms.count {
                total += blocks[block].cells
            } else {
                for index in first..<max(last, first) { total += Int(counts[Int(terms[index])]) }
            }
        }
        return total
    }
}
