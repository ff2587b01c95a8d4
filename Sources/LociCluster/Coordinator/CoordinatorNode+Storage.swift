import LociBase
import LociModel
import LociPlacement
import LociWire

/// What shards say of the pages of one partition of a field.
struct ResidencyOperation: Sendable {
    let field: FieldDefinition
    let partition: PartitionIndex
    var answer: ResidencyAnswer?
    var extents = Bytes()
}

/// What all shards say of their scrubs.
struct ScrubOperation: Sendable {
    var answer = ScrubAnswer(shardsRunning: 0, pagesVerified: 0, pagesDamaged: 0)
    var damaged: [PageAddress] = []
}

/// Where pages lie, and whether they are sound.
extension CoordinatorNode {
    mutating func residency(
        _ question: Residency, _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let field = try field(named: question.field)
        guard Int(question.partition) < metadata.map.partitions else {
            throw LociError(
                .invalidArgument, "There is no partition \(question.partition).",
                advice: "They are numbered from 0 to \(metadata.map.partitions - 1).")
        }
        let number = begin(
            .residency(ResidencyOperation(field: field, partition: question.partition)), client,
            deadline)
        var operation = operations.removeValue(forKey: number)!
        ask(
            metadata.map.shard(of: question.partition),
            .shardResidency(
                ShardResidency(
                    space: field.space, partition: question.partition, extent: question.extent)),
            part: 0, for: &operation, into: &directives)
        resume(operation, into: &directives)
    }

    func takeResidency(
        _ answer: ResidencyAnswer, _ bulk: Bytes, _ operation: inout Operation
    ) {
        guard case .residency(var residency) = operation.kind else { return }
        residency.answer = answer
        residency.extents = bulk
        operation.kind = .residency(residency)
    }

    mutating func finish(
        _ residency: ResidencyOperation, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        guard let part = residency.answer, operation.failure == nil else {
            let error = operation.failure ?? LociError(.internal, "A shard answered out of turn.")
            return fail(operation, error, into: &directives)
        }
        let next = residency.partition + 1
        let isLast = Int(next) >= metadata.map.partitions
        let answered = ResidencyAnswer(
            pageBytes: UInt32(residency.field.pageBytes),
            partition: part.hasMore ? residency.partition : isLast ? 0 : next,
            extent: part.hasMore ? part.extent : 0, hasMore: part.hasMore || !isLast,
            receipt: receipt(of: operation))
        answer(
            operation, .residencyAnswer(answered), bulk: [residency.extents], into: &directives)
    }

    mutating func scrub(
        _ scrub: Scrub, _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) {
        let number = begin(.scrub(ScrubOperation()), client, deadline)
        var operation = operations.removeValue(forKey: number)!
        for shard in 0..<ShardIndex(metadata.map.shards) {
            ask(shard, .scrub(scrub), part: Int(shard), for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    func takeScrub(_ answer: ScrubAnswer, _ bulk: Bytes, _ operation: inout Operation) {
        guard case .scrub(var scrub) = operation.kind else { return }
        scrub.answer.shardsRunning += answer.shardsRunning
        scrub.answer.pagesVerified += answer.pagesVerified
        scrub.answer.pagesDamaged += answer.pagesDamaged
        scrub.damaged += DamagedPages.decoded(bulk)
        operation.kind = .scrub(scrub)
    }

    /// A shard that does not answer shows in the receipt; one that says why it cannot tell fails
    /// the request.
    mutating func finish(
        _ scrub: ScrubOperation, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        var answered = scrub.answer
        answered.receipt = receipt(of: operation)
        if let failure = operation.failure,
            answered.receipt.shardsAnswered == 0 || !failure.isSilence
        {
            return fail(operation, failure, into: &directives)
        }
        let named = Array(scrub.damaged.sorted().prefix(DamagedPages.perAnswer))
        answer(
            operation, .scrubAnswer(answered), bulk: [DamagedPages.encoded(named)],
            into: &directives)
    }
}

extension LociError {
    /// Whether a shard was down, or did not answer in time.
    fileprivate var isSilence: Bool { code == .unavailable || code == .deadlineExceeded }
}
