import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociText
import LociWire

/// Queries: the address decides which shards are asked, and for which hard locations.
extension CoordinatorNode {
    mutating func query(
        _ query: Query, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let definition = try collection(named: query.collection)
        let vector = try self.vector(of: query, bulk, definition)
        let number = begin(
            .query(QueryOperation(definition: definition, query: query, vector: vector)), client,
            deadline)
        let operation = operations.removeValue(forKey: number)!
        let wanted = address(of: vector, query, definition)
        ask(wanted, operation, into: &directives)
    }

    private mutating func ask(
        _ wanted: [LocationKey], _ started: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        guard case .query(let search) = started.kind else { return }
        var operation = started
        let query = search.query
        operation.receipt.locationsActive = UInt32(wanted.count)
        let groups = Dictionary(grouping: wanted) { metadata.map.shard(of: $0.partition) }
        for shard in groups.keys.sorted() {
            let pairs = groups[shard]!.flatMap { [$0.partition, $0.location] }
            ask(
                shard,
                .shardQuery(
                    ShardQuery(
                        space: search.definition.space, k: query.k, withPayload: query.withPayload,
                        withVector: query.withVector, maxTier: query.maxTier)),
                bulk: [Bytes(values: search.vector), Bytes(values: pairs)], part: Int(shard),
                for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    private func vector(
        of query: Query, _ bulk: [Bytes], _ definition: CollectionDefinition
    ) throws(LociError) -> [Float] {
        if !query.text.isEmpty {
            guard let encoder = collections[definition.space]?.encoder else {
                throw LociError(
                    .invalidArgument,
                    "The collection '\(definition.name)' holds vectors, not text.",
                    advice: "Ask with --vector.")
            }
            let code = encoder.encode(query.text, isQuery: true)
            guard code.contains(where: { $0 != 0 }) else {
                throw LociError(
                    .invalidArgument, "The question has no word in it.",
                    advice: "Ask with at least one letter or digit.")
            }
            return code
        }
        guard bulk.count == 1 else {
            throw LociError(.invalidArgument, "The query has neither a vector nor a text.")
        }
        var vector = bulk[0].values(Float.self)
        guard vector.count == definition.dimension else {
            throw LociError(
                .invalidArgument,
                "The query has dimension \(vector.count); the collection '\(definition.name)' "
                    + "has \(definition.dimension).",
                advice: "`loci collection info \(definition.name)` shows what it takes.")
        }
        if definition.metric == .cosine { try normalise(&vector) }
        return vector
    }

    /// Hard locations of the second try, when the first found fewer than k points.
    private static let widerProbes: UInt32 = 256

    /// Whether there are more hard locations than were asked, and points enough behind them, so
    /// that asking all at once can be put off.
    private func isWorthWidening(_ query: QueryOperation) -> Bool {
        let space = query.definition.space
        guard query.widenings == 0, let state = collections[space],
            !metadata.unroutable.contains(space), state.points > query.query.k
        else { return false }
        let asked = query.query.probes == 0 ? tuning.probes : Int(query.query.probes)
        return min(Int(Self.widerProbes), state.locations.count) > asked
    }

    private var everywhere: [LocationKey] {
        (0..<PartitionIndex(metadata.map.partitions)).map {
            LocationKey(partition: $0, location: ShardQuery.everyLocation)
        }
    }

    /// The hard locations to look at. Partitions whose news has not come yet choose for themselves,
    /// so that what was acknowledged is found before the copy here has caught up.
    private func address(
        of vector: [Float], _ query: Query, _ definition: CollectionDefinition
    ) -> [LocationKey] {
        let partitions = (0..<PartitionIndex(metadata.map.partitions))
        if query.isExact { return everywhere }
        guard let state = collections[definition.space],
            !metadata.unroutable.contains(definition.space)
        else {
            return partitions.map { LocationKey(partition: $0, location: ShardQuery.ownChoice) }
        }
        let probes = query.probes == 0 ? tuning.probes : Int(query.probes)
        let epsilon = query.probes == 0 ? tuning.probeEpsilon : .infinity
        var keys = state.locations.address(
            of: vector, metric: definition.metric, most: probes, least: tuning.leastProbes,
            epsilon: epsilon
        ).map(\.key)
        // Points that are not yet where the learned hard locations say could be anywhere.
        let isUnsettled = state.following.count > 1 && !state.isSettled
        for (partition, following) in state.following.enumerated()
        where isUnsettled || !following.isCurrent {
            keys.append(
                LocationKey(
                    partition: PartitionIndex(partition), location: ShardQuery.ownChoice))
        }
        return keys
    }

    func takeMatches(_ matches: MatchesAnswer, _ bulk: [Bytes], _ operation: inout Operation) {
        guard case .query(var query) = operation.kind else { return }
        if matches.isDegraded { query.hasSkipped = true }
        let ids = bulk[0].values(PointID.self)
        let versions = bulk[1].values(UInt64.self)
        let scores = bulk[2].values(Float.self)
        let payloads = try? PayloadList(lengths: bulk[3], blob: bulk[4], count: ids.count).items
        let rowBytes = query.definition.rowBytes
        for (index, id) in ids.enumerated() {
            let hasVector = bulk[5].count == ids.count * rowBytes
            query.matches.append(
                FoundMatch(
                    match: Match(id: id, version: versions[index], score: scores[index]),
                    payload: payloads?[index] ?? Bytes(),
                    vector: hasVector
                        ? bulk[5].slice((index * rowBytes)..<((index + 1) * rowBytes)) : Bytes()))
        }
        operation.kind = .query(query)
    }

    mutating func finish(
        _ query: QueryOperation, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        let receipt = receipt(of: operation)
        if let failure = operation.failure,
            receipt.shardsAnswered == 0 || failure.isAboutTheRequest
        {
            let others = elsewhere(operation)
            if query.isElsewhere || others.isEmpty || failure.isAboutTheRequest {
                return fail(operation, failure, into: &directives)
            }
            var operation = operation
            var query = query
            query.isElsewhere = true
            operation.kind = .query(query)
            return ask(others, operation, into: &directives)
        }
        let best = merge(query)
        let isDegraded = operation.failure != nil || query.hasSkipped
        if best.count < query.query.k, !isDegraded, query.widenings < 2, !query.query.isExact {
            // The active hard locations hold too few points: first more of them, then all.
            var operation = operation
            var widened = query
            widened.widenings = isWorthWidening(query) ? query.widenings + 1 : 2
            if widened.widenings == 1 { widened.query.probes = Self.widerProbes }
            operation.kind = .query(widened)
            let wanted =
                widened.widenings == 1
                ? address(of: query.vector, widened.query, query.definition) : everywhere
            return ask(wanted, operation, into: &directives)
        }
        let matches = MatchesAnswer(
            count: UInt32(best.count), receipt: receipt, isDegraded: isDegraded,
            isExhausted: !isDegraded && best.count < query.query.k)
        let payloads = PayloadList(best.map(\.payload))
        answer(
            operation, .matches(matches),
            bulk: [
                Bytes(values: best.map(\.match.id)), Bytes(values: best.map(\.match.version)),
                Bytes(values: best.map(\.match.score)), payloads.lengths, payloads.blob,
                Bytes.joined(best.map(\.vector)),
            ], into: &directives)
    }

    /// Partitions of the shards that are up, when all shards of the address have failed: a part of
    /// the answer is better than none, and it says that it is one.
    private func elsewhere(_ operation: Operation) -> [LocationKey] {
        if operation.deadline <= now { return [] }
        return (0..<PartitionIndex(metadata.map.partitions)).filter {
            let shard = metadata.map.shard(of: $0)
            return sessions[Int(shard)].isUp && !operation.shardsFailed.contains(shard)
        }.map { LocationKey(partition: $0, location: ShardQuery.ownChoice) }
    }

    /// The k best of all parts; of several copies of a point the newest counts.
    private func merge(_ query: QueryOperation) -> [FoundMatch] {
        let ranking = Match.ranking(by: query.definition.metric)
        var newest: [PointID: FoundMatch] = [:]
        for found in query.matches {
            if let other = newest[found.match.id], other.match.version >= found.match.version {
                continue
            }
            newest[found.match.id] = found
        }
        return Array(
            newest.values.sorted { ranking($0.match, $1.match) }.prefix(Int(query.query.k)))
    }
}
