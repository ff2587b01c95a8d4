import LociBase
import LociModel
import LociPlacement
import LociWire

/// Being told what will be read, and telling clients where shards are.
///
/// Advice does not fail because a shard is down: the receipt says who answered. It fails if nobody
/// did.
extension CoordinatorNode {
    func answerPlacement(
        _ client: Operation.Client, into directives: inout [CoordinatorDirective]
    ) {
        let shards = zip(endpoints, sessions).map { endpoint, session in
            ShardPlace(endpoint: endpoint, incarnation: session.isUp ? session.incarnation : 0)
        }
        let answer = PlacementAnswer(
            clusterID: metadata.clusterID, partitions: UInt32(metadata.map.partitions),
            shards: shards)
        reply(
            client, .placementAnswer(answer), bulk: [metadata.catalog.encoded], into: &directives)
    }

    mutating func prefetch(
        _ prefetch: PrefetchCells, _ bulk: [Bytes], _ client: Operation.Client,
        _ deadline: Instant, into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let field = try indexedField(named: prefetch.field, identity: prefetch.identity)
        let cells = try cells(
            first: prefetch.first, count: prefetch.count,
            bulk: prefetch.isScattered ? bulk[0] : nil, field.definition)
        let body = Body.shardPrefetch(
            ShardPrefetch(
                space: field.definition.space, identity: prefetch.identity, ticket: prefetch.ticket,
                client: client.peer, lifetimeMicroseconds: prefetch.lifetimeMicroseconds,
                neededInMicroseconds: prefetch.neededInMicroseconds))
        let number = begin(.prefetch(TicketAnswer(ticket: prefetch.ticket)), client, deadline)
        askOwners(of: cells, field, body, operation: number, into: &directives)
    }

    mutating func release(
        _ release: ReleaseCells, _ bulk: [Bytes], _ client: Operation.Client,
        _ deadline: Instant, into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let field = try indexedField(named: release.field, identity: release.identity)
        let cells = try cells(
            first: release.first, count: release.count,
            bulk: release.isScattered ? bulk[0] : nil, field.definition)
        let body = Body.shardRelease(
            ShardRelease(
                space: field.definition.space, identity: release.identity,
                neededInMicroseconds: release.neededInMicroseconds))
        let number = begin(.release(count: UInt64(cells.count)), client, deadline)
        askOwners(of: cells, field, body, operation: number, into: &directives)
    }

    /// Sends each shard the cells that live there.
    private mutating func askOwners(
        of cells: [CellIndex], _ field: IndexedField, _ body: Body, operation number: UInt64,
        into directives: inout [CoordinatorDirective]
    ) {
        let plan = ReadPlan(cells, field.geometry, metadata.map, isScattered: true)
        var operation = operations.removeValue(forKey: number)!
        for (part, shard) in plan.shards.enumerated() {
            ask(
                shard, body, bulk: [Bytes(values: plan.cells[part])], part: part,
                for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    mutating func ask(
        _ ticket: Ticket, _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) {
        let number = begin(.prefetch(TicketAnswer(ticket: ticket.ticket)), client, deadline)
        var operation = operations.removeValue(forKey: number)!
        for shard in sessions.indices {
            ask(
                ShardIndex(shard), .ticket(ticket), part: shard, for: &operation,
                into: &directives)
        }
        resume(operation, into: &directives)
    }

    func takeTicket(_ answer: TicketAnswer, _ operation: inout Operation) {
        guard case .prefetch(var sum) = operation.kind else { return }
        sum.add(answer)
        operation.receipt.addWork(of: answer.receipt)
        operation.kind = .prefetch(sum)
    }

    mutating func finish(
        _ sum: TicketAnswer, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        var answer = sum
        answer.receipt = receipt(of: operation)
        if let failure = operation.failure, answer.receipt.shardsAnswered == 0 {
            return fail(operation, failure, into: &directives)
        }
        if answer.pages == 0 {
            return fail(operation, Self.unknownTicket, into: &directives)
        }
        self.answer(operation, .ticketAnswer(answer), into: &directives)
    }

    private static let unknownTicket = LociError(
        .notFound, "No shard that answers knows this ticket.",
        advice: "A ticket is forgotten some time after all its pages are there or given up.")

    mutating func finish(
        release count: UInt64, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        let receipt = receipt(of: operation)
        if let failure = operation.failure, receipt.shardsAnswered == 0 {
            return fail(operation, failure, into: &directives)
        }
        answer(
            operation, .acknowledged(Acknowledged(count: count, receipt: receipt)),
            into: &directives)
    }
}
