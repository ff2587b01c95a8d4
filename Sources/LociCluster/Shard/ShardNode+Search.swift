import LociBase
import LociKernels
import LociModel
import LociSearch
import LociWire

/// A query: first the vectors of its postings, then the payloads of what was found.
struct SearchTask: Sendable {
    let asker: Asker
    let query: ShardQuery
    let definition: CollectionDefinition
    let vector: [Float]
    let wanted: [LocationKey]
    /// Postings that were scored, once they were.
    var plan: [PlannedPosting] = []
    var found: [FoundPoint]?
}

/// A posting as it was when its pages were asked for. If its stamp is another when they are here,
/// the plan is made anew.
struct PlannedPosting: Equatable, Sendable {
    let key: LocationKey
    let stamp: UInt64
}

/// A point on its way into an answer.
struct FoundPoint: Equatable, Sendable {
    let partition: PartitionIndex
    let id: PointID
    var score: Float = 0
    let record: PointRecord
}

extension ShardNode {
    /// Hard locations that a shard looks at of its own choice, where the coordinator's copy is out
    /// of date.
    static let ownProbes = 16

    mutating func search(
        _ query: ShardQuery, _ bulk: [Bytes], _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        guard let definition = slices(of: query.space).first?.definition else {
            return refuse(asker, unknownSpace(query.space), into: &directives)
        }
        let vector = bulk[0].values(Float.self)
        guard vector.count == definition.dimension else {
            return refuse(
                asker, LociError(.invalidArgument, "The query has another dimension."),
                into: &directives)
        }
        let pairs = bulk[1].values(UInt32.self)
        let wanted = stride(from: 0, to: pairs.count - 1, by: 2).map {
            LocationKey(partition: pairs[$0], location: pairs[$0 + 1])
        }
        begin(
            .search(
                SearchTask(
                    asker: asker, query: query, definition: definition, vector: vector,
                    wanted: wanted)), into: &directives)
    }

    mutating func run(
        _ search: SearchTask, _ task: inout PageTask, into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        var search = search
        if search.found == nil {
            let plan = plan(search)
            if task.rounds == 0 || plan != search.plan {
                search.plan = plan
                task.held = [:]
                task.kind = .search(search)
                let needed = pageNeeds(of: plan, search)
                if !needed.isEmpty { return needed }
            }
            score(&search, &task)
            let needed = payloadNeeds(
                search.found ?? [], search.definition, search.query.withPayload)
            task.kind = .search(search)
            if !needed.isEmpty { return needed }
        }
        if search.query.withVector, hasMoved(search, task.held) {
            search.found = nil
            search.plan = []
            return run(search, &task, into: &directives)
        }
        answer(search, &task, into: &directives)
        return []
    }

    /// Whether a point that was found has changed while its payload was on its way.
    private func hasMoved(_ search: SearchTask, _ held: [PageAddress: Bytes]) -> Bool {
        (search.found ?? []).contains { vector(of: $0, search.definition, held) == nil }
    }

    /// Which postings to score: the wanted hard locations, or what became of them.
    private func plan(_ search: SearchTask) -> [PlannedPosting] {
        var keys: Set<LocationKey> = []
        for key in search.wanted {
            guard let slice = workers[key.partition]?.state.slices[search.query.space] else {
                continue
            }
            let locations: [LocationID]
            switch key.location {
            case ShardQuery.everyLocation: locations = Array(slice.postings.keys)
            case ShardQuery.ownChoice:
                locations = ownChoice(slice, search)
            default:
                let heirs = slice.journal.heirs(of: key.location) { slice.postings[$0] != nil }
                locations = heirs.isEmpty ? ownChoice(slice, search) : heirs
            }
            for location in locations {
                keys.insert(LocationKey(partition: key.partition, location: location))
            }
        }
        return keys.sorted().compactMap { key in
            posting(key, search.query.space).map { PlannedPosting(key: key, stamp: $0.stamp) }
        }
    }

    private func ownChoice(_ slice: CollectionSlice, _ search: SearchTask) -> [LocationID] {
        let keys = slice.locations.keys
        return slice.locations.address(
            of: search.vector, metric: search.definition.metric, most: Self.ownProbes,
            epsilon: .infinity,
            among: { (slice.postings[keys[$0].location]?.liveCount ?? 0) > 0 }
        ).map(\.key.location)
    }

    private func posting(_ key: LocationKey, _ space: SpaceID) -> Posting? {
        workers[key.partition]?.state.slices[space]?.postings[key.location]
    }

    private func pageNeeds(of plan: [PlannedPosting], _ search: SearchTask) -> [PageNeed] {
        plan.flatMap { planned -> [PageNeed] in
            let slice = workers[planned.key.partition]!.state.slices[search.query.space]!
            return slice.runs(of: slice.postings[planned.key.location]!).map {
                PageNeed(address: $0.address, pageBytes: search.definition.vectorPageBytes)
            }
        }
    }

    private func score(_ search: inout SearchTask, _ task: inout PageTask) {
        let started = stopwatch()
        let metric = search.definition.metric
        let ranking = Match.ranking(by: metric)
        // A point may have a copy in two partitions here, so twice as many are kept.
        let partitions = Set(search.plan.map(\.key.partition)).count
        let limit = Int(search.query.k) * (partitions > 1 ? 2 : 1)
        var best = TopK<(match: Match, partition: PartitionIndex)>(limit) {
            ranking($0.match, $1.match)
        }
        var scores: [Float] = []
        for planned in search.plan {
            let slice = workers[planned.key.partition]!.state.slices[search.query.space]!
            let posting = slice.postings[planned.key.location]!
            for run in slice.runs(of: posting) {
                scores.removeAll(keepingCapacity: true)
                Kernels.score(
                    metric.scoreKind, query: search.vector, rows: task.held[run.address]!, at: 0,
                    count: run.count, into: &scores)
                task.receipt.vectorsScored += UInt64(run.count)
                for (index, score) in scores.enumerated()
                where posting.isLive[run.firstSlot + index] {
                    let match = Match(
                        id: posting.ids[run.firstSlot + index], version: 0, score: score)
                    best.insert((match, planned.key.partition))
                }
            }
        }
        let found = best.sorted.map { candidate in
            let slice = workers[candidate.partition]!.state.slices[search.query.space]!
            return FoundPoint(
                partition: candidate.partition, id: candidate.match.id,
                score: metric.score(fromKernel: candidate.match.score),
                record: slice.points[candidate.match.id]!)
        }
        search.found = Array(newestCopies(of: found).prefix(Int(search.query.k)))
        task.receipt.partitions = UInt32(partitions)
        task.receipt.locationsActive = UInt32(search.plan.count)
        task.receipt.scoringMicroseconds = stopwatch().microseconds(since: started)
    }

    /// Of copies of a point the one with the highest version, the others' order kept.
    private func newestCopies(of found: [FoundPoint]) -> [FoundPoint] {
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
        _ search: SearchTask, _ task: inout PageTask, into directives: inout [ShardDirective]
    ) {
        let found = search.found ?? []
        var vectors = Bytes()
        if search.query.withVector {
            vectors = Bytes.joined(
                found.map { point in
                    vector(of: point, search.definition, task.held) ?? Bytes()
                })
        }
        let payloads = PayloadList(
            found.map {
                search.query.withPayload
                    ? payload(of: $0, search.definition, task.held) : Bytes()
            })
        answer(
            search.asker,
            .matches(
                MatchesAnswer(
                    count: UInt32(found.count), receipt: finish(task.receipt, search.asker))),
            bulk: [
                Bytes(values: found.map(\.id)), Bytes(values: found.map(\.record.version)),
                Bytes(values: found.map(\.score)), payloads.lengths, payloads.blob, vectors,
            ], into: &directives)
    }

    // MARK: Parts that other answers share

    /// Pages that the payloads lie in.
    func payloadNeeds(
        _ found: [FoundPoint], _ definition: CollectionDefinition, _ withPayload: Bool
    ) -> [PageNeed] {
        guard withPayload else { return [] }
        var addresses: Set<PageAddress> = []
        for point in found {
            for piece in payloadPieces(of: point, definition) { addresses.insert(piece.address) }
        }
        return addresses.sorted().map {
            PageNeed(address: $0, pageBytes: CollectionDefinition.payloadPageBytes)
        }
    }

    private func payloadPieces(
        of point: FoundPoint, _ definition: CollectionDefinition
    ) -> [(address: PageAddress, offset: Int, start: Int, count: Int)] {
        workers[point.partition]?.state.slices[definition.space]?.payloadPieces(
            offset: point.record.payloadOffset, count: Int(point.record.payloadBytes)) ?? []
    }

    /// A payload out of pages that are held. Payloads never move, so pages cannot be out of date.
    func payload(
        of point: FoundPoint, _ definition: CollectionDefinition, _ held: [PageAddress: Bytes]
    ) -> Bytes {
        let pieces = payloadPieces(of: point, definition)
        if pieces.isEmpty { return Bytes() }
        return Bytes.joined(
            pieces.map { held[$0.address]!.slice($0.offset..<($0.offset + $0.count)) })
    }

    /// A vector out of pages that are held; nil if the point has moved to another.
    func vector(
        of point: FoundPoint, _ definition: CollectionDefinition, _ held: [PageAddress: Bytes]
    ) -> Bytes? {
        guard let slice = workers[point.partition]?.state.slices[definition.space],
            slice.points[point.id] == point.record,
            let place = slice.vectorPlace(of: point.record), let page = held[place.address]
        else { return nil }
        return page.slice(place.offset..<(place.offset + definition.rowBytes))
    }
}
