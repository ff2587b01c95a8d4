import LociBase
import LociModel
import LociPlacement
import LociWire

/// Reads and writes of cells.
extension CoordinatorNode {
    mutating func read(
        _ read: ReadCells, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let field = try field(named: read.field)
        try field.check(identity: read.identity, in: metadata.clusterID)
        let cells = try cells(
            first: read.first, count: read.count, bulk: read.isScattered ? bulk[0] : nil, field)
        guard cells.count * field.cellBytes <= Limits.frameBytes else {
            throw LociError(
                .resourceExhausted,
                "\(cells.count) cells of \(field.cellBytes) bytes are more than one answer holds.",
                advice: "Ask for at most \(Limits.frameBytes / field.cellBytes) at once.")
        }
        let plan = ReadPlan(cells, field, metadata.map)
        let number = begin(
            .read(
                ReadOperation(
                    field: field, sources: plan.sources,
                    parts: Array(repeating: Bytes(), count: plan.shards.count),
                    maxTier: read.maxTier,
                    skipped: Array(repeating: [], count: plan.shards.count))), client, deadline)
        var operation = operations.removeValue(forKey: number)!
        for (part, shard) in plan.shards.enumerated() {
            ask(
                shard, .shardRead(ShardRead(space: field.space, maxTier: read.maxTier)),
                bulk: [Bytes(values: plan.cells[part])], part: part, for: &operation,
                into: &directives)
        }
        resume(operation, into: &directives)
    }

    /// The cells of a request, checked against the field.
    func cells(
        first: CellIndex, count: UInt64, bulk: Bytes?, _ field: FieldDefinition
    ) throws(LociError) -> [CellIndex] {
        let outside = LociError(
            .invalidArgument,
            "The field '\(field.name)' has cells 0 to \(field.cellCount - 1); "
                + "some that are asked for lie outside.",
            advice: "`loci field info \(field.name)` shows its shape.")
        if let bulk {
            let cells = bulk.values(CellIndex.self)
            guard cells.allSatisfy({ $0 < field.cellCount }) else { throw outside }
            return cells
        }
        guard first < field.cellCount, count <= field.cellCount - first else { throw outside }
        return Array(first..<(first + count))
    }

    func takeCells(_ bulk: [Bytes], _ part: Int, _ operation: inout Operation) {
        guard case .read(var read) = operation.kind else { return }
        let bytes = bulk[0]
        let asked = read.sources.lazy.filter { $0.part == part }.map(\.index).max() ?? -1
        guard bytes.count == (asked + 1) * read.field.cellBytes else {
            operation.failure = LociError(.internal, "A shard answered other cells than asked for.")
            return
        }
        read.parts[part] = bytes
        if bulk.count == 2 { read.skipped[part] = Set(bulk[1].values(UInt32.self).map { Int($0) }) }
        operation.kind = .read(read)
    }

    mutating func finish(
        _ read: ReadOperation, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        if let failure = operation.failure { return fail(operation, failure, into: &directives) }
        let cellBytes = read.field.cellBytes
        let isInOrder =
            read.parts.count == 1
            && read.parts[0].count == read.sources.count * cellBytes
            && read.sources.enumerated().allSatisfy { $0.offset == $0.element.index }
        let bytes =
            isInOrder
            ? read.parts[0]
            : Bytes.joined(
                read.sources.map { source in
                    let start = source.index * cellBytes
                    return read.parts[source.part].slice(start..<(start + cellBytes))
                })
        let cells = CellsAnswer(
            cellBytes: UInt32(cellBytes), count: UInt64(read.sources.count),
            receipt: receipt(of: operation))
        let skipped = read.sources.indices.filter {
            read.skipped[read.sources[$0].part].contains(read.sources[$0].index)
        }
        answer(
            operation, .cells(cells),
            bulk: skipped.isEmpty ? [bytes] : [bytes, Bytes(values: skipped.map { UInt32($0) })],
            into: &directives)
    }

    mutating func write(
        _ write: WriteCells, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let field = try field(named: write.field)
        let cells = try cells(
            first: write.first, count: write.count, bulk: write.isScattered ? bulk[0] : nil, field)
        let bytes = bulk[bulk.count - 1]
        guard bytes.count == cells.count * field.cellBytes else {
            throw LociError(
                .invalidArgument,
                "\(cells.count) cells of '\(field.name)' take \(cells.count * field.cellBytes) "
                    + "bytes, not \(bytes.count).",
                advice: "A cell has \(field.cellBytes) bytes.")
        }
        let geometry = FieldGeometry(field, partitions: metadata.map.partitions)
        var parts: [PartitionIndex: [Int]] = [:]
        for (index, cell) in cells.enumerated() {
            parts[geometry.partition(of: cell), default: []].append(index)
        }
        let number = begin(.write(count: UInt64(cells.count)), client, deadline)
        var operation = operations.removeValue(forKey: number)!
        let sequence = takeSequence()
        operation.sequence = sequence
        for partition in parts.keys.sorted() {
            let indices = parts[partition]!
            let rows = indices.map {
                bytes.slice(($0 * field.cellBytes)..<(($0 + 1) * field.cellBytes))
            }
            ask(
                metadata.map.shard(of: partition),
                .shardWrite(ShardWrite(space: field.space, partition: partition)),
                bulk: [Bytes(values: indices.map { cells[$0] }), Bytes.joined(rows)],
                part: Int(partition), sequence: sequence, for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    mutating func finish(
        write count: UInt64, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        releaseSequence(operation.sequence)
        if let failure = operation.failure { return fail(operation, failure, into: &directives) }
        let done = Acknowledged(count: count, receipt: receipt(of: operation))
        answer(operation, .acknowledged(done), into: &directives)
    }

    // MARK: Numbers of mutations

    mutating func takeSequence() -> UInt64 {
        nextSequence += 1
        sequencesInFlight.append(nextSequence)
        return nextSequence
    }

    /// The mutation is over or given up: copies of its messages that are still under way must not
    /// count any more.
    mutating func releaseSequence(_ sequence: UInt64) {
        if let index = sequencesInFlight.firstIndex(of: sequence) {
            sequencesInFlight.remove(at: index)
        }
    }
}

/// Which shard is asked for which cells, each once, and where each cell asked for is found in the
/// answers.
struct ReadPlan {
    var shards: [ShardIndex] = []
    var cells: [[CellIndex]] = []
    var sources: [(part: Int, index: Int)] = []

    init(_ asked: [CellIndex], _ field: FieldDefinition, _ map: PartitionMap) {
        let geometry = FieldGeometry(field, partitions: map.partitions)
        var parts: [ShardIndex: Int] = [:]
        var places: [CellIndex: (part: Int, index: Int)] = [:]
        places.reserveCapacity(asked.count)
        sources.reserveCapacity(asked.count)
        for cell in asked {
            if let place = places[cell] {
                sources.append(place)
                continue
            }
            let shard = map.shard(of: geometry.partition(of: cell))
            let part = parts[shard] ?? shards.count
            if part == shards.count {
                parts[shard] = part
                shards.append(shard)
                cells.append([])
            }
            let place = (part: part, index: cells[part].count)
            cells[part].append(cell)
            places[cell] = place
            sources.append(place)
        }
    }
}
