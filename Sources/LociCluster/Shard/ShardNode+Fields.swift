import LociBase
import LociModel
import LociTiering
import LociWire

/// Reads of cells. If all their pages are in dram, the cells are copied out at once, and nothing is
/// held; else a task waits for the pages.
extension ShardNode {
    mutating func read(
        _ read: ShardRead, _ bulk: [Bytes], _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        do throws(LociError) {
            let field = try indexedField(space: read.space, identity: read.identity)
            let cells = bulk[0].values(CellIndex.self)
            let partitions = try check(cells, field)
            let watched = watch(cells, field)
            if let resident = pages.copyCells(cells, field.geometry) {
                answer(resident, cells.count, partitions, read, asker, into: &directives)
                return guess(
                    after: watched, of: field, session: asker.peer ^ mix64(read.session),
                    into: &directives)
            }
            let places = cells.map { field.geometry.place(of: $0) }
            begin(
                .cells(
                    CellsTask(
                        asker: asker, field: field.definition, places: places,
                        partitions: partitions, withTiers: read.withTiers)),
                slowest: read.maxTier ?? .object, into: &directives)
            guess(
                after: watched, of: field, session: asker.peer ^ mix64(read.session),
                into: &directives)
        } catch {
            refuse(asker, error, into: &directives)
        }
    }

    /// - Throws: UNAVAILABLE if the catalog here has no such field (yet, or any more);
    ///   FAILED_PRECONDITION if another field is meant.
    mutating func indexedField(
        space: SpaceID, identity: UInt64
    ) throws(LociError) -> IndexedField {
        guard let partition = workers.keys.min() else { throw unknownSpace(space) }
        if !fields.isOf(workers[partition]!.state.catalog.version) {
            fields.follow(
                workers[partition]!.state.catalog, cluster: settings.clusterID,
                partitions: settings.partitions)
        }
        guard let field = fields.field(space: space) else { throw unknownSpace(space) }
        try field.check(identity: identity, in: settings.clusterID)
        return field
    }

    /// - Returns: How many partitions the cells lie in.
    /// - Throws: INVALID_ARGUMENT if a cell does not live here; RESOURCE_EXHAUSTED if they are more
    ///   than an answer holds.
    private func check(_ cells: [CellIndex], _ field: IndexedField) throws(LociError) -> Int {
        let most = Limits.frameBytes / field.definition.cellBytes
        guard cells.count <= most else {
            throw LociError(
                .resourceExhausted,
                "\(cells.count) cells of \(field.definition.cellBytes) bytes are more than one "
                    + "answer holds.",
                advice: "Ask for at most \(most) at once.")
        }
        var isTouched = [Bool](repeating: false, count: settings.partitions)
        var count = 0
        for cell in cells {
            let partition = Int(field.geometry.partition(of: cell))
            guard cell < field.definition.cellCount, isTouched[partition] || isHome(partition)
            else {
                throw LociError(.invalidArgument, "A cell does not live on this shard.")
            }
            if !isTouched[partition] {
                isTouched[partition] = true
                count += 1
            }
        }
        return count
    }

    private func isHome(_ partition: Int) -> Bool {
        workers.index(forKey: PartitionIndex(partition)) != nil
    }

    private func answer(
        _ cells: ResidentCells, _ count: Int, _ partitions: Int, _ read: ShardRead,
        _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        let pageBytes = fields.field(space: read.space)!.geometry.pageBytes
        var receipt = Receipt()
        receipt.partitions = UInt32(partitions)
        receipt.pagesTouched = UInt64(cells.pages)
        receipt.tiers[.dram].hits = UInt64(cells.pages)
        receipt.tiers[.dram].bytes = UInt64(cells.pages * pageBytes)
        let tiers =
            read.withTiers ? Bytes(repeating: Tier.dram.code, count: count) : Bytes()
        answer(
            asker,
            .cells(
                CellsAnswer(
                    cellBytes: UInt32(cells.bytes.count / count), count: UInt64(count),
                    receipt: finish(receipt, asker))),
            bulk: CellsFrames.bulk(bytes: cells.bytes, skipped: [], tiers: tiers, missing: []),
            into: &directives)
    }

    mutating func run(
        _ cells: inout CellsTask, _ task: inout PageTask, into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        if cells.asked > cells.done { cells.look(task.held, from: task.sources) }
        if !cells.isDone { return cells.plan(most: roundBytes) }
        task.receipt.partitions = UInt32(cells.partitions)
        answer(
            cells.asker,
            .cells(
                CellsAnswer(
                    cellBytes: UInt32(cells.field.cellBytes), count: UInt64(cells.places.count),
                    receipt: finish(task.receipt, cells.asker))),
            bulk: cells.answer, into: &directives)
        return []
    }
}
