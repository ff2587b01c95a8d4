import LociBase
import LociModel
import LociWire

/// A read of cells on its way: what shards have answered so far.
struct ReadOperation: Sendable {
    let field: FieldDefinition
    /// For each cell asked for: which part answers it, and at which place.
    let sources: [RowPlace]
    /// Cells of each part.
    let counts: [Int]
    /// The cells of each part that has few: those from which streams are learned.
    let fewCells: [[CellIndex]]
    let withTiers: Bool
    let allowsPartial: Bool
    /// The cells of each part; nil as long as it has not answered.
    var parts: [Bytes?]
    /// A byte for each cell of each part; nil as long as it has not said.
    var tiers: [Bytes?]
    /// Cells that were skipped because of the slowest tier that was allowed.
    var skipped: Set<RowPlace> = []

    init(_ read: ReadCells, _ field: FieldDefinition, _ plan: ReadPlan) {
        self.field = field
        sources = plan.sources
        counts = plan.cells.map(\.count)
        fewCells = plan.cells.map { $0.count <= FieldStreams.mostPages ? $0 : [] }
        withTiers = read.withTiers
        allowsPartial = read.allowsPartial
        parts = Array(repeating: nil, count: counts.count)
        tiers = read.withTiers ? parts : []
    }

    /// The bulk frames of the answer; cells of parts that are not there are named as missing.
    var answer: [Bytes] {
        CellsFrames.bulk(
            bytes: cells, skipped: skipped.isEmpty ? [] : positions { skipped.contains($0) },
            tiers: withTiers ? .gathered(sources, of: tiers, rowBytes: 1, filler: 0) : Bytes(),
            missing: parts.contains { $0 == nil }
                ? positions { parts[Int($0.part)] == nil } : [])
    }

    /// One copy, or none if a single part has them in order.
    private var cells: Bytes {
        if parts.count == 1, counts[0] == sources.count, let part = parts[0],
            sources.indices.allSatisfy({ sources[$0].row == UInt32($0) })
        {
            return part
        }
        return .gathered(sources, of: parts, rowBytes: field.cellBytes)
    }

    private func positions(where isChosen: (RowPlace) -> Bool) -> [UInt32] {
        sources.indices.filter { isChosen(sources[$0]) }.map { UInt32($0) }
    }
}

extension LociError {
    /// Whether a shard that fails so has only not answered: others' cells are as good as ever.
    var excusesPartialAnswer: Bool { code == .unavailable || code == .deadlineExceeded }
}
