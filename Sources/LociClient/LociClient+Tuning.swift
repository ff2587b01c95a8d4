import LociBase
public import LociModel
import LociWire

/// What tuning has found for a collection.
public struct Tuned: Equatable, Sendable {
    /// What was tried on one half of the sample, in this order.
    public let tried: [MeasuredSetting]
    /// The cheapest that reaches the recall on both halves, with the recall that was wanted: as it
    /// is to be stored. Nil if none does.
    public let chosen: RecallSetting?
    /// The chosen one, or else the best of those tried, on the other half.
    public let verified: MeasuredSetting
    /// Codes that count as much as one vector, in cost.
    public let vectorInCodes: Double
    /// Points of the sample.
    public let sample: Int
}

/// How far tuning has come.
public enum TuningProgress: Equatable, Sendable {
    /// Of so many queries, so many have their exact answer.
    case exact(Int, of: Int)
    case tried(MeasuredSetting)
}

extension LociClient {
    /// Finds the cheapest width of addresses that reaches a recall on the collection's own points.
    /// Random points are the queries, each without itself in its answer; their true neighbours come
    /// from exact queries. Half of them choose, the other half verifies; where it falls short the
    /// choice is repeated with as much more wanted, twice at most. Nothing is stored.
    /// - Parameters:
    ///   - recall: Above 0 and below 1.
    ///   - neighbours: k, 1 to `Limits.neighbours` - 1.
    ///   - sample: Points, 2 to `Limits.pointsPerRequest`.
    ///   - seed: Not 0.
    /// - Throws: NOT_FOUND; FAILED_PRECONDITION if there are fewer than `neighbours` + 2 points, or
    ///   if no address serves because the data has no clusters; UNAVAILABLE if a shard's part of an
    ///   answer is missing.
    public func tune(
        _ collection: String, recall: Float, neighbours: Int = 10, sample: Int = 1000,
        seed: UInt64 = 1, progress: @escaping @Sendable (TuningProgress) -> Void = { _ in }
    ) async throws(LociError) -> Tuned {
        precondition(recall > 0 && recall < 1 && neighbours > 0 && sample > 1)
        guard let definition = try await describe().collection(named: collection) else {
            throw LociError(
                .notFound, "There is no collection '\(collection)'.",
                advice: "`loci collection list` shows those that exist.")
        }
        let report = try await collectionReport(collection)
        guard !report.isUnroutable else {
            throw LociError(
                .failedPrecondition,
                "The points of '\(collection)' have no clusters: every shard is asked for each "
                    + "query, and there is nothing to tune.",
                advice: "Name --probes for more recall, or ask with --exact.")
        }
        try await checkSettled(collection)
        let points = try await self.sample(collection, count: sample, seed: seed).points
        guard points.count > neighbours + 1 else {
            throw LociError(
                .failedPrecondition,
                "'\(collection)' has too few points to tune for \(neighbours) neighbours.",
                advice: "Import more first, or ask with --exact: it is cheap for so few.")
        }
        let trial = try await TuningTrial(
            client: self, collection: collection, metric: definition.metric,
            neighbours: neighbours, points: points, progress)
        let halves = [0, 1].map { half in trial.queries.indices.filter { $0 % 2 == half } }
        // A float32 has as many bits as so many elements of a code.
        let vectorInCodes = 32 / Double(definition.options.codeBits)
        var search = TuningSearch(
            hasRadius: definition.metric != .dot, vectorInCodes: vectorInCodes)
        var wanted = recall
        var chosen: RecallSetting?
        var verified: MeasuredSetting?
        for _ in 0..<3 where chosen == nil {
            let found = try await search.cheapest(reaching: min(wanted, 1)) {
                (probes, radius) async throws(LociError) in
                let tried = try await trial.measure(halves[0], probes, radius)
                progress(.tried(tried))
                return tried
            }
            guard let found else { break }
            let setting = found.setting
            let check = try await trial.measure(halves[1], setting.probes, setting.radius)
            verified = check
            if check.setting.recall >= recall {
                chosen = RecallSetting(
                    recall: recall, probes: setting.probes, radius: setting.radius)
            }
            wanted = max(wanted, found.setting.recall) + max(recall - check.setting.recall, 0)
        }
        if verified == nil {
            let best = search.measured.max { $0.setting.recall < $1.setting.recall }!.setting
            verified = try await trial.measure(halves[1], best.probes, best.radius)
        }
        return Tuned(
            tried: search.measured, chosen: chosen, verified: verified!,
            vectorInCodes: vectorInCodes, sample: points.count)
    }
}

extension LociClient {
    /// While points are not where the hard locations say, partitions choose by themselves what to
    /// look at: every width would look wide enough. Points that are on their way are waited for.
    private func checkSettled(_ collection: String) async throws(LociError) {
        for _ in 0..<Self.settlingLooks {
            let status = try await status()
            guard status.partitions > 1,
                let state = status.collections.first(where: { $0.name == collection }),
                state.generation == 0 || state.isMoving
            else { return }
            if state.generation == 0, state.points < Self.learnedPoints { break }
            try? await Task.sleep(for: .milliseconds(200))
        }
        throw LociError(
            .failedPrecondition,
            "The points of '\(collection)' are not where they belong yet, as far as is known.",
            advice: "Tune when `loci collection info \(collection)` shows a generation and `loci "
                + "status` no points on the move: some 2,000 points are enough to learn from.")
    }

    /// Half a minute.
    private static let settlingLooks = 150
    /// Where so many are, hard locations are about to be learned.
    private static let learnedPoints: UInt64 = 2048
}

/// Queries with their true neighbours.
private struct TuningTrial: Sendable {
    struct Query: Sendable {
        let id: PointID
        let vector: [Float]
        /// Score of the last of the true neighbours: whatever is as near is one of them.
        let bound: Float
        let count: Int
    }

    let client: LociClient
    let collection: String
    let metric: Metric
    let neighbours: Int
    private(set) var queries: [Query] = []

    init(
        client: LociClient, collection: String, metric: Metric, neighbours: Int, points: [Point],
        _ progress: @escaping @Sendable (TuningProgress) -> Void
    ) async throws(LociError) {
        self.client = client
        self.collection = collection
        self.metric = metric
        self.neighbours = neighbours
        let whole = self
        let step = Chunks.inFlight * 4
        for start in stride(from: 0, to: points.count, by: step) {
            let part = Array(points[start..<min(start + step, points.count)])
            queries += try await Chunks.run(part.indices.map { $0..<($0 + 1) }) {
                (one) async throws(LociError) in
                let point = part[one.lowerBound]
                let matches = try await whole.ask(point.id, point.vector, isExact: true).matches
                return Query(
                    id: point.id, vector: point.vector, bound: matches.last?.score ?? 0,
                    count: matches.count)
            }.filter { $0.count > 0 }
            progress(.exact(start + part.count, of: points.count))
        }
    }

    /// Mean recall and cost of the queries with these numbers.
    func measure(
        _ members: [Int], _ probes: UInt32, _ radius: Float
    ) async throws(LociError) -> MeasuredSetting {
        let parts = try await Chunks.run(members.map { $0..<($0 + 1) }) {
            (one) async throws(LociError) in
            let query = queries[one.lowerBound]
            let (found, receipt) = try await ask(
                query.id, query.vector, probes: probes, radius: radius)
            let hits = found.filter { isNear($0.score, query.bound) }.count
            return (Double(min(hits, query.count)) / Double(query.count), receipt)
        }
        let count = Double(max(parts.count, 1))
        func mean(_ value: (Receipt) -> UInt64) -> Double {
            parts.reduce(0) { $0 + Double(value($1.1)) } / count
        }
        return MeasuredSetting(
            setting: RecallSetting(
                recall: Float(parts.reduce(0) { $0 + $1.0 } / count), probes: probes,
                radius: radius),
            codesScanned: mean(\.codesScanned), vectorsCompared: mean(\.vectorsScored),
            locationsActive: mean { UInt64($0.locationsActive) },
            shardsAsked: mean { UInt64($0.shardsAsked) })
    }

    /// The neighbours of a point, without itself.
    private func ask(
        _ id: PointID, _ vector: [Float], isExact: Bool = false, probes: UInt32 = 0,
        radius: Float = 0
    ) async throws(LociError) -> (matches: [Match], receipt: Receipt) {
        let answer = try await client.query(
            collection, vector: vector, k: neighbours + 1, isExact: isExact, probes: Int(probes),
            withPayload: false, radius: metric == .dot ? 0 : radius)
        guard !answer.isDegraded else {
            throw LociError(
                .unavailable, "A shard did not answer: what it holds would count as not found.",
                advice: "Tune again when `loci status` shows all shards up.")
        }
        return (Array(answer.matches.filter { $0.id != id }.prefix(neighbours)), answer.receipt)
    }

    private func isNear(_ score: Float, _ bound: Float) -> Bool {
        let slack = abs(bound) * 1e-5
        return metric == .l2 ? score <= bound + slack : score >= bound - slack
    }
}
