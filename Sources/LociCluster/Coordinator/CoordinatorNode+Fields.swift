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
        let indexed = try indexedField(named: read.field, identity: read.identity)
        let field = indexed.definition
        let cells = try cells(
            first: read.first, count: read.count, bulk: read.isScattered ? bulk[0] : nil, field)
        guard cells.count * field.cellBytes <= Limits.frameBytes else {
            throw LociError(
                .resourceExhausted,
                "\(cells.count) cells of \(field.cellBytes) bytes are more than one answer holds.",
                advice: "Ask for at most \(Limits.frameBytes / field.cellBytes) at once.")
        }
        let plan = ReadPlan(cells, indexed.geometry, metadata.map, isScattered: read.isScattered)
        let number = begin(.read(ReadOperation(read, field, plan)), client, deadline)
        var operation = operations.removeValue(forKey: number)!
        let body = Body.shardRead(
            ShardRead(
                space: field.space, maxTier: read.maxTier, identity: read.identity,
                withTiers: read.withTiers, session: client.peer))
        for (part, shard) in plan.shards.enumerated() {
            ask(
                shard, body, bulk: [Bytes(values: plan.cells[part])], part: part, for: &operation,
                into: &directives)
        }
        resume(operation, into: &directives)
        hint(
            after: cells, isRange: !read.isScattered, indexed, session: client.peer,
            into: &directives)
    }

    /// - Throws: NOT_FOUND; FAILED_PRECONDITION if another field is meant.
    mutating func indexedField(
        named name: String, identity: UInt64
    ) throws(LociError) -> IndexedField {
        if !fields.isOf(metadata.catalog.version) {
            fields.follow(
                metadata.catalog, cluster: metadata.clusterID,
                partitions: metadata.map.partitions)
        }
        guard let field = fields.field(named: name) else { throw unknownField(name) }
        try field.check(identity: identity, in: metadata.clusterID)
        return field
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
        if bulk[0].count == read.counts[part] * read.field.cellBytes {
            read.parts[part] = bulk[0]
            if bulk.count > 1, !bulk[1].isEmpty {
                read.skipped.formUnion(
                    bulk[1].values(UInt32.self).map { RowPlace(part: part, row: Int($0)) })
            }
            if read.withTiers, bulk.count > 2, !bulk[2].isEmpty { read.tiers[part] = bulk[2] }
        } else {
            operation.note(LociError(.internal, "A shard answered other cells than asked for."))
        }
        operation.kind = .read(read)
    }

    mutating func finish(
        _ read: ReadOperation, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        if let failure = operation.failure {
            // Also if all parts are missing: a call is cut into requests, of which one may have all
            // of its cells on the shard that is down. The client knows the whole call.
            let isPartial = read.allowsPartial && failure.excusesPartialAnswer
            if !isPartial { return fail(operation, failure, into: &directives) }
        }
        let cells = CellsAnswer(
            cellBytes: UInt32(read.field.cellBytes), count: UInt64(read.sources.count),
            receipt: receipt(of: operation))
        answer(operation, .cells(cells), bulk: read.answer, into: &directives)
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
