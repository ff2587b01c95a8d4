import LociBase
public import LociModel

extension Message {
    /// Checks all that can be checked without the catalog: names, counts against `Limits`, the
    /// number and sizes of the bulk frames against the body, finite vectors. What has passed can be
    /// read without further checks of lengths.
    /// - Throws: INVALID_ARGUMENT with a sentence that a client can be shown.
    public func validated() throws(LociError) {
        let frames = BulkFrames(bulk)
        switch body {
        case .createField(let body): try body.validate(frames)
        case .dropField(let body): try validate(name: body.name, frames)
        case .createCollection(let body): try validate(name: body.name, frames)
        case .dropCollection(let body): try validate(name: body.name, frames)
        case .readCells(let body): try body.validate(frames)
        case .writeCells(let body): try body.validate(frames)
        case .upsert(let body): try body.validate(frames)
        case .query(let body): try body.validate(frames)
        case .retrieve(let body): try validate(body.collection, ids: frames)
        case .scroll(let body): try body.validate(frames)
        case .count(let body): try validate(name: body.collection, frames)
        case .deletePoints(let body): try validate(body.collection, ids: frames)
        case .residency(let body): try validate(name: body.field, frames)
        case .createSnapshot(let body): try validate(name: body.name, frames)
        case .prefetchCells(let body): try body.validate(frames)
        case .releaseCells(let body): try body.validate(frames)

        case .complete(let body): try body.validate(frames)
        case .collectionInfo(let body): try validate(name: body.collection, frames)
        case .storeTuning(let body): try body.validate(frames)
        case .createMemory(let body): try validate(name: body.name, frames)
        case .dropMemory(let body): try validate(name: body.name, frames)
        case .writeMemory(let body):
            try checkName(body.name)
            try frames.addressesAndData(count: body.count)
        case .readMemory(let body): try body.validate(frames)

        case .completionAnswer: _ = try frames.vector(of: 1)
        case .collectionReport(let body): try body.validate(frames)
        case .memoryAnswer(let body): try body.validate(frames)
        case .cells(let body): try body.validate(frames)
        case .matches(let body): try body.validate(frames)
        case .points(let body): try body.validate(frames)
        case .residencyAnswer: try frames.expect(1, multipleOf: ExtentResidency.encodedBytes)
        case .scrubAnswer: try frames.expect(1, multipleOf: DamagedPages.encodedBytes)
        case .catalog, .install, .placementAnswer: try frames.expect(1)

        case .pong: try frames.expect(1)
        case .shardRead, .shardPrefetch, .shardRelease: _ = try frames.cells(1)
        case .shardWrite: try frames.cellsAndBytes()
        case .claim(let body): try frames.idsAndTargets(optional: body.isLookup)
        case .settle: try frames.idsAndTargets(optional: false)
        case .claimed(let body): try frames.targets(count: Int(body.count))
        case .put: try frames.pointsToPut()
        case .remove, .fetch: try frames.expect(1, multipleOf: 8)
        case .plant: try frames.centroids()
        case .news: try frames.news()
        case .shardQuery(let body): try body.validate(frames)
        case .shardScroll(let body): try body.validate(frames)
        case .shardSnapshot(let body): try validate(name: body.name, frames)
        case .shardComplete(let body): try body.validate(frames)
        case .partialCompletion: try frames.weightedSum()
        case .shardMemoryWrite(let body): try frames.addressesAndData(count: body.count)
        case .shardMemoryRead(let body): try frames.addresses(1, count: body.count)
        case .shardMemoryAnswer(let body): try body.validate(frames)
        case .hint: try frames.hints()
        case .gossip: try frames.expect(1)

        case .describe, .status, .failure, .acknowledged, .statusAnswer, .hello, .welcome, .ping,
            .askNews, .shardCount, .scrub, .listSnapshots, .snapshots, .shardResidency,
            .placement, .ticket, .ticketAnswer, .shardCollectionInfo:
            try frames.expect(0)
        }
    }

    private func validate(name: String, _ frames: BulkFrames) throws(LociError) {
        try checkName(name)
        try frames.expect(0)
    }

    private func validate(_ collection: String, ids frames: BulkFrames) throws(LociError) {
        try checkName(collection)
        try frames.expect(1, multipleOf: 8)
        try checkPointCount(frames[0].count / 8)
    }
}

/// - Throws: INVALID_ARGUMENT unless `count` is 1 to `Limits.pointsPerRequest`.
func checkPointCount(_ count: Int) throws(LociError) {
    guard (1...Limits.pointsPerRequest).contains(count) else {
        throw LociError(
            .invalidArgument, "A request for \(count) points is not possible.",
            advice: "Name 1 to \(Limits.pointsPerRequest) points in one request.")
    }
}

/// - Throws: INVALID_ARGUMENT unless `count` is 1 to `Limits.cellsPerRequest`.
func checkCellCount(_ count: UInt64) throws(LociError) {
    guard count >= 1, count <= UInt64(Limits.cellsPerRequest) else {
        throw LociError(
            .invalidArgument, "A request for \(count) cells is not possible.",
            advice: "Name 1 to \(Limits.cellsPerRequest) cells in one request.")
    }
}

/// - Throws: INVALID_ARGUMENT unless `k` is 1 to `Limits.neighbours`.
func checkNeighbours(_ k: UInt32) throws(LociError) {
    guard k >= 1, k <= UInt32(Limits.neighbours) else {
        throw LociError(
            .invalidArgument, "A query for \(k) neighbours is not possible.",
            advice: "Choose k from 1 to \(Limits.neighbours).")
    }
}
