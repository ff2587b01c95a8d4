import LociBase
import LociModel
import LociPlacement

/// Which shard is asked for which cells, each once, and where each cell asked for is found in the
/// answers.
struct ReadPlan: Sendable {
    /// Of each part.
    private(set) var shards: [ShardIndex] = []
    /// Of each part, in the order in which they were asked for first.
    private(set) var cells: [[CellIndex]] = []
    private(set) var sources: [RowPlace] = []

    /// - Parameter isScattered: Whether cells may be named more than once.
    init(
        _ asked: [CellIndex], _ geometry: FieldGeometry, _ map: PartitionMap, isScattered: Bool
    ) {
        var partOfShard = [Int](repeating: -1, count: map.shards)
        var seen = isScattered ? FirstPositions(count: asked.count) : nil
        sources.reserveCapacity(asked.count)
        for (position, cell) in asked.enumerated() {
            if let first = seen?.first(of: cell, at: position, among: asked) {
                sources.append(sources[first])
                continue
            }
            let shard = map.shard(of: geometry.partition(of: cell))
            var part = partOfShard[Int(shard)]
            if part < 0 {
                part = shards.count
                partOfShard[Int(shard)] = part
                shards.append(shard)
                cells.append([])
                cells[part].reserveCapacity(asked.count / map.shards + 1)
            }
            sources.append(RowPlace(part: part, row: cells[part].count))
            cells[part].append(cell)
        }
    }
}

/// Finds the first of equal cells: open addressing over positions, which costs a few nanoseconds
/// for each cell, where a row that travels twice costs some hundred. A search gives up after
/// `mostProbes`, however badly the cells were chosen: the cell then travels twice.
private struct FirstPositions {
    private static let mostProbes = 32

    /// A position and 1, or 0; at least half of them are 0.
    private var table: [UInt32]
    private let shift: Int

    init(count: Int) {
        let bits = max(2, Int.bitWidth - (2 * count - 1).leadingZeroBitCount)
        table = [UInt32](repeating: 0, count: 1 << bits)
        shift = 64 - bits
    }

    /// - Returns: The position that had the cell before; nil if this is the first.
    mutating func first(of cell: CellIndex, at position: Int, among cells: [CellIndex]) -> Int? {
        var place = Int(truncatingIfNeeded: (cell &* 0x9E37_79B9_7F4A_7C15) >> UInt64(shift))
        for _ in 0..<Self.mostProbes {
            if table[place] == 0 {
                table[place] = UInt32(position) + 1
                return nil
            }
            let earlier = Int(table[place]) - 1
            if cells[earlier] == cell { return earlier }
            place = (place + 1) & (table.count - 1)
        }
        return nil
    }
}
