public import LociBase
public import LociModel
public import LociWire
import Synchronization

/// Telling the cluster what will be read, and what has been read for the last time.
extension LociClient {
    /// Says that cells will be read: their pages are brought into memory meanwhile. Returns as soon
    /// as the shards have heard it. Cells that are asked for twice, or by others, too, cost one
    /// page-in.
    /// - Parameters:
    ///   - deadline: Pages whose fetch has not begun by then are given up; nil leaves that to the
    ///     shards.
    ///   - neededIn: The cells will be read so long from now; they need not be there earlier.
    ///   - identity: Of the field that is meant; 0 means whichever has the name.
    /// - Throws: NOT_FOUND; INVALID_ARGUMENT when a cell lies outside of the field;
    ///   FAILED_PRECONDITION when the field is another one; UNAVAILABLE when no shard heard it.
    ///   What had been begun of a prefetch that takes several requests is cancelled before, if that
    ///   works within a second or so.
    public func prefetch(
        _ field: String, cells: [CellIndex], deadline: Duration? = nil, neededIn: Duration? = nil,
        identity: UInt64 = 0
    ) async throws(LociError) -> PrefetchTicket {
        try await prefetch(field, .scattered(cells), deadline, neededIn, identity)
    }

    /// The same for `range.lowerBound` up to, not including, `range.upperBound`.
    public func prefetch(
        _ field: String, range: Range<CellIndex>, deadline: Duration? = nil,
        neededIn: Duration? = nil, identity: UInt64 = 0
    ) async throws(LociError) -> PrefetchTicket {
        try await prefetch(field, .range(range), deadline, neededIn, identity)
    }

    private func prefetch(
        _ field: String, _ cells: CellNames, _ deadline: Duration?, _ neededIn: Duration?,
        _ identity: UInt64
    ) async throws(LociError) -> PrefetchTicket {
        let begun = BegunTickets()
        let parts = try advice(cells)
        do {
            let answers = try await Chunks.run(parts) { part async throws(LociError) in
                let (first, bulk) = cells.frames(part)
                let body = PrefetchCells(
                    field: field, first: first, count: UInt64(part.count),
                    isScattered: cells.isScattered, identity: identity,
                    ticket: UInt64.random(in: 1...UInt64.max),
                    lifetimeMicroseconds: deadline?.wireMicroseconds ?? 0,
                    neededInMicroseconds: neededIn?.wireMicroseconds ?? 0)
                let answer = try TicketAnswer(
                    try await self.call(.prefetchCells(body), bulk: bulk))
                begun.numbers.withLock { $0.append(body.ticket) }
                return answer
            }
            return PrefetchTicket(self, numbers: answers.map(\.ticket), issued: .sum(answers))
        } catch {
            await giveUp(begun.numbers.withLock(\.self))
            throw error
        }
    }

    /// Nobody will learn these numbers.
    private func giveUp(_ numbers: [UInt64]) async {
        guard !numbers.isEmpty else { return }
        let client = withDeadline(min(deadline, .seconds(1)))
        _ = try? await PrefetchTicket(client, numbers: numbers, issued: nil).cancel()
    }

    /// Says that cells were read for the last time, for now: their pages are the first to leave
    /// memory.
    /// - Parameter neededIn: They will be read again so long from now; nil: nobody knows.
    /// - Throws: As `prefetch`.
    @discardableResult
    public func release(
        _ field: String, cells: [CellIndex], neededIn: Duration? = nil, identity: UInt64 = 0
    ) async throws(LociError) -> Outcome {
        try await release(field, .scattered(cells), neededIn, identity)
    }

    /// The same for `range.lowerBound` up to, not including, `range.upperBound`.
    @discardableResult
    public func release(
        _ field: String, range: Range<CellIndex>, neededIn: Duration? = nil, identity: UInt64 = 0
    ) async throws(LociError) -> Outcome {
        try await release(field, .range(range), neededIn, identity)
    }

    private func release(
        _ field: String, _ cells: CellNames, _ neededIn: Duration?, _ identity: UInt64
    ) async throws(LociError) -> Outcome {
        let answers = try await Chunks.run(try advice(cells)) { part async throws(LociError) in
            let (first, bulk) = cells.frames(part)
            let body = ReleaseCells(
                field: field, first: first, count: UInt64(part.count),
                isScattered: cells.isScattered, identity: identity,
                neededInMicroseconds: neededIn?.wireMicroseconds ?? 0)
            return try Outcome(try await self.call(.releaseCells(body), bulk: bulk))
        }
        return Outcome(
            count: answers.reduce(0) { $0 + $1.count }, receipt: .sum(answers.map(\.receipt)))
    }

    /// The requests of advice about cells.
    private func advice(_ cells: CellNames) throws(LociError) -> [Range<Int>] {
        Chunks.ranges(
            count: try cells.count(), itemBytes: 8, itemLimit: Limits.cellsPerRequest)
    }

    /// A prefetch that was begun elsewhere, by the numbers of its ticket.
    public func ticket(_ numbers: [UInt64]) -> PrefetchTicket {
        PrefetchTicket(self, numbers: numbers, issued: nil)
    }
}

/// A prefetch that is under way. To let go of it does not end it; its deadline does, or `cancel`.
public struct PrefetchTicket: Sendable {
    /// One for every request that the prefetch took: for up to `Limits.cellsPerRequest` cells.
    public let numbers: [UInt64]
    /// How it stood when the shards had heard it; nil for a ticket that was begun elsewhere.
    public let issued: TicketAnswer?
    private let client: LociClient

    /// Between two questions of `wait`.
    private static let shortestPause = Duration.milliseconds(1)
    private static let longestPause = Duration.milliseconds(20)

    init(_ client: LociClient, numbers: [UInt64], issued: TicketAnswer?) {
        precondition(!numbers.isEmpty)
        self.client = client
        self.numbers = numbers
        self.issued = issued
    }

    /// How it stands.
    /// - Returns: The sum over its numbers; those that no shard knows any more count nothing.
    /// - Throws: NOT_FOUND when no shard knows any of them: tickets are forgotten some time after
    ///   the last of their pages is there or given up. After another failure no further numbers
    ///   are asked about.
    public func status() async throws(LociError) -> TicketAnswer {
        try await ask(isCancelled: false)
    }

    /// Gives up what has not begun, unless somebody else wants it.
    /// - Returns: How it stood then.
    /// - Throws: As `status`; what was not reached is not given up then.
    @discardableResult
    public func cancel() async throws(LociError) -> TicketAnswer {
        try await ask(isCancelled: true)
    }

    /// Waits until every page is there or given up.
    /// - Throws: DEADLINE_EXCEEDED when that takes longer than `time`; NOT_FOUND.
    @discardableResult
    public func wait(_ time: Duration = .seconds(10)) async throws(LociError) -> TicketAnswer {
        let end = ContinuousClock.now + time
        var pause = Self.shortestPause
        while true {
            let answer = try await status()
            if answer.isDone { return answer }
            guard ContinuousClock.now + pause < end, !Task.isCancelled else {
                throw LociError(
                    .deadlineExceeded,
                    "The prefetch is not done: \(answer.waiting) pages wait, "
                        + "\(answer.loading) are on their way.",
                    advice: "Wait again, or give it up: its ticket is still good.")
            }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    private func ask(isCancelled: Bool) async throws(LociError) -> TicketAnswer {
        let parts = numbers.indices.map { $0..<($0 + 1) }
        let outcomes = try await Chunks.run(parts) {
            [numbers, client] (part) async throws(LociError) -> Result<TicketAnswer, LociError> in
            let body = Ticket(ticket: numbers[part.lowerBound], isCancelled: isCancelled)
            do throws(LociError) {
                return .success(try TicketAnswer(try await client.call(.ticket(body))))
            } catch {
                guard error.code == .notFound else { throw error }
                return .failure(error)
            }
        }
        let answers = outcomes.compactMap { try? $0.get() }
        if answers.isEmpty { return try outcomes[0].get() }
        return .sum(answers)
    }
}

/// The numbers of a prefetch whose requests are still being sent.
private final class BegunTickets: Sendable {
    let numbers = Mutex<[UInt64]>([])
}

extension TicketAnswer {
    init(_ message: Message) throws(LociError) {
        guard case .ticketAnswer(let answer) = message.body else { throw unexpected(message) }
        self = answer
    }

    /// Of the tickets of one prefetch; at least one.
    static func sum(_ answers: [TicketAnswer]) -> TicketAnswer {
        var sum = answers[0]
        for answer in answers.dropFirst() { sum.add(answer) }
        sum.receipt = .sum(answers.map(\.receipt))
        return sum
    }
}
