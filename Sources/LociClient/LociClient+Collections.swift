public import LociBase
public import LociModel
public import LociWire

extension LociClient {
    /// Creates an empty collection of vectors.
    /// - Throws: ALREADY_EXISTS; INVALID_ARGUMENT.
    public func createCollection(
        _ name: String, dimension: Int, metric: Metric, options: CollectionOptions = .init()
    ) async throws(LociError) {
        guard let dimension = UInt32(exactly: dimension) else {
            throw LociError(
                .invalidArgument, "A dimension of \(dimension) is not possible.",
                advice: "Choose 1 to \(Limits.dimension).")
        }
        let body = CreateCollection(
            name: name, dimension: dimension, metric: metric, options: options)
        _ = try await call(.createCollection(body))
    }

    /// Creates an empty collection of texts, which the coordinator encodes by itself.
    /// - Throws: ALREADY_EXISTS; INVALID_ARGUMENT.
    public func createTextCollection(
        _ name: String, options: CollectionOptions = .init()
    ) async throws(LociError) {
        let body = CreateCollection(
            name: name, dimension: 0, metric: .cosine, isText: true, options: options)
        _ = try await call(.createCollection(body))
    }

    /// Removes a collection and all its points.
    /// - Throws: NOT_FOUND.
    public func dropCollection(_ name: String) async throws(LociError) {
        _ = try await call(.dropCollection(DropCollection(name: name)))
    }

    /// Stores points, replacing those of the same id. Durable and searchable when it returns. Many
    /// points travel as several requests: after a failure some of them may have been stored, and
    /// the call can be repeated.
    /// - Parameters:
    ///   - vectors: One row of the collection's dimension for each id, one after the other.
    ///   - payloads: JSON of at most `Limits.payloadBytes` for each id, or empty for none at all.
    /// - Throws: NOT_FOUND; INVALID_ARGUMENT for a wrong dimension, a NaN or an infinity.
    public func upsert(
        _ collection: String, ids: [PointID], vectors: [Float], payloads: [String] = []
    ) async throws(LociError) -> Outcome {
        guard !ids.isEmpty, vectors.count % ids.count == 0, !vectors.isEmpty else {
            throw LociError(
                .invalidArgument, "\(vectors.count) numbers are no rows for \(ids.count) points.",
                advice: "Give one row of the collection's dimension for every id.")
        }
        let dimension = vectors.count / ids.count
        let payloads = try PayloadColumn(payloads, count: ids.count)
        let sizes = ids.indices.map { 12 + dimension * 4 + payloads.size($0) }
        return try await upsert(sizes) { part in
            let rows = (part.lowerBound * dimension)..<(part.upperBound * dimension)
            let body = Upsert(collection: collection, count: UInt32(part.count))
            let frames = [Bytes(values: Array(ids[part])), Bytes(values: Array(vectors[rows]))]
            return (body, frames + payloads.frames(part))
        }
    }

    /// Stores passages of text; otherwise like `upsert(_:ids:vectors:payloads:)`.
    public func upsert(
        _ collection: String, ids: [PointID], texts: [String], payloads: [String] = []
    ) async throws(LociError) -> Outcome {
        guard !ids.isEmpty, texts.count == ids.count else {
            throw LociError(
                .invalidArgument, "\(texts.count) texts do not go with \(ids.count) ids.",
                advice: "Give one text for every id.")
        }
        let texts = try PayloadColumn(texts, count: ids.count)
        let payloads = try PayloadColumn(payloads, count: ids.count)
        let sizes = ids.indices.map { 16 + texts.size($0) + payloads.size($0) }
        return try await upsert(sizes) { part in
            let body = Upsert(collection: collection, count: UInt32(part.count), isText: true)
            let frames = [Bytes(values: Array(ids[part]))]
            return (body, frames + texts.frames(part) + payloads.frames(part))
        }
    }

    private func upsert(
        _ sizes: [Int], _ request: @escaping @Sendable (Range<Int>) -> (Upsert, [Bytes])
    ) async throws(LociError) -> Outcome {
        let parts = Chunks.ranges(sizes: sizes, itemLimit: Limits.pointsPerRequest)
        return try await outcome(parts) { part in
            let (body, bulk) = request(part)
            return (.upsert(body), bulk)
        }
    }

    /// The k points nearest to a vector.
    /// - Parameters:
    ///   - k: 1 to `Limits.neighbours`.
    ///   - isExact: Compare with every point instead of those near by address.
    ///   - probes: Hard locations to look at, with a radius at least so many; 0 lets the
    ///     coordinator choose.
    ///   - maxTier: Postings in slower tiers are skipped: the answer is `isDegraded` then.
    ///   - filter: Only points whose payload passes, such as `year >= 2024 and topic = "sport"`;
    ///     empty means all. See `Filter`.
    ///   - recall: The part of the true neighbours that is wanted, below 1; 0 means as the
    ///     collection is tuned.
    ///   - radius: Hard locations within this factor of the nearest one's squared distance are
    ///     looked at; 0 lets the coordinator choose.
    /// - Throws: NOT_FOUND; INVALID_ARGUMENT. An answer that lacks a shard's part is not thrown but
    ///   flagged `isDegraded`.
    public func query(
        _ collection: String, vector: [Float], k: Int = 10, isExact: Bool = false, probes: Int = 0,
        withPayload: Bool = true, withVector: Bool = false, maxTier: Tier? = nil,
        filter: String = "", recall: Float = 0, radius: Float = 0
    ) async throws(LociError) -> Matches {
        let body = Query(
            collection: collection, k: UInt32(clamping: k), isExact: isExact,
            withPayload: withPayload, withVector: withVector, probes: UInt32(clamping: probes),
            maxTier: maxTier, filter: filter, recall: recall, radius: radius)
        return try Matches(try await call(.query(body), bulk: [Bytes(values: vector)]))
    }

    /// The k passages nearest to a text; otherwise like `query(_:vector:)`.
    public func query(
        _ collection: String, text: String, k: Int = 10, isExact: Bool = false, probes: Int = 0,
        withPayload: Bool = true, withVector: Bool = false, maxTier: Tier? = nil,
        filter: String = "", recall: Float = 0, radius: Float = 0
    ) async throws(LociError) -> Matches {
        let body = Query(
            collection: collection, k: UInt32(clamping: k), isExact: isExact,
            withPayload: withPayload, withVector: withVector, probes: UInt32(clamping: probes),
            text: text, maxTier: maxTier, filter: filter, recall: recall, radius: radius)
        return try Matches(try await call(.query(body)))
    }

    /// Points by id; those that do not exist are missing from the answer.
    public func retrieve(
        _ collection: String, ids: [PointID], withVector: Bool = false
    ) async throws(LociError) -> Points {
        let body = Retrieve(collection: collection, withVector: withVector)
        // Answers are larger than questions: 64 points with the largest payloads fill a frame.
        let size = Limits.frameBytes / (Limits.payloadBytes + Limits.dimension * 4)
        let parts = Chunks.ranges(count: ids.count, itemBytes: 8, itemLimit: size)
        let answers = try await Chunks.run(parts) { part async throws(LociError) in
            try Points(
                try await self.call(.retrieve(body), bulk: [Bytes(values: Array(ids[part]))]))
        }
        return Points(
            points: answers.flatMap(\.points), receipt: .sum(answers.map(\.receipt)),
            hasMore: false, isDegraded: answers.contains(where: \.isDegraded))
    }

    /// Points in the order of their ids, from `from` on. To go on, ask from the last id plus one.
    public func scroll(
        _ collection: String, from: PointID = 0, limit: Int = 100, withVector: Bool = false
    ) async throws(LociError) -> Points {
        let body = Scroll(
            collection: collection, from: from, limit: UInt32(clamping: limit),
            withVector: withVector)
        return try Points(try await call(.scroll(body)))
    }

    /// How many points there are.
    public func count(_ collection: String) async throws(LociError) -> Outcome {
        try Outcome(try await call(.count(Count(collection: collection))))
    }

    /// Removes points. Durable when it returns; the count is of those that existed.
    public func delete(_ collection: String, ids: [PointID]) async throws(LociError) -> Outcome {
        let body = DeletePoints(collection: collection)
        let parts = Chunks.ranges(
            count: ids.count, itemBytes: 8, itemLimit: Limits.pointsPerRequest)
        return try await outcome(parts) { part in
            (.deletePoints(body), [Bytes(values: Array(ids[part]))])
        }
    }

    /// Shards, collections and what the coordinator is busy with.
    public func status() async throws(LociError) -> StatusAnswer {
        let answer = try await call(.status)
        guard case .statusAnswer(let status) = answer.body else { throw unexpected(answer) }
        return status
    }

    private func outcome(
        _ parts: [Range<Int>], _ request: @escaping @Sendable (Range<Int>) -> (Body, [Bytes])
    ) async throws(LociError) -> Outcome {
        let answers = try await Chunks.run(parts) { part async throws(LociError) in
            let (body, bulk) = request(part)
            return try Outcome(try await self.call(body, bulk: bulk))
        }
        return Outcome(
            count: answers.reduce(0) { $0 + $1.count }, receipt: .sum(answers.map(\.receipt)))
    }
}

/// Texts of a request: their lengths, then their bytes one after the other.
private struct PayloadColumn: Sendable {
    private let texts: [Bytes]
    private let count: Int

    /// No texts at all mean an empty one for each.
    init(_ texts: [String], count: Int) throws(LociError) {
        guard texts.isEmpty || texts.count == count else {
            throw LociError(
                .invalidArgument, "\(texts.count) payloads do not go with \(count) ids.",
                advice: "Give one payload for every id, or none at all.")
        }
        self.texts = texts.map { Bytes(utf8: $0) }
        self.count = count
    }

    func size(_ index: Int) -> Int { 4 + (texts.isEmpty ? 0 : texts[index].count) }

    func frames(_ part: Range<Int>) -> [Bytes] {
        guard !texts.isEmpty else { return [Bytes(zeros: part.count * 4), Bytes()] }
        let lengths = texts[part].map { UInt32($0.count) }
        return [Bytes(values: lengths), Bytes.joined(Array(texts[part]))]
    }
}
