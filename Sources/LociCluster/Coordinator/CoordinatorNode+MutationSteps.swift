import LociBase
import LociKernels
import LociModel
import LociPlacement
import LociSearch
import LociText
import LociWire

/// Upserts, deletions and moves of points. First the partitions of the points are chosen, a few
/// points an event, so that queries have their turn meanwhile. Then the steps, each durable before
/// the next:
///
/// 1. claim: the directory of each id learns which partitions will hold the point, and says which
///    may hold an older copy;
/// 2. put: the new copies are stored;
/// 3. pause: readers that began before the new copies were there finish, so that none of them can
///    come too early for the new copy and too late for the old one;
/// 4. remove: older copies elsewhere go; then the client is answered;
/// 5. settle: the directory names just the partitions that hold the point. Nobody waits for it.
///
/// Interrupted anywhere, the point is still there, old or new, and the directory names every copy
/// and that the entry is open. Such points are mended: brought home like those that move to newer
/// hard locations, in the version that is the newest of all copies.
extension CoordinatorNode {
    mutating func enter(
        _ mutation: MutationOperation, _ client: Operation.Client?, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) {
        let number = begin(.mutation(mutation), client, deadline)
        waiting.append(number)
        admitWaiting(into: &directives)
    }

    /// Lets mutations begin whose ids are free, first come first served.
    mutating func admitWaiting(into directives: inout [CoordinatorDirective]) {
        if isHolding { return }
        var still: [UInt64] = []
        var wanted: Set<LockKey> = []
        let queue = waiting
        waiting = []
        for number in queue {
            guard var operation = operations[number],
                case .mutation(var mutation) = operation.kind
            else { continue }
            let keys = mutation.ids.map { LockKey(space: mutation.space, id: $0) }
            // An earlier one that waits goes first.
            if keys.contains(where: { locked.contains($0) || wanted.contains($0) }) {
                wanted.formUnion(keys)
                still.append(number)
                continue
            }
            locked.formUnion(keys)
            operations[number] = nil
            operation.sequence = takeSequence()
            mutation.sequence = operation.sequence
            claim(
                &mutation, &operation, isLookup: mutation.purpose.isBringingHome,
                into: &directives)
            resume(operation, into: &directives)
        }
        waiting = still + waiting
    }

    /// Chooses where the points belong, then claims them; or looks up where they are.
    private mutating func claim(
        _ mutation: inout MutationOperation, _ operation: inout Operation, isLookup: Bool,
        into directives: inout [CoordinatorDirective]
    ) {
        mutation.generation = collections[mutation.space]?.placement ?? 0
        mutation.previous = Array(repeating: [], count: mutation.ids.count)
        if isLookup {
            mutation.targets = Array(repeating: [], count: mutation.ids.count)
            sendClaims(&mutation, &operation, isLookup: true, into: &directives)
        } else {
            mutation.targets = []
            mutation.targets.reserveCapacity(mutation.ids.count)
            mutation.phase = .choosing
            goOn(choosing: &mutation, &operation, into: &directives)
        }
    }

    private mutating func goOn(
        choosing mutation: inout MutationOperation, _ operation: inout Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        let first = mutation.targets.count
        for index in first..<min(first + tuning.pointsPerTurn, mutation.ids.count) {
            mutation.targets.append(targets(of: index, mutation))
        }
        if mutation.targets.count == mutation.ids.count {
            return sendClaims(&mutation, &operation, isLookup: false, into: &directives)
        }
        operation.outstanding = 1
        operation.kind = .mutation(mutation)
        // Later ones wait until this one is done.
        choosing.insert(operation.number, at: first == 0 ? choosing.count : 0)
    }

    /// Goes on with the mutation that came first.
    mutating func goOnChoosing(into directives: inout [CoordinatorDirective]) {
        while !choosing.isEmpty {
            // One that has passed its deadline is gone.
            guard var operation = operations.removeValue(forKey: choosing.removeFirst()) else {
                continue
            }
            guard case .mutation(var mutation) = operation.kind else {
                preconditionFailure("only a mutation chooses")
            }
            operation.outstanding = 0
            goOn(choosing: &mutation, &operation, into: &directives)
            return resume(operation, into: &directives)
        }
    }

    private mutating func sendClaims(
        _ mutation: inout MutationOperation, _ operation: inout Operation, isLookup: Bool,
        into directives: inout [CoordinatorDirective]
    ) {
        mutation.phase = isLookup ? .looking : .claiming
        let groups = Dictionary(grouping: mutation.ids.indices) {
            Directory.partition(of: mutation.ids[$0], partitions: metadata.map.partitions)
        }
        mutation.parts = []
        for partition in groups.keys.sorted() {
            let members = groups[partition]!
            let part = mutation.parts.count
            mutation.parts.append(members)
            ask(
                metadata.map.shard(of: partition),
                .claim(Claim(space: mutation.space, partition: partition, isLookup: isLookup)),
                bulk: [
                    Bytes(values: members.map { mutation.ids[$0] }),
                    TargetList(members.map { mutation.targets[$0] }).encoded,
                ], part: part, sequence: isLookup ? 0 : mutation.sequence, for: &operation,
                into: &directives)
        }
        operation.kind = .mutation(mutation)
    }

    private static let copiesPerFetch = 32

    /// Fetches every copy that the directories name.
    private mutating func gather(
        _ mutation: inout MutationOperation, _ operation: inout Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        mutation.phase = .gathering
        let groups = groupByPartition(mutation.previous)
        operation.kind = .mutation(mutation)
        for partition in groups.keys.sorted() {
            // Few at a time: with the largest payloads and vectors they still fit a message.
            let members = groups[partition]!
            for start in stride(from: 0, to: members.count, by: Self.copiesPerFetch) {
                let some = members[start..<min(start + Self.copiesPerFetch, members.count)]
                ask(
                    metadata.map.shard(of: PartitionIndex(partition)),
                    .fetch(
                        Fetch(
                            space: mutation.space, partition: PartitionIndex(partition),
                            withVector: true)),
                    bulk: [Bytes(values: some.map { mutation.ids[$0] })],
                    part: Int(partition), for: &operation, into: &directives)
            }
        }
    }

    /// Of all copies the newest is what the point is. A point without any is forgotten.
    private func choose(_ mutation: inout MutationOperation) {
        let rowBytes = mutation.definition.rowBytes
        let found = mutation.ids.map { mutation.gathered[$0] }
        mutation.vectors = Bytes.joined(found.map { $0?.vector ?? Bytes(zeros: rowBytes) })
        mutation.payloads = found.map { $0?.payload ?? Bytes() }
    }

    /// Partitions for a point: of the nearest hard location, and a second one if the point lies on
    /// its border. Before anything was learned, ids are spread evenly.
    private func targets(of index: Int, _ mutation: MutationOperation) -> [UInt16] {
        let isAbsent =
            mutation.purpose == .delete
            || (mutation.purpose.isBringingHome && mutation.gathered[mutation.ids[index]] == nil)
        if isAbsent { return [] }
        let rowBytes = mutation.definition.rowBytes
        let row = mutation.vectors.slice((index * rowBytes)..<((index + 1) * rowBytes))
        let state = collections[mutation.space]
        let placement = mutation.generation
        let byID = UInt16(
            Directory.partition(of: mutation.ids[index], partitions: metadata.map.partitions))
        guard let state, placement > 0 else { return [byID] }
        let address = state.locations.address(
            of: row.values(), metric: .l2, most: tuning.copies * 8,
            epsilon: tuning.copyEpsilon, generation: placement)
        var targets: [UInt16] = []
        for active in address where !targets.contains(UInt16(active.key.partition)) {
            targets.append(UInt16(active.key.partition))
            if targets.count == tuning.copies { break }
        }
        return targets.isEmpty ? [byID] : targets
    }

    private mutating func put(
        _ mutation: inout MutationOperation, _ operation: inout Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        mutation.phase = .putting
        let groups = groupByPartition(mutation.targets)
        let rowBytes = mutation.definition.rowBytes
        for partition in groups.keys.sorted() {
            for members in messages(of: groups[partition]!, mutation, rowBytes: rowBytes) {
                let rows = members.map {
                    mutation.vectors.slice(($0 * rowBytes)..<(($0 + 1) * rowBytes))
                }
                let isPrimary = members.map {
                    UInt8(mutation.targets[$0][0] == partition ? 1 : 0)
                }
                let payloads = PayloadList(members.map { mutation.payloads[$0] })
                ask(
                    metadata.map.shard(of: PartitionIndex(partition)),
                    .put(
                        Put(
                            space: mutation.space, partition: PartitionIndex(partition),
                            generation: mutation.generation)),
                    bulk: [
                        Bytes(values: members.map { mutation.ids[$0] }), Bytes(values: isPrimary),
                        Bytes.joined(rows), payloads.lengths, payloads.blob,
                    ], part: Int(partition), sequence: mutation.sequence, for: &operation,
                    into: &directives)
            }
        }
        operation.kind = .mutation(mutation)
    }

    /// Points in groups whose vectors and payloads each fit a frame.
    private func messages(
        of members: [Int], _ mutation: MutationOperation, rowBytes: Int
    ) -> [[Int]] {
        var groups: [[Int]] = [[]]
        var vectors = 0
        var payloads = 0
        for member in members {
            vectors += rowBytes
            payloads += mutation.payloads[member].count
            if max(vectors, payloads) > Limits.frameBytes, !groups[groups.count - 1].isEmpty {
                groups.append([])
                vectors = rowBytes
                payloads = mutation.payloads[member].count
            }
            groups[groups.count - 1].append(member)
        }
        return groups
    }

    private mutating func remove(
        _ mutation: inout MutationOperation, _ operation: inout Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        mutation.phase = .removing
        let groups = groupByPartition(outdated(mutation))
        for partition in groups.keys.sorted() {
            ask(
                metadata.map.shard(of: PartitionIndex(partition)),
                .remove(Remove(space: mutation.space, partition: PartitionIndex(partition))),
                bulk: [Bytes(values: groups[partition]!.map { mutation.ids[$0] })],
                part: Int(partition), sequence: mutation.sequence, for: &operation,
                into: &directives)
        }
        operation.kind = .mutation(mutation)
    }

    private func groupByPartition(_ lists: [[UInt16]]) -> [UInt16: [Int]] {
        var groups: [UInt16: [Int]] = [:]
        for (index, list) in lists.enumerated() {
            for partition in list { groups[partition, default: []].append(index) }
        }
        return groups
    }

    /// A step's parts are all in: the next step.
    mutating func advance(
        _ finished: MutationOperation, _ done: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        var mutation = finished
        var operation = done
        if operation.failure != nil || mutation.phase == .waiting {
            return end(mutation, operation, into: &directives)
        }
        switch mutation.phase {
        case .waiting, .choosing: return
        case .looking: gather(&mutation, &operation, into: &directives)
        case .gathering:
            choose(&mutation)
            claim(&mutation, &operation, isLookup: false, into: &directives)
        case .claiming: put(&mutation, &operation, into: &directives)
        case .putting: pause(&mutation, &operation)
        case .pausing: remove(&mutation, &operation, into: &directives)
        case .removing: return end(mutation, operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    private mutating func end(
        _ mutation: MutationOperation, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        if mutation.phase != .waiting {
            for id in mutation.ids { locked.remove(LockKey(space: mutation.space, id: id)) }
            releaseSequence(mutation.sequence)
        }
        if let failure = operation.failure {
            fail(operation, failure, into: &directives)
        } else {
            postSettle(mutation, into: &directives)
            let count =
                mutation.purpose == .delete ? mutation.count : UInt64(mutation.ids.count)
            let acknowledged = Acknowledged(count: count, receipt: receipt(of: operation))
            answer(operation, .acknowledged(acknowledged), into: &directives)
        }
        if mutation.purpose != .delete,
            mutation.generation < collections[mutation.space]?.placement ?? 0
        {
            placedByOlder(mutation.space)
        }
        switch mutation.purpose {
        case .move(let partition):
            moved(mutation, partition, hasFailed: operation.failure != nil)
        case .mend: collections[mutation.space]?.isMending = false
        case .upsert, .delete: break
        }
        admitWaiting(into: &directives)
    }

    /// Points were placed by hard locations that are not the newest any more: they move after all.
    private mutating func placedByOlder(_ space: SpaceID) {
        if case .resting = collections[space]!.learning {
            collections[space]!.learning = .moving(0, from: 0)
        } else {
            collections[space]!.mustMoveAgain = true
        }
    }

    private mutating func postSettle(
        _ mutation: MutationOperation, into directives: inout [CoordinatorDirective]
    ) {
        let groups = Dictionary(grouping: mutation.ids.indices) {
            Directory.partition(of: mutation.ids[$0], partitions: metadata.map.partitions)
        }
        for partition in groups.keys.sorted() {
            let shard = metadata.map.shard(of: partition)
            guard sessions[Int(shard)].isUp else { continue }
            let members = groups[partition]!
            nextRequest += 1
            var header = shardHeader(shard, request: nextRequest)
            header.sequence = mutation.sequence
            directives.append(
                .send(
                    shard,
                    Message(
                        header, .settle(Settle(space: mutation.space, partition: partition)),
                        bulk: [
                            Bytes(values: members.map { mutation.ids[$0] }),
                            TargetList(members.map { mutation.targets[$0] }).encoded,
                        ])))
        }
    }
}
