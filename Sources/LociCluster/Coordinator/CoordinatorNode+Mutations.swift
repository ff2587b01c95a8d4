import LociBase
import LociKernels
import LociModel
import LociPlacement
import LociSearch
import LociText
import LociWire

/// Upserts, deletions and moves of points. The steps, each durable before the next:
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
    mutating func upsert(
        _ upsert: Upsert, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let definition = try collection(named: upsert.collection)
        let count = Int(upsert.count)
        let ids = bulk[0].values(PointID.self)
        var payloads: [Bytes]
        var vectors: Bytes
        if upsert.isText {
            let texts = try PayloadList(lengths: bulk[1], blob: bulk[2], count: count).items
            payloads = try PayloadList(lengths: bulk[3], blob: bulk[4], count: count).items
            vectors = try encode(texts, definition)
        } else {
            payloads = try PayloadList(lengths: bulk[2], blob: bulk[3], count: count).items
            vectors = try checked(bulk[1], count: count, definition)
        }
        let kept = lastOfEach(ids)
        if kept.count < count {
            let rowBytes = definition.rowBytes
            vectors = Bytes.joined(
                kept.map { vectors.slice(($0 * rowBytes)..<(($0 + 1) * rowBytes)) })
            payloads = kept.map { payloads[$0] }
        }
        let mutation = MutationOperation(
            space: definition.space, definition: definition, purpose: .upsert,
            ids: kept.map { ids[$0] }, vectors: vectors, payloads: payloads)
        enter(mutation, client, deadline, into: &directives)
    }

    mutating func delete(
        _ deletion: DeletePoints, _ bulk: [Bytes], _ client: Operation.Client,
        _ deadline: Instant, into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let definition = try collection(named: deletion.collection)
        let ids = bulk[0].values(PointID.self)
        let mutation = MutationOperation(
            space: definition.space, definition: definition, purpose: .delete,
            ids: lastOfEach(ids).map { ids[$0] }, vectors: Bytes(), payloads: [])
        enter(mutation, client, deadline, into: &directives)
    }

    /// Of an id that comes several times in one request, the last counts.
    private func lastOfEach(_ ids: [PointID]) -> [Int] {
        var last: [PointID: Int] = [:]
        for (index, id) in ids.enumerated() { last[id] = index }
        return last.count == ids.count ? Array(ids.indices) : last.values.sorted()
    }

    /// Vectors as they are stored: of the right dimension, for cosine normalised.
    private func checked(
        _ vectors: Bytes, count: Int, _ definition: CollectionDefinition
    ) throws(LociError) -> Bytes {
        guard !definition.isText else {
            throw LociError(
                .invalidArgument, "The collection '\(definition.name)' holds text.",
                advice: "Send texts; the coordinator encodes them.")
        }
        guard vectors.count == count * definition.rowBytes else {
            throw LociError(
                .invalidArgument,
                "The vectors have dimension \(vectors.count / 4 / max(count, 1)); "
                    + "the collection '\(definition.name)' has \(definition.dimension).",
                advice: "`loci collection info \(definition.name)` shows what it takes.")
        }
        guard definition.metric == .cosine else { return vectors }
        var normalised: [Float] = []
        normalised.reserveCapacity(count * definition.dimension)
        for index in 0..<count {
            let start = index * definition.rowBytes
            var row = vectors.slice(start..<(start + definition.rowBytes)).values(Float.self)
            try normalise(&row)
            normalised += row
        }
        return Bytes(values: normalised)
    }

    func normalise(_ vector: inout [Float]) throws(LociError) {
        let norm = Kernels.normalize(&vector)
        guard norm > 0, norm.isFinite else {
            throw LociError(
                .invalidArgument, "A vector of length \(norm) has no direction.",
                advice: "The metric 'cosine' needs vectors that are not zero.")
        }
    }

    private mutating func encode(
        _ texts: [Bytes], _ definition: CollectionDefinition
    ) throws(LociError) -> Bytes {
        guard var encoder = collections[definition.space]?.encoder else {
            throw LociError(
                .invalidArgument, "The collection '\(definition.name)' holds vectors, not text.",
                advice: "Create one with: loci collection create NAME --text")
        }
        collections[definition.space]!.encoder = nil
        let strings = texts.map(\.string)
        for string in strings { encoder.learn(string) }
        var rows: [Float] = []
        rows.reserveCapacity(texts.count * definition.dimension)
        for string in strings { rows += encoder.encode(string, isQuery: false) }
        collections[definition.space]!.encoder = encoder
        collections[definition.space]!.isRarityUnsaved = true
        return Bytes(values: rows)
    }

    // MARK: Steps

    mutating func enter(
        _ mutation: MutationOperation, _ client: Operation.Client?, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) {
        let number = begin(.mutation(mutation), client, deadline)
        waiting.append(number)
        admitWaiting(into: &directives)
    }

    /// Lets mutations begin whose ids are free, first come first served.
    private mutating func admitWaiting(into directives: inout [CoordinatorDirective]) {
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

    private mutating func claim(
        _ mutation: inout MutationOperation, _ operation: inout Operation, isLookup: Bool,
        into directives: inout [CoordinatorDirective]
    ) {
        mutation.phase = isLookup ? .looking : .claiming
        mutation.generation = collections[mutation.space]?.placement ?? 0
        mutation.targets = (0..<mutation.ids.count).map {
            isLookup ? [] : targets(of: $0, mutation)
        }
        mutation.previous = Array(repeating: [], count: mutation.ids.count)
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
        guard let state, placement > 0 else {
            return [
                UInt16(
                    Directory.partition(
                        of: mutation.ids[index], partitions: metadata.map.partitions))
            ]
        }
        let generations = state.locations.generations
        let address = state.locations.address(
            of: row.values(), metric: .l2, most: tuning.copies * 8,
            epsilon: tuning.copyEpsilon, among: { generations[$0] == placement })
        var targets: [UInt16] = []
        for active in address where !targets.contains(UInt16(active.key.partition)) {
            targets.append(UInt16(active.key.partition))
            if targets.count == tuning.copies { break }
        }
        return targets
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

    /// Partitions of older copies, for each point.
    private func outdated(_ mutation: MutationOperation) -> [[UInt16]] {
        zip(mutation.previous, mutation.targets).map { previous, targets in
            previous.filter { !targets.contains($0) }
        }
    }

    /// Waits for readers if there is anything to remove that has a newer copy elsewhere.
    private mutating func pause(_ mutation: inout MutationOperation, _ operation: inout Operation) {
        mutation.phase = .pausing
        let isReplacing = mutation.purpose != .delete && outdated(mutation).contains { !$0.isEmpty }
        if isReplacing {
            let space = mutation.space
            mutation.readers = Set(
                operations.values.filter { $0.kind.readSpace == space }.map(\.number))
        }
        operation.kind = .mutation(mutation)
        if !mutation.readers.isEmpty {
            operation.outstanding = 1
            pausing.append(operation.number)
        }
    }

    /// Readers have finished: mutations that waited for them go on.
    mutating func releasePausing(into directives: inout [CoordinatorDirective]) {
        guard !endedReaders.isEmpty else { return }
        let ended = endedReaders
        endedReaders = []
        let numbers = pausing
        pausing = []
        for number in numbers {
            guard var operation = operations[number],
                case .mutation(var mutation) = operation.kind
            else { continue }
            mutation.readers.subtract(ended)
            operation.kind = .mutation(mutation)
            operations[number] = operation
            guard mutation.readers.isEmpty else {
                pausing.append(number)
                continue
            }
            operations[number] = nil
            operation.outstanding = 0
            resume(operation, into: &directives)
        }
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
        case .waiting: return
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

    /// Points that a shard names as interrupted. One batch at a time; the next pong brings more.
    mutating func mend(
        _ ids: [PointID], _ space: SpaceID, into directives: inout [CoordinatorDirective]
    ) {
        guard let state = collections[space], !state.isMending else { return }
        let free = ids.filter { !locked.contains(LockKey(space: space, id: $0)) }
        if free.isEmpty { return }
        collections[space]!.isMending = true
        let mutation = MutationOperation(
            space: space, definition: state.definition, purpose: .mend, ids: free,
            vectors: Bytes(), payloads: [])
        enter(
            mutation, nil, now.advanced(milliseconds: LearningPolicy.stepMilliseconds),
            into: &directives)
    }

    // MARK: What comes back

    func takeTargets(_ bytes: Bytes, _ part: Int, _ operation: inout Operation) {
        switch operation.kind {
        case .mutation(var mutation):
            let members = mutation.parts[part]
            guard let list = try? TargetList(encoded: bytes, count: members.count) else { return }
            for (member, targets) in zip(members, list.items) {
                mutation.previous[member] = targets
            }
            operation.kind = .mutation(mutation)
        case .retrieve(var retrieve):
            takeTargets(bytes, part, &retrieve)
            operation.kind = .retrieve(retrieve)
        default: break
        }
    }

    mutating func takeAcknowledged(
        _ done: Acknowledged, _ part: Awaited, _ operation: inout Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        switch operation.kind {
        case .mutation(var mutation):
            if mutation.phase == .putting {
                announce(
                    done.locationsVersion, mutation.space, PartitionIndex(part.part),
                    into: &directives)
            } else if mutation.phase == .removing {
                mutation.count += done.count
            }
            operation.kind = .mutation(mutation)
        case .count(let total): operation.kind = .count(total: total + done.count)
        case .definition: sessions[Int(part.shard)].catalogVersion = done.count
        default: break
        }
    }
}
