import LociBase
import LociModel
import LociSearch
import LociTiering
import LociWire

/// Catalog versions that all partitions must have durable before the answer.
struct PendingInstall: Sendable {
    var asker: Asker
    var remaining: Int
}

/// From a mutation to its record, its durability, its effects and its answer.
extension ShardNode {
    mutating func mutate(
        _ message: Message, _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        if case .settle(let settle) = message.body {
            return self.settle(settle, message, into: &directives)
        }
        guard guardian.admits(message.header) else {
            rejectedMessages += 1
            return
        }
        do throws(LociError) {
            switch message.body {
            case .shardWrite(let write):
                try enqueue(
                    try record(write, message.bulk), write.partition, .acknowledge(asker))
            case .shardMemoryWrite(let write):
                try self.write(write, message.bulk, asker, into: &directives)
            case .claim(let claim) where !claim.isLookup:
                let record = try record(claim, message.bulk, message.header.sequence)
                try enqueue(record, claim.partition, .claimed(asker))
            case .put(let put):
                try enqueue(
                    try record(put, message.bulk, message.header.sequence), put.partition,
                    .acknowledge(asker))
            case .remove(let remove):
                let ids = message.bulk[0].values(PointID.self)
                _ = try slice(remove.space, remove.partition)
                guardian.noteRemoval(
                    of: ids, remove.space, remove.partition, sequence: message.header.sequence)
                try enqueue(
                    .remove(space: remove.space, sequence: message.header.sequence, ids: ids),
                    remove.partition, .acknowledge(asker))
            case .plant(let plant):
                let centroids = message.bulk[0].values(Float.self)
                let definition = try slice(plant.space, plant.partition).definition
                guard centroids.count % definition.dimension == 0 else {
                    throw LociError(.invalidArgument, "Centroids have another dimension.")
                }
                try enqueue(
                    .plant(
                        space: plant.space, generation: plant.generation, centroids: centroids),
                    plant.partition, .acknowledge(asker))
            default:
                rejectedMessages += 1
            }
        } catch {
            refuse(asker, error, into: &directives)
        }
        commitAll(into: &directives)
    }

    /// Settling is never awaited, and a late one is recognised by its sequence alone.
    private mutating func settle(
        _ settle: Settle, _ message: Message, into directives: inout [ShardDirective]
    ) {
        let ids = message.bulk[0].values(PointID.self)
        guard workers[settle.partition]?.state.slices[settle.space] != nil,
            let targets = try? TargetList(encoded: message.bulk[1], count: ids.count)
        else { return }
        let record = LogRecord.settle(
            space: settle.space, sequence: message.header.sequence, ids: ids,
            targets: targets.items)
        try? enqueue(record, settle.partition, .none)
        commitAll(into: &directives)
    }

    mutating func install(
        _ install: Install, _ bulk: [Bytes], _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        do throws(LociError) {
            let catalog = try Catalog(encoded: bulk[0])
            nextTask += 1
            installs[nextTask] = PendingInstall(asker: asker, remaining: workers.count)
            defer { commitAll(into: &directives) }
            for partition in workers.keys.sorted() {
                do throws(LociError) {
                    try enqueue(.install(catalog), partition, .install(nextTask))
                } catch {
                    installs[nextTask] = nil
                    throw error
                }
            }
        } catch {
            refuse(asker, error, into: &directives)
        }
    }

    // MARK: Checks

    private func slice(
        _ space: SpaceID, _ partition: PartitionIndex
    ) throws(LociError) -> CollectionSlice {
        guard let slice = workers[partition]?.state.slices[space] else {
            throw unknownSpace(space)
        }
        return slice
    }

    private func record(
        _ claim: Claim, _ bulk: [Bytes], _ sequence: UInt64
    ) throws(LociError) -> LogRecord {
        let directory = try slice(claim.space, claim.partition).directory
        let ids = bulk[0].values(PointID.self)
        let targets = try TargetList(encoded: bulk[1], count: ids.count).items
        for (id, new) in zip(ids, targets) {
            let all = Set(directory.targets(of: id)).union(new)
            guard all.count <= TargetList.targetsPerPoint else {
                throw LociError(
                    .resourceExhausted,
                    "Too many interrupted writes left copies of point \(id) behind.",
                    advice: "Delete the point, then write it again.")
            }
        }
        return .claim(space: claim.space, sequence: sequence, ids: ids, targets: targets)
    }

    private func record(
        _ write: ShardWrite, _ bulk: [Bytes]
    ) throws(LociError) -> LogRecord {
        guard let worker = workers[write.partition],
            let field = worker.state.catalog.field(space: write.space)
        else { throw unknownSpace(write.space) }
        let cells = bulk[0].values(CellIndex.self)
        let geometry = FieldGeometry(field, partitions: settings.partitions)
        let isWithin = cells.allSatisfy {
            $0 < field.cellCount && geometry.partition(of: $0) == write.partition
        }
        guard isWithin, bulk[1].count == cells.count * field.cellBytes else {
            throw LociError(.invalidArgument, "Cells or their bytes do not belong to the field.")
        }
        return .cells(space: write.space, cells: cells, bytes: bulk[1])
    }

    private func record(
        _ put: Put, _ bulk: [Bytes], _ sequence: UInt64
    ) throws(LociError) -> LogRecord {
        let definition = try slice(put.space, put.partition).definition
        let ids = bulk[0].values(PointID.self)
        let flags = bulk[1].values(UInt8.self)
        guard bulk[2].count == ids.count * definition.rowBytes, flags.count == ids.count
        else { throw LociError(.invalidArgument, "Points and their vectors do not match.") }
        let payloads = try PayloadList(lengths: bulk[3], blob: bulk[4], count: ids.count)
        var points = PutPoints(
            ids: ids, isPrimary: flags, vectors: bulk[2], payloads: payloads.items)
        let outdated = ids.indices.filter {
            guardian.isOutdated(ids[$0], put.space, put.partition, sequence: sequence)
        }
        if !outdated.isEmpty {
            points = points.without(outdated, rowBytes: definition.rowBytes)
        }
        return .put(
            space: put.space, sequence: sequence, generation: put.generation, points: points)
    }

    mutating func enqueue(
        _ record: LogRecord, _ partition: PartitionIndex, _ reply: PartitionWorker.Reply
    ) throws(LociError) {
        guard let worker = workers[partition] else {
            throw LociError(
                .unavailable, "Partition \(partition) does not live on shard \(settings.shard).")
        }
        let encoded = record.encoded
        guard worker.hasRoom(for: encoded) else {
            throw LociError(
                .resourceExhausted,
                "Shard \(settings.shard) has \(worker.queue.count) writes of "
                    + "\(worker.queuedBytes) bytes waiting for its disk.",
                advice: "Send fewer at once, or try again later.")
        }
        workers[partition]!.append(.init(record: record, encoded: encoded, reply: reply))
    }

    // MARK: Commit and apply

    mutating func commitAll(into directives: inout [ShardDirective]) {
        for partition in workers.keys.sorted() { commit(partition, into: &directives) }
    }

    /// Starts the next group of a partition unless one is under way: first the splits that are
    /// ready, computed from the state just as it will be when they are applied, then the queue.
    private mutating func commit(
        _ partition: PartitionIndex, into directives: inout [ShardDirective]
    ) {
        guard workers[partition]!.inFlight.isEmpty,
            !holdForCut(partition, into: &directives)
        else { return }
        var group = readyRewrites(partition)
        group += workers[partition]!.takeGroup()
        guard !group.isEmpty else { return }
        workers[partition]!.inFlight = group
        directives.append(.commit(partition, group.map(\.encoded)))
    }

    mutating func committed(
        _ partition: PartitionIndex, _ result: Result<LSN, LociError>,
        into directives: inout [ShardDirective]
    ) {
        switch result {
        case .success(let lsn):
            workers[partition]!.durableEnd = lsn
            applying.append(partition)
            applyDurable(partition, into: &directives)
        case .failure(let error) where error.code == .resourceExhausted:
            let group = workers[partition]!.inFlight
            workers[partition]!.inFlight = []
            for pending in group { giveUp(pending, partition, error, into: &directives) }
            commit(partition, into: &directives)
        case .failure(let error):
            directives.append(.stop(error))
        }
    }

    /// Goes on with the partition that has waited longest for its durable records to be applied.
    mutating func applySome(into directives: inout [ShardDirective]) {
        if let partition = applying.first { applyDurable(partition, into: &directives) }
    }

    /// Applies durable records, as far as one event goes; after the last of a group comes the next.
    private mutating func applyDurable(
        _ partition: PartitionIndex, into directives: inout [ShardDirective]
    ) {
        applying.removeAll { $0 == partition }
        var effort = 0
        var group = workers[partition]!.inFlight[...]
        while effort < settings.pointsPerTurn, let next = group.popFirst() {
            let (first, rest) = next.cut(after: settings.pointsPerTurn - effort)
            effort += first.record.effort
            let done = apply(first, partition, into: &directives)
            if var rest {
                rest.done = done
                group.insert(rest, at: group.startIndex)
            }
        }
        workers[partition]!.inFlight = Array(group)
        guard group.isEmpty else {
            applying.append(partition)
            return
        }
        let end = workers[partition]!.durableEnd!
        workers[partition]!.durableEnd = nil
        workers[partition]!.logBytes += end - workers[partition]!.lsn
        workers[partition]!.lsn = end
        loadRewrites(partition, into: &directives)
        checkpointIfDue(partition, into: &directives)
        commit(partition, into: &directives)
    }

    /// Applies all that is durable, at once: nothing else is to come.
    mutating func applyEverything(into directives: inout [ShardDirective]) {
        while !applying.isEmpty { applySome(into: &directives) }
    }

    /// - Returns: What it came to, with the part that was applied before.
    private mutating func apply(
        _ pending: PartitionWorker.Pending, _ partition: PartitionIndex,
        into directives: inout [ShardDirective]
    ) -> PartitionWorker.Done {
        var before: [[UInt16]] = []
        if case .claimed = pending.reply, case .claim(let space, _, let ids, _) = pending.record {
            let directory = workers[partition]!.state.slices[space]?.directory
            before = ids.map { directory?.targets(of: $0) ?? [] }
        }
        var effects = PartitionState.Effects()
        workers[partition]!.state.apply(pending.record, effects: &effects)
        for write in effects.writes {
            pages.patch(write.address, at: write.offset, with: write.bytes)
            directives.append(.write(write))
        }
        if !effects.dropped.isEmpty {
            pages.drop(spaces: Set(effects.dropped))
            prefetching.drop(spaces: Set(effects.dropped), at: now, &pages)
            for space in effects.dropped { directives.append(.drop(partition, space)) }
            // Their disk space comes back with a checkpoint.
            workers[partition]!.wantsCheckpoint = true
        }
        if let space = pending.record.collection, !effects.placed.isEmpty {
            workers[partition]!.note(effects.placed, space)
        }
        if let key = pending.record.rewriteKey {
            let aftermath = workers[partition]!.afterSplit[key]
            workers[partition]!.endRewrite(key)
            if let aftermath { beginReassignment(aftermath, key, partition, into: &directives) }
        }
        var done = pending.done
        done.count += effects.count
        done.pagesTouched += UInt64(Set(effects.writes.map(\.address)).count)
        reply(pending, partition, done, before, into: &directives)
        return done
    }

    private mutating func reply(
        _ pending: PartitionWorker.Pending, _ partition: PartitionIndex,
        _ done: PartitionWorker.Done, _ before: [[UInt16]],
        into directives: inout [ShardDirective]
    ) {
        switch pending.reply {
        case .acknowledge(let asker):
            var receipt = Receipt()
            receipt.partitions = 1
            // A write lands in memory; its page goes to the file later.
            receipt.pagesTouched = done.pagesTouched
            receipt.tiers[.dram].hits = receipt.pagesTouched
            var version: UInt64 = 0
            switch pending.record {
            case .put(let space, _, _, _), .plant(let space, _, _):
                version = workers[partition]!.state.slices[space]?.locationsVersion ?? 0
            default: break
            }
            let acknowledged = Acknowledged(
                count: done.count, receipt: finish(receipt, asker), locationsVersion: version)
            answer(asker, .acknowledged(acknowledged), into: &directives)
        case .claimed(let asker):
            answer(
                asker, .claimed(Claimed(count: UInt32(before.count))),
                bulk: [TargetList(before).encoded], into: &directives)
        case .install(let number):
            installs[number]?.remaining -= 1
            guard let install = installs[number], install.remaining == 0 else { return }
            installs[number] = nil
            answer(
                install.asker, .acknowledged(Acknowledged(count: catalogVersion)),
                into: &directives)
        case .memoryWritten(let askers, let receipt):
            memoryWritten(askers, receipt, partition, into: &directives)
        case .none: break
        }
    }

    /// The disk is full: nothing of the group was written.
    private mutating func giveUp(
        _ pending: PartitionWorker.Pending, _ partition: PartitionIndex, _ error: LociError,
        into directives: inout [ShardDirective]
    ) {
        switch pending.reply {
        case .acknowledge(let asker), .claimed(let asker):
            refuse(asker, error, into: &directives)
        case .install(let number):
            if let install = installs.removeValue(forKey: number) {
                refuse(install.asker, error, into: &directives)
            }
        case .memoryWritten(let askers, _):
            memoryWriteFailed(askers, error, partition, into: &directives)
        case .none: break
        }
        if let key = pending.record.rewriteKey { workers[partition]!.endRewrite(key) }
    }
}

extension LogRecord {
    /// How much there is to do when it is applied, about: 1 for a point that is put.
    fileprivate var effort: Int {
        switch self {
        case .put(_, _, _, let points): points.ids.count
        case .move(_, let move): 1 + move.cells.count / 2
        case .split(_, let split):
            split.children.reduce(1) { $0 + $1.cells.count / 16 }
        case .cells(_, let cells, _): 1 + cells.count / 64
        case .claim(_, _, let ids, _), .settle(_, _, let ids, _), .remove(_, _, let ids):
            1 + ids.count / 16
        case .install, .plant: 1
        }
    }

    /// The collection whose codes it may add to.
    fileprivate var collection: SpaceID? {
        switch self {
        case .put(let space, _, _, _), .move(let space, _): space
        default: nil
        }
    }

    /// The posting that it rewrites or gives up.
    fileprivate var rewriteKey: PartitionWorker.RewriteKey? {
        switch self {
        case .split(let space, let split): .init(space: space, location: split.location)
        case .move(let space, let move):
            move.retiring.map { .init(space: space, location: $0) }
        default: nil
        }
    }
}

extension PutPoints {
    func without(_ outdated: [Int], rowBytes: Int) -> PutPoints {
        let gone = Set(outdated)
        let kept = ids.indices.filter { !gone.contains($0) }
        let rows = kept.map { vectors.slice(($0 * rowBytes)..<(($0 + 1) * rowBytes)) }
        return PutPoints(
            ids: kept.map { ids[$0] }, isPrimary: kept.map { isPrimary[$0] },
            vectors: Bytes.joined(rows), payloads: kept.map { payloads[$0] })
    }
}
