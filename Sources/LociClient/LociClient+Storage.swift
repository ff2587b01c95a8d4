import LociBase
public import LociModel
public import LociWire

/// How far a scrub of all shards is, and what it has found.
public struct ScrubReport: Equatable, Sendable {
    /// Shards that are still at it.
    public let shardsRunning: Int
    public let pagesVerified: UInt64
    /// Pages that no repair could save.
    public let pagesDamaged: UInt64
    /// The first of them.
    public let damaged: [PageAddress]
    public let receipt: Receipt
}

extension LociClient {
    /// Where the pages of a field lie: extents of 1 MiB that have pages anywhere, partition by
    /// partition, ascending. Called with what one answer holds, until all is told.
    /// - Returns: The receipts of all requests.
    /// - Throws: NOT_FOUND.
    @discardableResult
    public func residency(
        of field: String, _ body: (_ pageBytes: Int, _ extents: [ExtentResidency]) -> Void
    ) async throws(LociError) -> Receipt {
        var question = Residency(field: field)
        var receipts: [Receipt] = []
        while true {
            let message = try await call(.residency(question))
            guard case .residencyAnswer(let answer) = message.body, message.bulk.count == 1 else {
                throw unexpected(message)
            }
            body(Int(answer.pageBytes), ExtentResidency.decoded(message.bulk[0]))
            receipts.append(answer.receipt)
            guard answer.hasMore else { return .sum(receipts) }
            // A cursor that does not move on would never end.
            let isAhead =
                (answer.partition, answer.extent) > (question.partition, question.extent)
            guard isAhead else { throw unexpected(message) }
            question.partition = answer.partition
            question.extent = answer.extent
        }
    }

    /// Lets every shard read and check all that it stores, in the background; one that is at it
    /// already goes on.
    /// A shard that is down is not scrubbed: the receipt is not complete then.
    /// - Parameter bytesPerSecond: Of each shard; 0 lets it choose.
    public func startScrub(bytesPerSecond: UInt64 = 0) async throws(LociError) -> ScrubReport {
        try await scrub(Scrub(bytesPerSecond: bytesPerSecond))
    }

    /// How far the scrub is that was started last. Where the receipt is not complete, some shard
    /// did not answer and its part is missing.
    /// - Throws: FAILED_PRECONDITION when a shard has begun none since it was started.
    public func scrubReport() async throws(LociError) -> ScrubReport {
        try await scrub(Scrub(isQuestion: true))
    }

    private func scrub(_ scrub: Scrub) async throws(LociError) -> ScrubReport {
        let message = try await call(.scrub(scrub))
        guard case .scrubAnswer(let answer) = message.body, message.bulk.count == 1 else {
            throw unexpected(message)
        }
        return ScrubReport(
            shardsRunning: Int(answer.shardsRunning), pagesVerified: answer.pagesVerified,
            pagesDamaged: answer.pagesDamaged, damaged: DamagedPages.decoded(message.bulk[0]),
            receipt: answer.receipt)
    }

    /// Makes a snapshot of the whole cluster at one point while writes go on, and waits until it is
    /// complete; the count is of its bytes. After DEADLINE_EXCEEDED it may still be completed:
    /// `snapshots` says.
    /// - Throws: ALREADY_EXISTS; RESOURCE_EXHAUSTED while another is being made; UNAVAILABLE when a
    ///   shard is missing or goes meanwhile: nothing of the snapshot is visible then.
    public func createSnapshot(_ name: String) async throws(LociError) -> Outcome {
        try Outcome(try await call(.createSnapshot(CreateSnapshot(name: name))))
    }

    /// Complete snapshots, and the name of the one that is being made.
    public func snapshots() async throws(LociError) -> SnapshotsAnswer {
        let message = try await call(.listSnapshots)
        guard case .snapshots(let answer) = message.body else { throw unexpected(message) }
        return answer
    }
}
