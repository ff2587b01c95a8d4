import LociBase
import LociModel
import LociWire

/// A request that is asked of shards rather than of the coordinator.
///
/// Invariants:
/// - `answers` has a place for each part of the plan; a part is sent before it is answered.
final class DirectOperation {
    enum Stage {
        case asking
        /// The shards' answers no longer count; the coordinator has been asked or will be.
        case fallingBack(isSent: Bool)
    }

    let request: RoutedRequest
    var stage = Stage.asking
    /// Shards that have not answered by then are given up.
    let patience: ContinuousClock.Instant
    let begun = ContinuousClock.now
    private(set) var plan: CellPlan?
    private(set) var cellBytes = 0
    private(set) var frames: [[Bytes]] = []
    private(set) var answers: [Message?] = []
    private var remaining = 0
    /// Parts that are still to be sent: their sockets had no connection, or no room.
    var unsent: [Int] = []

    /// Shards get this share of the time that is left; the rest is for asking the coordinator.
    private static let share = 4

    init(_ request: RoutedRequest) {
        self.request = request
        patience = begun + (request.expiry - begun) / Self.share
    }

    /// Finds out which shards have the cells; nil where the coordinator is to say what is wrong.
    func plan(_ cells: NamedCells, _ placed: PlacedField) -> CellPlan? {
        guard cells.identity == 0 || cells.identity == placed.identity,
            let cells = cells.list(of: placed.definition)
        else { return nil }
        return CellPlan(cells, placed)
    }

    /// Makes the messages for the shards, which get the time that is left.
    /// - Returns: Whether they could be made.
    func prepare(
        _ plan: CellPlan, _ placed: PlacedField, _ placement: ClusterPlacement, client: UInt64
    ) -> Bool {
        guard let body = request.shardBody(of: placed, client: client) else { return false }
        var header = Header(
            requestID: request.id,
            deadlineMicroseconds: (request.expiry - begun).wireMicroseconds)
        for (part, shard) in plan.shards.enumerated() {
            header.receiverIncarnation = placement.shards[shard].incarnation
            let message = Message(header, body, bulk: [Bytes(values: plan.cells[part])])
            guard header.receiverIncarnation != 0, let encoded = try? message.encoded() else {
                return false
            }
            frames.append(encoded)
        }
        self.plan = plan
        cellBytes = placed.definition.cellBytes
        answers = Array(repeating: nil, count: plan.shards.count)
        remaining = plan.shards.count
        unsent = Array(plan.shards.indices)
        return true
    }

    /// Notes a shard's answer.
    /// - Returns: Whether all have answered.
    func take(_ answer: Message, part: Int) -> Bool {
        guard answers[part] == nil else { return false }
        answers[part] = answer
        remaining -= 1
        return remaining == 0
    }

    /// Microseconds since the shards were asked: a receipt's whole time, as nobody stands between.
    private var elapsed: UInt64 { (ContinuousClock.now - begun).wireMicroseconds }

    /// The answers of all shards as one.
    /// - Throws: INTERNAL when one does not answer what it was asked.
    func reply() throws(LociError) -> Reply {
        let answers = answers.compactMap(\.self)
        let header = Header(requestID: request.id)
        guard let plan else { throw unexpected(answers[0]) }
        switch request.body {
        case .readCells:
            let cells = try GatheredCells(answers, plan, cellBytes: cellBytes, took: elapsed)
            return .cells(header, cells)
        case .prefetchCells(let prefetch):
            var sum = TicketAnswer(ticket: prefetch.ticket)
            sum.receipt.shardsAsked = UInt32(answers.count)
            for answer in answers {
                guard case .ticketAnswer(let part) = answer.body else { throw unexpected(answer) }
                sum.add(part)
                sum.receipt.add(shard: part.receipt)
            }
            sum.receipt.totalMicroseconds = elapsed
            return .message(Message(header, .ticketAnswer(sum)))
        default:
            var receipt = Receipt()
            receipt.shardsAsked = UInt32(answers.count)
            for answer in answers {
                guard case .acknowledged(let part) = answer.body else { throw unexpected(answer) }
                receipt.add(shard: part.receipt)
            }
            receipt.totalMicroseconds = elapsed
            let acknowledged = Acknowledged(count: UInt64(plan.sources.count), receipt: receipt)
            return .message(Message(header, .acknowledged(acknowledged)))
        }
    }
}
