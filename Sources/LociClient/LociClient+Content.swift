import LociBase
public import LociModel
public import LociWire

extension LociClient {
    /// Restores the pattern that a partial or noisy vector belongs to: each step replaces the
    /// vector by the mean of the points that its address reaches, weighted by the softmax of their
    /// similarities to it (the modern Hopfield update), until nothing moves.
    /// - Parameters:
    ///   - steps: At most, 1 to `Limits.steps`.
    ///   - beta: Inverse temperature: the larger, the fewer points share in a step. 0 lets the
    ///     coordinator choose from the data.
    ///   - probes: As in `query`; so are `radius` and `recall`.
    /// - Throws: NOT_FOUND; INVALID_ARGUMENT. An answer that lacks a shard's part is not thrown but
    ///   flagged `isDegraded`.
    public func complete(
        _ collection: String, vector: [Float], steps: Int = 5, beta: Float = 0, probes: Int = 0,
        radius: Float = 0, recall: Float = 0
    ) async throws(LociError) -> Completion {
        let body = Complete(
            collection: collection, steps: UInt32(clamping: steps), beta: beta,
            probes: UInt32(clamping: probes), radius: radius, recall: recall)
        return try Completion(try await call(.complete(body), bulk: [Bytes(values: vector)]))
    }

    /// What a collection is made of: its points, postings and bytes. A shard that does not answer
    /// shows in the receipt: its part is missing.
    /// - Throws: NOT_FOUND.
    public func collectionReport(
        _ collection: String
    ) async throws(LociError) -> CollectionReport {
        let body = CollectionInfo(collection: collection)
        let answer = try await call(.collectionInfo(body))
        guard case .collectionReport(let report) = answer.body else { throw unexpected(answer) }
        return report
    }

    /// Stores how wide addresses have to be for which recall, in place of what was stored; none
    /// at all takes it back. Durable when it returns.
    /// - Parameter tuning: The recalls ascend; at most `Limits.recallSettings`.
    /// - Throws: NOT_FOUND; INVALID_ARGUMENT.
    public func storeTuning(
        _ collection: String, _ tuning: [RecallSetting]
    ) async throws(LociError) {
        let body = StoreTuning(collection: collection, tuning: tuning)
        _ = try await call(.storeTuning(body))
    }

    /// Ids of points in their order, from `from` on, without anything else. To go on, ask from the
    /// last one plus one.
    /// - Parameter limit: 1 to `Limits.pointsPerRequest`.
    /// - Returns: Nothing if a shard does not answer: what it holds is not known then.
    public func ids(
        _ collection: String, from: PointID = 0, limit: Int = Limits.pointsPerRequest
    ) async throws(LociError) -> (ids: [PointID], hasMore: Bool)? {
        let body = Scroll(
            collection: collection, from: from, limit: UInt32(clamping: limit), idsOnly: true)
        let points = try Points(try await call(.scroll(body)))
        return points.isDegraded ? nil : (points.points.map(\.id), points.hasMore)
    }

    /// Random points with their vectors, without payloads, each once.
    /// - Parameters:
    ///   - count: 1 to `Limits.pointsPerRequest`. The answer may have somewhat fewer, also if there
    ///     are more points.
    ///   - seed: The same points for the same seed, as long as the points are the same. Not 0.
    /// - Throws: NOT_FOUND.
    public func sample(
        _ collection: String, count: Int, seed: UInt64
    ) async throws(LociError) -> Points {
        precondition(seed != 0)
        let body = Scroll(
            collection: collection, limit: UInt32(clamping: count), sampleSeed: seed)
        let drawn = try Points(try await call(.scroll(body)))
        // Vectors of so many points can be more than an answer holds; several hold them.
        let found = try await retrieve(
            collection, ids: drawn.points.map(\.id), withVector: true)
        return Points(
            points: found.points, receipt: .sum([drawn.receipt, found.receipt]), hasMore: false,
            isDegraded: drawn.isDegraded || found.isDegraded)
    }
}
