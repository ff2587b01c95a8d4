import LociBase
import LociModel
import LociPlacement

/// A field and where its cells live, with the arithmetic prepared.
struct PlacedField {
    let definition: FieldDefinition
    let identity: UInt64
    let shards: Int
    private let partitions: UInt64
    /// Runs of so many cells go round-robin over the partitions; see `FieldGeometry`.
    private let cellsPerStripe: UInt64

    init(_ definition: FieldDefinition, _ placement: ClusterPlacement) {
        self.definition = definition
        identity = definition.identity(in: placement.clusterID)
        shards = placement.shards.count
        let geometry = FieldGeometry(definition, partitions: placement.partitions)
        partitions = geometry.partitions
        cellsPerStripe = geometry.cellsPerPage * geometry.pagesPerStripe
    }

    /// As `PartitionMap` has it: partition p lives on shard p modulo the number of shards.
    func shard(of cell: CellIndex) -> Int {
        Int(cell / cellsPerStripe % partitions) % shards
    }
}

/// Which shard is asked for which cells, each once, and where each cell that was asked for is found
/// in the answers.
///
/// Invariants:
/// - `shards` and `cells` have the same length; no part is empty, no shard occurs twice.
/// - `sources[i]` names the part and the place within it of the i-th cell that was asked for.
struct CellPlan {
    private(set) var shards: [Int] = []
    private(set) var cells: [[CellIndex]] = []
    private(set) var sources: [CellSource] = []

    /// - Parameter asked: At most `Limits.cellsPerRequest` cells, all of the field.
    init(_ asked: [CellIndex], _ field: PlacedField) {
        var seen = CellSet(capacity: asked.count)
        var parts = [Int](repeating: -1, count: field.shards)
        sources.reserveCapacity(asked.count)
        for (position, cell) in asked.enumerated() {
            if let first = seen.first(cell, at: position, among: asked) {
                sources.append(sources[first])
                continue
            }
            let shard = field.shard(of: cell)
            if parts[shard] < 0 {
                parts[shard] = shards.count
                shards.append(shard)
                cells.append([])
            }
            let part = parts[shard]
            sources.append(CellSource(part: UInt32(part), index: UInt32(cells[part].count)))
            cells[part].append(cell)
        }
    }
}

/// Where a cell is found: the answer of one shard, and the place in it.
struct CellSource: Equatable, Sendable {
    let part: UInt32
    let index: UInt32
}

/// Positions of cells by the cells' numbers: open addressing, linear probing, at most half full.
private struct CellSet {
    private var slots: [UInt32]
    private let mask: UInt64
    private static let empty = UInt32.max

    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = Array(repeating: Self.empty, count: size)
        mask = UInt64(size - 1)
    }

    /// Where the cell stands first among `cells`; nil if that is `position`, which is noted then.
    mutating func first(_ cell: CellIndex, at position: Int, among cells: [CellIndex]) -> Int? {
        var slot = Int(mix64(cell) & mask)
        while slots[slot] != Self.empty {
            let other = Int(slots[slot])
            if cells[other] == cell { return other }
            slot = (slot + 1) & Int(mask)
        }
        slots[slot] = UInt32(position)
        return nil
    }
}
