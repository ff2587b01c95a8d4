public import LociBase
public import LociModel
public import LociSearch
import LociTiering
import LociWire

/// Queries and steps of completions: from the message to the answer.
extension ShardNode {
    /// Hard locations that a shard looks at of its own choice, where the coordinator's copy is out
    /// of date.
    static let ownProbes = 16

    mutating func search(
        _ query: ShardQuery, _ bulk: [Bytes], _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        begin(
            .query(query), query.space, query.filter, bulk, asker,
            slowest: query.maxTier ?? .object, into: &directives)
    }

    mutating func complete(
        _ step: ShardComplete, _ bulk: [Bytes], _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        begin(
            .completion(step), step.space, "", bulk, asker, slowest: .object, into: &directives)
    }

    private mutating func begin(
        _ purpose: SearchTask.Purpose, _ space: SpaceID, _ filter: String, _ bulk: [Bytes],
        _ asker: Asker, slowest: Tier, into directives: inout [ShardDirective]
    ) {
        guard let definition = definition(of: space) else {
            return refuse(asker, unknownSpace(space), into: &directives)
        }
        let vector = bulk[0].values(Float.self)
        guard vector.count == definition.dimension else {
            return refuse(
                asker, LociError(.invalidArgument, "The query has another dimension."),
                into: &directives)
        }
        do throws(LociError) {
            let pairs = bulk[1].values(UInt32.self)
            let wanted = stride(from: 0, to: pairs.count - 1, by: 2).map {
                LocationKey(partition: pairs[$0], location: pairs[$0 + 1])
            }
            var search = SearchTask(
                asker: asker, space: space, definition: definition, vector: vector,
                wanted: wanted, filter: filter.isEmpty ? nil : try Filter(filter),
                purpose: purpose)
            search.partitions = partitions(wantedBy: search)
            begin(.search(search), slowest: slowest, into: &directives)
        } catch {
            refuse(asker, error, into: &directives)
        }
    }

    mutating func run(
        _ search: inout SearchTask, _ task: inout PageTask,
        into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        // Within an event nothing changes, so that they are taken once out of their dictionaries:
        // that copies a reference for every table of a slice.
        var view: [CollectionSlice] = []
        for partition in search.partitions {
            if let slice = workers[partition]?.state.slices[search.space] { view.append(slice) }
        }
        if view.isEmpty || view.count < search.partitions.count {
            // Dropped while pages were on their way, in all partitions or in some so far.
            task.failure = unknownSpace(search.space)
            return []
        }
        while task.failure == nil {
            if search.comparing == nil {
                let needs = scan(&search, view, &task)
                if !needs.isEmpty || task.failure != nil || task.isPausing { return needs }
                search.comparing = Self.comparing(
                    search, view, hasCopies: workers.count > 1)
            }
            if search.gathering == nil {
                let needs = compare(&search, view, &task)
                if !needs.isEmpty || task.isPausing { return needs }
                if !search.comparing!.changed.isEmpty, search.isWhole {
                    goOn(&search, &task)
                    continue
                }
                if Self.isOutdated(search.comparing!, view) {
                    startOver(&search, &task)
                    continue
                }
                guard case .query(let query) = search.purpose else {
                    answer(search, search.comparing!, &task, into: &directives)
                    return []
                }
                search.gathering = Gathering(
                    Self.found(search.comparing!, search, view), of: search.definition,
                    withVector: query.withVector, withPayload: query.withPayload,
                    isStrict: false)
            }
            switch step(&search.gathering!, task) {
            case .needs(let needs): return needs
            case .isStale: startOver(&search, &task)
            case .isDone:
                answer(search, search.gathering!, &task, into: &directives)
                return []
            }
        }
        return []
    }

    private func startOver(_ search: inout SearchTask, _ task: inout PageTask) {
        search.scan = nil
        search.comparing = nil
        search.compared = nil
        search.gathering = nil
        task.restart()
    }

    /// Where every point is compared, those that have changed are all that is left to do.
    private func goOn(_ search: inout SearchTask, _ task: inout PageTask) {
        takeUp(search.comparing!.changed, &search)
        search.compared = search.comparing
        search.comparing = nil
        task.restart()
    }

    /// Whether a point was changed before it was compared, or one among the best is not any more
    /// what it was then.
    private static func isOutdated(_ comparing: Comparing, _ view: [CollectionSlice]) -> Bool {
        if !comparing.changed.isEmpty { return true }
        if !comparing.hasWaited { return false }
        return comparing.best.sorted.contains {
            view[index(of: $0.item.partition, view)].points.record(of: $0.item.id)?.version
                != $0.item.version
        }
    }

    // MARK: Which postings

    /// What a collection is here; nil if it is not here.
    private func definition(of space: SpaceID) -> CollectionDefinition? {
        for worker in workers.values {
            if let definition = worker.state.slices[space]?.definition { return definition }
        }
        return nil
    }

    /// Those here that a search looks at, in the order of its wishes.
    private func partitions(wantedBy search: SearchTask) -> [PartitionIndex] {
        var partitions: [PartitionIndex] = []
        for key in search.wanted where key.partition != partitions.last {
            if !partitions.contains(key.partition),
                workers[key.partition]?.state.slices[search.space] != nil
            {
                partitions.append(key.partition)
            }
        }
        return partitions
    }

    /// What a collection is here, and the highest version of its points.
    public func collection(
        _ space: SpaceID
    ) -> (definition: CollectionDefinition, newestVersion: UInt64)? {
        let slices = slices(of: space)
        guard let first = slices.first else { return nil }
        return (first.definition, slices.map(\.newestVersion).max() ?? 0)
    }

    /// The address of a vector among the hard locations of all partitions here.
    public func address(
        of vector: [Float], _ space: SpaceID, most: Int, epsilon: Float
    ) -> [LocationKey] {
        let found = slices(of: space).flatMap { slice in
            slice.locations.address(
                of: vector, metric: slice.definition.metric, most: most, epsilon: epsilon,
                isEstimate: true)
        }
        return found.map(\.key)
    }

    /// The hard locations to look at, in order and each once: the wanted ones, or what became of
    /// them.
    func locations(of search: SearchTask, _ view: [CollectionSlice]) -> [LocationKey] {
        var keys: [LocationKey] = []
        keys.reserveCapacity(search.wanted.count)
        for key in search.wanted where !search.isWhole(key.partition) {
            guard let index = view.firstIndex(where: { $0.partition == key.partition }) else {
                continue
            }
            if view[index].postings[key.location] != nil {
                keys.append(key)
            } else {
                keys += successors(of: key, view[index], search)
            }
        }
        keys.sort()
        var last: LocationKey?
        keys.removeAll { key in
            defer { last = key }
            return key == last
        }
        return keys
    }

    private func successors(
        of key: LocationKey, _ slice: CollectionSlice, _ search: SearchTask
    ) -> [LocationKey] {
        let heirs =
            key.location == ShardQuery.ownChoice
            ? [] : slice.journal.heirs(of: key.location) { slice.postings[$0] != nil }
        return (heirs.isEmpty ? ownChoice(slice, search) : heirs).map { slice.key($0) }
    }

    private func ownChoice(_ slice: CollectionSlice, _ search: SearchTask) -> [LocationID] {
        let keys = slice.locations.keys
        return slice.locations.address(
            of: search.vector, metric: search.definition.metric, most: Self.ownProbes,
            epsilon: .infinity, isEstimate: true,
            among: { (slice.postings[keys[$0].location]?.live ?? 0) > 0 }
        ).map(\.key.location)
    }

    // MARK: Answers

    private static func found(
        _ comparing: Comparing, _ search: SearchTask, _ view: [CollectionSlice]
    ) -> [FoundPoint] {
        let metric = search.definition.metric
        let found = comparing.best.sorted.map { compared in
            let index = index(of: compared.item.partition, view)
            return FoundPoint(
                partition: compared.item.partition, cell: compared.item.cell,
                score: metric.score(fromKernel: compared.score),
                record: view[index].points[compared.item.cell])
        }
        // A partition holds one copy of a point.
        return Array((view.count > 1 ? newestCopies(of: found) : found).prefix(search.k))
    }

    /// Of copies of a point the one with the highest version, the others' order kept.
    private static func newestCopies(of found: [FoundPoint]) -> [FoundPoint] {
        var newest: [PointID: UInt64] = [:]
        for point in found {
            newest[point.id] = max(newest[point.id] ?? 0, point.record.version)
        }
        var kept: Set<PointID> = []
        return found.filter {
            newest[$0.id] == $0.record.version && kept.insert($0.id).inserted
        }
    }

    private mutating func answer(
        _ search: SearchTask, _ gathering: Gathering, _ task: inout PageTask,
        into directives: inout [ShardDirective]
    ) {
        guard case .query(let query) = search.purpose else { return }
        let found = gathering.points
        let vectors = query.withVector ? Bytes.joined(gathering.vectors) : Bytes()
        let payloads = PayloadList(
            query.withPayload
                ? gathering.payloads : [Bytes](repeating: Bytes(), count: found.count))
        answer(
            search.asker,
            .matches(
                MatchesAnswer(
                    count: UInt32(found.count), receipt: finish(task.receipt, search.asker),
                    isDegraded: task.hasSkipped, passed: passed(search),
                    wholePartitions: search.wholePartitions)),
            bulk: [
                Bytes(values: found.map(\.id)), Bytes(values: found.map(\.record.version)),
                Bytes(values: found.map(\.score)), payloads.lengths, payloads.blob, vectors,
            ], into: &directives)
    }

    private mutating func answer(
        _ search: SearchTask, _ comparing: Comparing, _ task: inout PageTask,
        into directives: inout [ShardDirective]
    ) {
        let partial = comparing.completion!
        answer(
            search.asker,
            .partialCompletion(
                PartialCompletion(
                    partial, isDegraded: task.hasSkipped,
                    receipt: finish(task.receipt, search.asker))),
            bulk: [Bytes(values: partial.weighted)], into: &directives)
    }
}
