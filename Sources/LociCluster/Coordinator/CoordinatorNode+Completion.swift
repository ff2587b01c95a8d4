import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire

/// A pattern on its way to a fixed point.
///
/// Invariants:
/// - `partial` merges what the shards have said of the present state, with `beta`.
/// - While `isChoosing`, beta is still to be chosen, for the vector that was sent: a first round
///   asks for the spread of the similarities, from which it follows if what is stored is without
///   order. Stored vectors that lie close together need a larger one: it is doubled, a round each,
///   until one of them outweighs all others or it is the largest of `SimilaritySpread.betas`.
struct CompletionOperation: Sendable {
    let definition: CollectionDefinition
    let width: AddressWidth
    let steps: Int
    let vector: [Float]
    var beta: Float
    var isChoosing: Bool
    var doublings = 0
    var association: DenseAssociation
    var partial: SoftmaxPartial
    /// Of the vector that was sent; nil until the first round has said.
    var familiarity: Float?
    var hasSkipped = false

    /// Weights of all points together, in units of the most similar one's, that still count as one
    /// outweighing the others. Copies of a point count as one more each, so this is no bound for
    /// them: `mostDoublings` is.
    static let dominance = 1.1
    static let mostDoublings = 6

    init(
        _ body: Complete, _ vector: [Float], width: AddressWidth, _ definition: CollectionDefinition
    ) {
        self.definition = definition
        self.width = width
        steps = Int(body.steps)
        self.vector = vector
        beta = body.beta
        isChoosing = body.beta == 0
        association = DenseAssociation(vector, metric: definition.metric)
        partial = SoftmaxPartial(dimension: definition.dimension, beta: body.beta)
    }
}

extension CompletionOperation {
    /// Goes on to the next beta.
    /// - Returns: False if the present one, which was asked with, is good.
    mutating func sharpen() -> Bool {
        if beta == 0 {
            beta = partial.spread.recallBeta
            return true
        }
        let largest = SimilaritySpread.betas.upperBound
        isChoosing =
            partial.exponentials > Self.dominance && doublings < Self.mostDoublings
            && beta < largest
        if isChoosing {
            doublings += 1
            beta = min(beta * 2, largest)
        }
        return isChoosing
    }
}

/// Restoring patterns: each step asks the shards of the present state's address for their part of
/// the softmax over what the address reaches, and merges the parts exactly.
extension CoordinatorNode {
    mutating func complete(
        _ body: Complete, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let definition = try collection(named: body.collection)
        let vector = try self.vector(bulk[0], for: definition)
        let width = width(
            probes: body.probes, radius: body.radius, recall: body.recall, definition)
        let number = begin(
            .completion(CompletionOperation(body, vector, width: width, definition)), client,
            deadline)
        let operation = operations.removeValue(forKey: number)!
        askForStep(operation, into: &directives)
    }

    private mutating func askForStep(
        _ started: Operation, into directives: inout [CoordinatorDirective]
    ) {
        guard case .completion(var completion) = started.kind else { return }
        var operation = started
        let state = completion.association.state
        completion.partial = SoftmaxPartial(dimension: state.count, beta: completion.beta)
        operation.kind = .completion(completion)
        let wanted = address(of: state, completion.width, completion.definition)
        operation.receipt.locationsActive += UInt32(wanted.count)
        let body = ShardComplete(space: completion.definition.space, beta: completion.beta)
        for (shard, locations) in byShard(wanted) {
            ask(
                shard, .shardComplete(body), bulk: [Bytes(values: state), locations],
                part: Int(shard), for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    func take(_ answer: PartialCompletion, _ sums: Bytes, _ operation: inout Operation) {
        guard case .completion(var completion) = operation.kind else { return }
        guard sums.count == completion.vector.count * 8 else {
            return operation.note(LociError(.internal, "A shard's sum has another dimension."))
        }
        if answer.isDegraded { completion.hasSkipped = true }
        completion.partial.merge(SoftmaxPartial(answer, beta: completion.beta, sums: sums))
        operation.kind = .completion(completion)
    }

    /// All parts of a round are there, or will not come.
    mutating func advance(
        _ asked: CompletionOperation, _ done: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        var completion = asked
        var operation = done
        if let failure = operation.failure {
            let isNothing = receipt(of: operation).shardsAnswered == 0
            if isNothing || failure.isAboutTheRequest {
                return fail(operation, failure, into: &directives)
            }
        }
        if completion.familiarity == nil {
            completion.familiarity = DenseAssociation.familiarity(
                of: completion.vector, metric: completion.definition.metric,
                partial: completion.partial)
        }
        if operation.deadline <= now {
            // What was sent is no answer.
            if completion.association.steps == 0 {
                return fail(operation, Self.overdue, into: &directives)
            }
            return finish(completion, operation, isCut: true, into: &directives)
        }
        if completion.isChoosing, completion.sharpen() {
            operation.kind = .completion(completion)
            return askForStep(operation, into: &directives)
        }
        completion.association.advance(completion.partial)
        operation.kind = .completion(completion)
        if completion.association.isFixedPoint
            || completion.association.steps >= completion.steps
        {
            return finish(completion, operation, into: &directives)
        }
        askForStep(operation, into: &directives)
    }

    /// - Parameter isCut: Whether steps are missing for which there was no time.
    private mutating func finish(
        _ completion: CompletionOperation, _ operation: Operation, isCut: Bool = false,
        into directives: inout [CoordinatorDirective]
    ) {
        let restored = CompletionAnswer(
            steps: UInt32(completion.association.steps),
            hasConverged: completion.association.isFixedPoint,
            familiarity: completion.familiarity ?? 0, beta: completion.beta,
            receipt: receipt(of: operation),
            isDegraded: isCut || operation.failure != nil || completion.hasSkipped)
        answer(
            operation, .completionAnswer(restored),
            bulk: [Bytes(values: completion.association.state)], into: &directives)
    }
}
