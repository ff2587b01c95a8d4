import LociBase
import LociWire

/// How announcements stand, for those who ask.
///
/// Invariants:
/// - At most `most` tickets. Those of which nothing more will come are remembered for a while, and
///   give way to new ones, the oldest first.
struct PrefetchTickets: Sendable {
    private struct State: Sendable {
        var answer: TicketAnswer
        var batches: [UInt64] = []
        var finished: Instant?
    }

    static let most = Prefetching.mostBatches
    static let rememberedMilliseconds: UInt64 = 60_000

    private var states: [UInt64: State] = [:]
    /// In the order in which they finished; entries of tickets that went on are passed over.
    private var finished: [(ticket: UInt64, at: Instant)] = []
    private var firstFinished = 0

    var count: Int { states.count }

    func answer(_ ticket: UInt64) -> TicketAnswer {
        states[ticket]?.answer ?? TicketAnswer(ticket: ticket)
    }

    func batches(of ticket: UInt64) -> [UInt64] { states[ticket]?.batches ?? [] }

    /// Opens a ticket, or adds to one that is open. False if there are too many.
    mutating func open(_ ticket: UInt64, batch: UInt64) -> Bool {
        if states[ticket] == nil {
            while states.count >= Self.most {
                guard forgetOldest() else { return false }
            }
            states[ticket] = State(answer: TicketAnswer(ticket: ticket))
        }
        states[ticket]!.batches.append(batch)
        return true
    }

    /// A batch of the ticket is over.
    mutating func close(_ batch: UInt64, of ticket: UInt64) {
        states[ticket]?.batches.removeAll { $0 == batch }
    }

    /// Counts what became of pages.
    mutating func change(
        _ ticket: UInt64?, at now: Instant, _ body: (inout TicketAnswer) -> Void
    ) {
        guard let ticket, states[ticket] != nil else { return }
        body(&states[ticket]!.answer)
        guard states[ticket]!.answer.isDone else {
            states[ticket]!.finished = nil
            return
        }
        guard states[ticket]!.finished != now else { return }
        states[ticket]!.finished = now
        finished.append((ticket, now))
        if finished.count - firstFinished > 2 * Self.most { forgetPassedOver() }
    }

    /// Forgets those that finished some time ago.
    mutating func forget(at now: Instant) {
        while firstFinished < finished.count {
            let next = finished[firstFinished]
            guard next.at.advanced(milliseconds: Self.rememberedMilliseconds) <= now else { break }
            _ = forgetOldest()
        }
    }

    /// False if none is finished.
    private mutating func forgetOldest() -> Bool {
        while firstFinished < finished.count {
            let (ticket, at) = finished[firstFinished]
            firstFinished += 1
            if 2 * firstFinished >= finished.count {
                finished.removeFirst(firstFinished)
                firstFinished = 0
            }
            if states[ticket]?.finished == at {
                states[ticket] = nil
                return true
            }
        }
        return false
    }

    private mutating func forgetPassedOver() {
        finished.removeFirst(firstFinished)
        firstFinished = 0
        finished.removeAll { states[$0.ticket]?.finished != $0.at }
    }
}
