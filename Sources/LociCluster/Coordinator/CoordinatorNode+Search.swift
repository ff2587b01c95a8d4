import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociText
import LociWire

/// Queries: the address decides which shards are asked, and for which hard locations.
extension CoordinatorNode {
    mutating func query(
        _ asked: Query, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        var query = asked
        let definition = try collection(named: query.collection)
        let vector = try self.vector(of: query, bulk, definition)
        if !query.filter.isEmpty { query.filter = try Filter(query.filter).text }
        let reach: QueryOperation.Reach =
            query.isExact
            ? .everywhere
            : .address(
                width(
                    probes: query.probes, radius: query.radius, recall: query.recall, definition))
        let number = begin(
            .query(
                QueryOperation(
                    definition: definition, query: query, vector: vector, reach: reach)), client,
            deadline)
        let operation = operations.removeValue(forKey: number)!
        ask(operation, into: &directives)
    }

    /// Asks those that the reach of the query says.
    private mutating func ask(
        _ started: Operation, into directives: inout [CoordinatorDirective]
    ) {
        guard case .query(var search) = started.kind else { return }
        var operation = started
        let space = search.definition.space
        let wanted: [LocationKey]
        switch search.reach {
        case .address(let width):
            wanted = address(of: search.vector, width, search.definition)
            operation.receipt.locationsActive = UInt32(wanted.count)
            collections[space]?.queries += 1
            collections[space]?.partitionsAsked += UInt64(Set(wanted.map(\.partition)).count)
        case .everywhere:
            wanted = rest(of: search, each: ShardQuery.everyLocation)
            operation.receipt.locationsActive = UInt32(collections[space]?.locations.count ?? 0)
        case .rest:
            wanted = rest(of: search, each: ShardQuery.ownChoice)
        case .elsewhere:
            wanted = elsewhere(operation)
        }
        search.asked = wanted.count
        search.passed = 0
        operation.receipt.rounds += 1
        operation.kind = .query(search)
        let query = search.query
        let selectiveShare = selectiveShare(search)
        for (shard, locations) in byShard(wanted) {
            ask(
                shard,
                .shardQuery(
                    ShardQuery(
                        space: space, k: query.k, withPayload: query.withPayload,
                        withVector: query.withVector, maxTier: query.maxTier,
                        filter: query.filter, selectiveShare: selectiveShare)),
                bulk: [Bytes(values: search.vector), locations], part: Int(shard),
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
        return try vector(bulk[0], for: definition)
    }

    /// Whether more has to be asked, and whom: more hard locations, in the end all of them.
    /// - Returns: Nil if the answer is good, or as good as it gets.
    private func wider(
        _ query: QueryOperation, found: Int
    ) -> QueryOperation.Reach? {
        let k = Int(query.query.k)
        let isWhole = query.wholePartitions.count >= metadata.map.partitions
        guard !query.hasSkipped, !isWhole else { return nil }
        let isFiltered = !query.query.filter.isEmpty
        let wanted = isFiltered ? k * SearchTuning.passedPerNeighbour : k
        switch query.reach {
        case .everywhere, .elsewhere: return nil
        case .address where query.wholePartitions.isEmpty: break
        case .address, .rest:
            // Those that were scanned have to give enough by themselves: the whole ones may be far
            // away.
            if found >= k, query.passed >= UInt64(wanted) { return nil }
            return query.reach == .rest ? .everywhere : .rest
        }
        let isCounted = isFiltered && query.passed > 0
        let passed = max(Int(clamping: query.passed), found)
        guard found < k || isCounted && passed < wanted else { return nil }
        let space = query.definition.space
        guard let state = collections[space], !metadata.unroutable.contains(space),
            state.points > UInt64(k), query.widenings < WideningPolicy.rounds(isFiltered)
        else { return .everywhere }
        var probes = WideningPolicy.probes
        if isFiltered {
            let factor = WideningPolicy.reserve * Double(wanted) / Double(max(1, passed))
            let least = min(max(factor, WideningPolicy.least), WideningPolicy.largest)
            probes = Int(Double(query.asked) * least)
        }
        // Most of them, or no more than were asked: then all.
        guard probes > query.asked, probes < state.locations.count / 2 || !isFiltered,
            state.locations.count > query.asked
        else { return .everywhere }
        return .address(AddressWidth(exactly: min(probes, state.locations.count)))
    }

    func takeMatches(_ matches: MatchesAnswer, _ bulk: [Bytes], _ operation: inout Operation) {
        guard case .query(var query) = operation.kind else { return }
        if matches.isDegraded { query.hasSkipped = true }
        query.passed &+= matches.passed
        query.wholePartitions.formUnion(
            matches.wholePartitions.lazy.filter { $0 < metadata.map.partitions })
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
            if query.reach == .elsewhere || elsewhere(operation).isEmpty
                || failure.isAboutTheRequest
            {
                return fail(operation, failure, into: &directives)
            }
            return ask(operation, query, .elsewhere, into: &directives)
        }
        let best = merge(query)
        let isDegraded = operation.failure != nil || query.hasSkipped
        if !isDegraded, let reach = wider(query, found: best.count) {
            return ask(operation, query, reach, into: &directives)
        }
        let matches = MatchesAnswer(
            count: UInt32(best.count), receipt: receipt, isDegraded: isDegraded,
            isExhausted: !isDegraded && best.count < query.query.k, passed: query.passed)
        let payloads = PayloadList(best.map(\.payload))
        answer(
            operation, .matches(matches),
            bulk: [
                Bytes(values: best.map(\.match.id)), Bytes(values: best.map(\.match.version)),
                Bytes(values: best.map(\.match.score)), payloads.lengths, payloads.blob,
                Bytes.joined(best.map(\.vector)),
            ], into: &directives)
    }

    private mutating func ask(
        _ asked: Operation, _ query: QueryOperation, _ reach: QueryOperation.Reach,
        into directives: inout [CoordinatorDirective]
    ) {
        var operation = asked
        var query = query
        query.reach = reach
        query.widenings += 1
        operation.kind = .query(query)
        ask(operation, into: &directives)
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

/// How a query goes on that found too little.
private enum WideningPolicy {
    /// Hard locations of the second try, when the first found fewer than k points.
    static let probes = 256
    /// Hard locations grow by what seems to be missing and so much more ...
    static let reserve = 1.25
    /// ... but at least and at most by these factors.
    static let least = 2.0
    static let largest = 64.0

    /// Tries by address, before all hard locations are asked.
    static func rounds(_ isFiltered: Bool) -> Int { isFiltered ? 3 : 1 }
}
