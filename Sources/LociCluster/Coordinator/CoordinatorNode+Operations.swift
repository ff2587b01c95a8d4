import LociBase
import LociModel
import LociPlacement
import LociWire

/// Starting, following and ending operations.
extension CoordinatorNode {
    @discardableResult
    mutating func begin(
        _ kind: Operation.Kind, _ client: Operation.Client?, _ deadline: Instant
    ) -> UInt64 {
        nextOperation += 1
        operations[nextOperation] = Operation(
            number: nextOperation, client: client, started: now, deadline: deadline, kind: kind)
        return nextOperation
    }

    /// Asks a shard for a part of an operation. A shard that is down fails the part at once, when
    /// the operation is next looked at: call `resume` after the last `ask`.
    mutating func ask(
        _ shard: ShardIndex, _ body: Body, bulk: [Bytes] = [], part: Int, sequence: UInt64 = 0,
        for operation: inout Operation, into directives: inout [CoordinatorDirective]
    ) {
        operation.shardsAsked.insert(shard)
        guard sessions[Int(shard)].isUp else {
            operation.shardsFailed.insert(shard)
            operation.note(unavailable(shard))
            return
        }
        nextRequest += 1
        var header = shardHeader(shard, request: nextRequest)
        header.sequence = sequence
        header.deadlineMicroseconds = operation.deadline.microseconds(since: now)
        awaited[nextRequest] = Awaited(operation: operation.number, shard: shard, part: part)
        operation.requests.append(nextRequest)
        operation.outstanding += 1
        directives.append(.send(shard, Message(header, body, bulk: bulk)))
    }

    /// Puts an operation back after a step; when no part is outstanding, it takes the next step.
    mutating func resume(
        _ operation: Operation, into directives: inout [CoordinatorDirective]
    ) {
        var operation = operation
        if operation.outstanding == 0 {
            stepDone(operation, into: &directives)
        } else {
            operation.decidingNanoseconds += elapsedNanoseconds
            operations[operation.number] = operation
        }
    }

    /// A part was answered, or will not be.
    mutating func partDone(
        _ part: Awaited, _ result: Result<Message, LociError>,
        into directives: inout [CoordinatorDirective]
    ) {
        guard var operation = operations.removeValue(forKey: part.operation) else { return }
        operation.outstanding -= 1
        switch result {
        case .success(let message):
            take(message, part, &operation, into: &directives)
        case .failure(let error):
            operation.shardsFailed.insert(part.shard)
            operation.note(error)
        }
        resume(operation, into: &directives)
    }

    /// Lays what a shard answered into the operation.
    private mutating func take(
        _ message: Message, _ part: Awaited, _ operation: inout Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        switch message.body {
        case .cells(let cells):
            operation.receipt.addWork(of: cells.receipt)
            takeCells(message.bulk, part.part, &operation)
            learn(from: cells.receipt, part, of: operation)
        case .acknowledged(let done):
            operation.receipt.addWork(of: done.receipt)
            takeAcknowledged(done, part, &operation, into: &directives)
        case .claimed: takeTargets(message.bulk[0], part.part, &operation)
        case .matches(let matches):
            operation.receipt.addWork(of: matches.receipt)
            takeMatches(matches, message.bulk, &operation)
        case .points(let points):
            operation.receipt.addWork(of: points.receipt)
            takePoints(points, message.bulk, part, &operation)
        case .shardMemoryAnswer(let answer):
            operation.receipt.addWork(of: answer.receipt)
            takeSums(message.bulk, &operation)
        case .residencyAnswer(let residency):
            takeResidency(residency, message.bulk[0], &operation)
        case .ticketAnswer(let answer): takeTicket(answer, &operation)
        case .partialCompletion(let partial):
            operation.receipt.addWork(of: partial.receipt)
            take(partial, message.bulk[0], &operation)
        case .collectionReport(let report):
            operation.receipt.addWork(of: report.receipt)
            take(report, &operation)
        case .scrubAnswer(let scrub): takeScrub(scrub, message.bulk[0], &operation)
        default:
            operation.failure =
                operation.failure
                ?? LociError(.internal, "Shard \(part.shard) answered out of turn.")
        }
    }

    /// Nothing is outstanding: the operation ends or takes its next step.
    private mutating func stepDone(
        _ operation: Operation, into directives: inout [CoordinatorDirective]
    ) {
        switch operation.kind {
        case .definition: definitionInstalled(operation, into: &directives)
        case .read(let read): finish(read, operation, into: &directives)
        case .write(let count): finish(write: count, operation, into: &directives)
        case .mutation(let mutation): advance(mutation, operation, into: &directives)
        case .query(let query): finish(query, operation, into: &directives)
        case .retrieve(let retrieve): advance(retrieve, operation, into: &directives)
        case .scroll(let scroll): finish(scroll, operation, into: &directives)
        case .count(let total): finish(count: total, operation, into: &directives)
        case .sample(let sample): finish(sample, operation, into: &directives)
        case .plant(let space): planted(space, operation)
        case .findMoves(let space, let partition, let found, let hasMore):
            foundMoves(space, partition, found, hasMore, operation, into: &directives)
        case .memoryRead(let read): advance(read, operation, into: &directives)
        case .residency(let residency): finish(residency, operation, into: &directives)
        case .scrub(let scrub): finish(scrub, operation, into: &directives)
        case .snapshot(let snapshot): advance(snapshot, operation, into: &directives)
        case .prefetch(let answer): finish(answer, operation, into: &directives)
        case .release(let count): finish(release: count, operation, into: &directives)
        case .completion(let completion): advance(completion, operation, into: &directives)
        case .report(let report, let definition):
            finish(report, of: definition, operation, into: &directives)
        case .listSnapshots, .held:
            // Only its deadline ends it here.
            fail(operation, operation.failure ?? Self.overdue, into: &directives)
        }
    }

    // MARK: Ends

    func receipt(of operation: Operation) -> Receipt {
        var receipt = operation.receipt
        receipt.shardsAsked = UInt32(operation.shardsAsked.count)
        receipt.shardsAnswered = UInt32(
            operation.shardsAsked.subtracting(operation.shardsFailed).count)
        receipt.totalMicroseconds =
            now.microseconds(since: operation.started) + elapsedNanoseconds / 1000
        receipt.coordinatorMicroseconds =
            (operation.decidingNanoseconds + elapsedNanoseconds) / 1000
        return receipt
    }

    mutating func answer(
        _ operation: Operation, _ body: Body, bulk: [Bytes] = [],
        into directives: inout [CoordinatorDirective]
    ) {
        forget(operation)
        guard let client = operation.client else { return }
        let size = bulk.map(\.count).max() ?? 0
        if size > Limits.frameBytes {
            let error = LociError(
                .resourceExhausted,
                "The answer has \(size) bytes; \(Limits.frameBytes) are the most.",
                advice: "Ask for less at once.")
            return reply(client, .failure(error), into: &directives)
        }
        reply(client, body, bulk: bulk, into: &directives)
    }

    mutating func fail(
        _ operation: Operation, _ error: LociError, into directives: inout [CoordinatorDirective]
    ) {
        answer(operation, .failure(error), into: &directives)
    }

    private mutating func forget(_ operation: Operation) {
        operations[operation.number] = nil
        for request in operation.requests { awaited[request] = nil }
        if case .held(_, let bulk) = operation.kind { forgetHeld(operation.number, bulk) }
        if operation.kind.readSpace != nil { endedReaders.append(operation.number) }
    }

    static let overdue = LociError(
        .deadlineExceeded, "The answer did not come in time.",
        advice: "Allow more time with --deadline, or ask for less.")

    /// Cuts off what has passed its deadline. Queries and counts answer with what they have.
    mutating func endOverdue(into directives: inout [CoordinatorDirective]) {
        let overdue = operations.values.filter { $0.deadline <= now }.map(\.number).sorted()
        for number in overdue {
            guard var operation = operations[number] else { continue }
            for request in operation.requests {
                if let part = awaited[request] { operation.shardsFailed.insert(part.shard) }
            }
            operation.note(Self.overdue)
            operation.outstanding = 0
            operations[number] = nil
            for request in operation.requests { awaited[request] = nil }
            stepDone(operation, into: &directives)
        }
    }
}
