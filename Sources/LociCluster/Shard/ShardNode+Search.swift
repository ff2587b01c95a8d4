import LociBase
import LociKernels
import LociModel
import LociSearch
import LociTiering
import LociWire

/// A query: first the vectors of its postings, scored in rounds, then the payloads of what was
/// found.
struct SearchTask: Sendable {
    let asker: Asker
    let query: ShardQuery
    let definition: CollectionDefinition
    let vector: [Float]
    let wanted: [LocationKey]
    var scoring: Scoring?
    /// Once everything is scored.
    var gathering: Gathering?
}

/// Scoring postings a few pages at a time, while they may change. What is found in the end is what
/// one look at all postings, as they are then, would find.
///
/// Invariants:
/// - Every candidate in `best` carries the stamp that its posting had when it was scored. If one is
///   of a posting that has changed since, scoring starts over; a posting that has changed and has
///   no candidate among the best is scored again by itself.
struct Scoring: Sendable {
    struct Candidate: Sendable {
        let match: Match
        let key: LocationKey
        let stamp: UInt64
    }

    /// Part of a posting on one page.
    struct Run: Sendable {
        let posting: PlannedPosting
        let run: RowRun
        let isLast: Bool
    }

    var best: TopK<Candidate>
    /// The stamps at which postings were scored completely.
    var scored: [LocationKey: UInt64] = [:]
    /// Postings to come, the next one last.
    var pending: [PlannedPosting] = []
    /// Runs of the posting that was begun, the next one last.
    var begun: [Run] = []
    /// Runs whose pages were asked for.
    var asked: [Run] = []

    init(limit: Int, metric: Metric) {
        let ranking = Match.ranking(by: metric)
        best = TopK(limit) { ranking($0.match, $1.match) }
    }
}

/// A posting as it was when its pages were asked for.
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
                    wanted: wanted)), slowest: query.maxTier ?? .object, into: &directives)
    }

    mutating func run(
        _ search: inout SearchTask, _ task: inout PageTask,
        into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        while task.failure == nil {
            if search.gathering == nil {
                let needs = score(&search, &task)
                if !needs.isEmpty || task.failure != nil { return needs }
                search.gathering = Gathering(
                    found(search.scoring!, search), of: search.definition,
                    withVector: search.query.withVector, withPayload: search.query.withPayload,
                    isStrict: false)
            }
            switch step(&search.gathering!, task) {
            case .needs(let needs): return needs
            case .isStale:
                search.gathering = nil
                search.scoring = nil
                task.restart()
            case .isDone:
                answer(search, search.gathering!, &task, into: &directives)
                return []
            }
        }
        return []
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

    // MARK: Scoring

    /// Scores the pages that are held. Returns those that are needed next; none when everything is
    /// scored, or when the task has failed.
    private func score(_ search: inout SearchTask, _ task: inout PageTask) -> [PageNeed] {
        if search.scoring == nil { search.scoring = newScoring(search) }
        scoreAsked(&search.scoring!, search, &task)
        while task.failure == nil {
            takeRuns(&search.scoring!, search)
            if !search.scoring!.asked.isEmpty {
                return search.scoring!.asked.map {
                    PageNeed(
                        address: $0.run.address, pageBytes: search.definition.vectorPageBytes)
                }
            }
            // Everything that was planned is scored. Is it still what there is?
            let plan = plan(search)
            let stamps = Dictionary(uniqueKeysWithValues: plan.map { ($0.key, $0.stamp) })
            if search.scoring!.best.sorted.contains(where: { stamps[$0.key] != $0.stamp }) {
                search.scoring = newScoring(search)
                task.restart()
                continue
            }
            let scored = search.scoring!.scored
            search.scoring!.pending = plan.filter { scored[$0.key] != $0.stamp }.reversed()
            guard search.scoring!.pending.isEmpty else { continue }
            task.receipt.partitions = UInt32(Set(plan.map(\.key.partition)).count)
            task.receipt.locationsActive = UInt32(plan.count)
            return []
        }
        return []
    }

    private func newScoring(_ search: SearchTask) -> Scoring {
        // A point may have a copy in two partitions here, so twice as many are kept.
        Scoring(
            limit: Int(search.query.k) * (workers.count > 1 ? 2 : 1),
            metric: search.definition.metric)
    }

    /// Plans the next round: runs of postings that are as they were planned.
    private func takeRuns(_ scoring: inout Scoring, _ search: SearchTask) {
        let most = max(1, roundBytes / search.definition.vectorPageBytes)
        scoring.asked = []
        while scoring.asked.count < most {
            if let run = scoring.begun.popLast() {
                scoring.asked.append(run)
                continue
            }
            guard let planned = scoring.pending.popLast() else { return }
            guard let posting = posting(planned.key, search.query.space),
                posting.stamp == planned.stamp
            else { continue }
            let slice = workers[planned.key.partition]!.state.slices[search.query.space]!
            let runs = slice.runs(of: posting)
            if runs.isEmpty { scoring.scored[planned.key] = planned.stamp }
            scoring.begun = runs.enumerated().reversed().map { index, run in
                Scoring.Run(posting: planned, run: run, isLast: index == runs.count - 1)
            }
        }
    }

    private func scoreAsked(
        _ scoring: inout Scoring, _ search: SearchTask, _ task: inout PageTask
    ) {
        if scoring.asked.isEmpty { return }
        let started = stopwatch()
        var scores: [Float] = []
        for asked in scoring.asked {
            let planned = asked.posting
            // One that has changed is found in the next plan.
            guard let posting = posting(planned.key, search.query.space),
                posting.stamp == planned.stamp
            else { continue }
            if asked.isLast { scoring.scored[planned.key] = planned.stamp }
            // A page that was not to be asked for is left out; the receipt says so.
            guard let page = task.held[asked.run.address] else { continue }
            scores.removeAll(keepingCapacity: true)
            Kernels.score(
                search.definition.metric.scoreKind, query: search.vector, rows: page, at: 0,
                count: asked.run.count, into: &scores)
            task.receipt.vectorsScored += UInt64(asked.run.count)
            for (index, score) in scores.enumerated()
            where posting.isLive[asked.run.firstSlot + index] {
                let match = Match(
                    id: posting.ids[asked.run.firstSlot + index], version: 0, score: score)
                scoring.best.insert(
                    Scoring.Candidate(match: match, key: planned.key, stamp: planned.stamp))
            }
        }
        scoring.asked = []
        task.receipt.scoringMicroseconds += stopwatch().microseconds(since: started)
    }

    private func found(_ scoring: Scoring, _ search: SearchTask) -> [FoundPoint] {
        let found = scoring.best.sorted.map { candidate in
            let slice = workers[candidate.key.partition]!.state.slices[search.query.space]!
            return FoundPoint(
                partition: candidate.key.partition, id: candidate.match.id,
                score: search.definition.metric.score(fromKernel: candidate.match.score),
                record: slice.points[candidate.match.id]!)
        }
        return Array(newestCopies(of: found).prefix(Int(search.query.k)))
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
        _ search: SearchTask, _ gathering: Gathering, _ task: inout PageTask,
        into directives: inout [ShardDirective]
    ) {
        let found = gathering.points
        let vectors =
            search.query.withVector ? Bytes.joined(gathering.vectors) : Bytes()
        let payloads = PayloadList(
            search.query.withPayload ? gathering.payloads : found.map { _ in Bytes() })
        answer(
            search.asker,
            .matches(
                MatchesAnswer(
                    count: UInt32(found.count), receipt: finish(task.receipt, search.asker),
                    isDegraded: task.hasSkipped)),
            bulk: [
                Bytes(values: found.map(\.id)), Bytes(values: found.map(\.record.version)),
                Bytes(values: found.map(\.score)), payloads.lengths, payloads.blob, vectors,
            ], into: &directives)
    }
}
