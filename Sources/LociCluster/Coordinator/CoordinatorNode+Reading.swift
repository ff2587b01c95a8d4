import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire

/// Points by id, in order, and their number.
extension CoordinatorNode {
    // MARK: Retrieve

    mutating func retrieve(
        _ retrieve: Retrieve, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let definition = try collection(named: retrieve.collection)
        let ids = bulk[0].values(PointID.self)
        let groups = Dictionary(grouping: Set(ids)) {
            Directory.partition(of: $0, partitions: metadata.map.partitions)
        }
        let places = Dictionary(ids.enumerated().map { ($1, $0) }, uniquingKeysWith: { $1 })
        var plan = RetrieveOperation(
            definition: definition, ids: ids, withVector: retrieve.withVector, parts: [])
        for partition in groups.keys.sorted() {
            plan.parts.append(groups[partition]!.map { places[$0]! }.sorted())
        }
        let number = begin(.retrieve(plan), client, deadline)
        var operation = operations.removeValue(forKey: number)!
        for (part, partition) in groups.keys.sorted().enumerated() {
            let members = plan.parts[part]
            ask(
                metadata.map.shard(of: partition),
                .claim(Claim(space: definition.space, partition: partition, isLookup: true)),
                bulk: [
                    Bytes(values: members.map { ids[$0] }),
                    TargetList(members.map { _ in [] }).encoded,
                ], part: part, for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    func takeTargets(_ bytes: Bytes, _ part: Int, _ retrieve: inout RetrieveOperation) {
        let members = retrieve.parts[part]
        guard let list = try? TargetList(encoded: bytes, count: members.count) else { return }
        for (member, targets) in zip(members, list.items) {
            for target in targets {
                retrieve.targets[target, default: []].append(retrieve.ids[member])
            }
        }
    }

    /// After the directories were asked, the partitions that they name.
    mutating func advance(
        _ looked: RetrieveOperation, _ done: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        var retrieve = looked
        var operation = done
        let isOver = retrieve.isFetching || operation.deadline <= now
        if isOver { return finish(retrieve, operation, into: &directives) }
        retrieve.isFetching = true
        operation.kind = .retrieve(retrieve)
        for partition in retrieve.targets.keys.sorted() {
            ask(
                metadata.map.shard(of: PartitionIndex(partition)),
                .fetch(
                    Fetch(
                        space: retrieve.definition.space, partition: PartitionIndex(partition),
                        withVector: retrieve.withVector)),
                bulk: [Bytes(values: retrieve.targets[partition]!)], part: Int(partition),
                for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    private mutating func finish(
        _ retrieve: RetrieveOperation, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        let receipt = receipt(of: operation)
        if let failure = operation.failure,
            receipt.shardsAnswered == 0 || failure.isAboutTheRequest
        {
            return fail(operation, failure, into: &directives)
        }
        let found = retrieve.ids.compactMap { retrieve.points[$0] }
        answer(
            operation,
            .points(
                PointsAnswer(
                    count: UInt32(found.count), receipt: receipt,
                    isDegraded: operation.failure != nil)),
            bulk: bulk(of: found), into: &directives)
    }

    private func bulk(of found: [FoundMatch]) -> [Bytes] {
        let payloads = PayloadList(found.map(\.payload))
        return [
            Bytes(values: found.map(\.match.id)), Bytes(values: found.map(\.match.version)),
            payloads.lengths, payloads.blob, Bytes.joined(found.map(\.vector)),
        ]
    }

    // MARK: Scroll

    mutating func scroll(
        _ scroll: Scroll, _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let definition = try collection(named: scroll.collection)
        let number = begin(
            .scroll(
                ScrollOperation(
                    definition: definition, limit: Int(scroll.limit),
                    withVector: scroll.withVector, sampleSeed: scroll.sampleSeed)), client,
            deadline)
        var operation = operations.removeValue(forKey: number)!
        if scroll.sampleSeed != 0 {
            askForSample(scroll, definition, &operation, into: &directives)
            return resume(operation, into: &directives)
        }
        for shard in 0..<ShardIndex(metadata.map.shards) {
            ask(
                shard,
                .shardScroll(
                    ShardScroll(
                        space: definition.space, from: scroll.from, limit: scroll.limit,
                        withVector: scroll.withVector, idsOnly: scroll.idsOnly)),
                part: Int(shard), for: &operation,
                into: &directives)
        }
        resume(operation, into: &directives)
    }

    /// A sample, from every partition in proportion to its points, and a quarter more: shards draw
    /// with replacement, and copies of a point count once.
    private mutating func askForSample(
        _ scroll: Scroll, _ definition: CollectionDefinition, _ operation: inout Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        let following = collections[definition.space]?.following ?? []
        let total = following.reduce(0) { $0 + $1.points }
        for partition in 0..<PartitionIndex(metadata.map.partitions) {
            let points = total == 0 ? 1 : following[Int(partition)].points
            guard points > 0 else { continue }
            let share = total == 0 ? 1 : Double(points) / Double(total)
            let limit = (Double(scroll.limit) * share * 1.25).rounded(.up)
            ask(
                metadata.map.shard(of: partition),
                .shardScroll(
                    ShardScroll(
                        space: definition.space, partition: partition, from: 0,
                        limit: UInt32(limit), withVector: scroll.withVector, idsOnly: true,
                        sampleSeed: mix64(scroll.sampleSeed &+ UInt64(partition)) | 1)),
                part: Int(partition), for: &operation, into: &directives)
        }
    }

    /// Merges the shards' pages. Beyond the last id of a page that is not its shard's last, nothing
    /// is known, so the answer ends there too.
    mutating func finish(
        _ scroll: ScrollOperation, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        let receipt = receipt(of: operation)
        if let failure = operation.failure,
            receipt.shardsAnswered == 0 || failure.isAboutTheRequest
        {
            return fail(operation, failure, into: &directives)
        }
        var newest: [PointID: FoundMatch] = [:]
        for point in scroll.points where point.match.id <= scroll.knownTo {
            let other = newest[point.match.id]
            if point.match.version >= other?.match.version ?? 0 { newest[point.match.id] = point }
        }
        var sorted = newest.values.sorted { $0.match.id < $1.match.id }
        if scroll.sampleSeed != 0 {
            var random = SeededRandom(seed: scroll.sampleSeed)
            sorted.shuffle(using: &random)
        }
        let page = Array(sorted.prefix(scroll.limit))
        answer(
            operation,
            .points(
                PointsAnswer(
                    count: UInt32(page.count), receipt: receipt,
                    hasMore: scroll.hasMore
                        || scroll.sampleSeed == 0 && sorted.count > page.count,
                    isDegraded: operation.failure != nil)),
            bulk: bulk(of: page), into: &directives)
    }

    // MARK: Count

    mutating func count(
        _ count: Count, _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let definition = try collection(named: count.collection)
        let number = begin(.count(total: 0), client, deadline)
        var operation = operations.removeValue(forKey: number)!
        for shard in 0..<ShardIndex(metadata.map.shards) {
            ask(
                shard, .shardCount(ShardCount(space: definition.space)), part: Int(shard),
                for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    /// A count without some shard would be a wrong number, so there is none.
    mutating func finish(
        count total: UInt64, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        if let failure = operation.failure { return fail(operation, failure, into: &directives) }
        let counted = Acknowledged(count: total, receipt: receipt(of: operation))
        answer(operation, .acknowledged(counted), into: &directives)
    }

    // MARK: What comes back

    func takePoints(
        _ points: PointsAnswer, _ bulk: [Bytes], _ part: Awaited, _ operation: inout Operation
    ) {
        switch operation.kind {
        case .retrieve(var retrieve):
            for found in Self.found(bulk, retrieve.definition) {
                let other = retrieve.points[found.match.id]
                if found.match.version >= other?.match.version ?? 0 {
                    retrieve.points[found.match.id] = found
                }
            }
            operation.kind = .retrieve(retrieve)
        case .scroll(var scroll):
            let found = Self.found(bulk, scroll.definition)
            scroll.points += found
            if scroll.sampleSeed == 0, points.hasMore, let last = found.last {
                scroll.hasMore = true
                scroll.knownTo = min(scroll.knownTo, last.match.id)
            }
            operation.kind = .scroll(scroll)
        case .mutation(var mutation):
            for found in Self.found(bulk, mutation.definition) where !found.vector.isEmpty {
                let other = mutation.gathered[found.match.id]
                if found.match.version >= other?.match.version ?? 0 {
                    mutation.gathered[found.match.id] = found
                }
            }
            operation.kind = .mutation(mutation)
        case .sample(var sample):
            sample.rows += bulk[4].values(Float.self)
            operation.kind = .sample(sample)
        case .findMoves(let space, let partition, _, _):
            operation.kind = .findMoves(
                space, partition, found: bulk[0].values(), hasMore: points.hasMore)
        default: break
        }
    }

    private static func found(
        _ bulk: [Bytes], _ definition: CollectionDefinition
    ) -> [FoundMatch] {
        let ids = bulk[0].values(PointID.self)
        let versions = bulk[1].values(UInt64.self)
        let payloads = try? PayloadList(lengths: bulk[2], blob: bulk[3], count: ids.count).items
        let rowBytes = definition.rowBytes
        let hasVectors = bulk[4].count == ids.count * rowBytes
        return ids.indices.map { index in
            FoundMatch(
                match: Match(id: ids[index], version: versions[index], score: 0),
                payload: payloads?[index] ?? Bytes(),
                vector: hasVectors
                    ? bulk[4].slice((index * rowBytes)..<((index + 1) * rowBytes)) : Bytes())
        }
    }
}
