import LociBase
import LociModel
import LociTiering
import LociWire

/// What clients said that they will read, until it is there and used, or given up.
///
/// An announcement is a batch of pages; a ticket, chosen by the client, sums up how its batches
/// stand. Each page that somebody announced and that is not over has one want, whoever else
/// announced it: it waits, is on its way, or is kept in memory until its first use.
///
/// Invariants:
/// - A batch's `open` is the number of wants that refer to it. A batch that has begun and has none
///   is gone.
/// - `references` is the sum of `open` over batches that have begun and of the pages of those that
///   have not; at most `mostReferences`. Announcements beyond it are refused.
/// - Each page of a ticket counts once in its answer.
/// - A want that is kept is a page that the table keeps; when it is used or leaves, the want ends.
struct Prefetching: Sendable {
    /// Pages that are announced at once and whose story is open. What is kept of them takes up to
    /// 50 MB beside the memory for pages.
    static let mostReferences = 262_144
    static let defaultLifetimeMicroseconds: UInt64 = 10_000_000

    var batches: [UInt64: PrefetchBatch] = [:]
    var wants: [PageAddress: PrefetchWant] = [:]
    var tickets = PrefetchTickets()
    var turns = PrefetchTurns()
    /// Page-ins that have to be ordered again, because the one under way went wrong for them.
    var again: [PageAddress] = []
    var suggestions = PageSuggestions()
    private(set) var references = 0
    /// When batches begin and expire.
    private var timers = InstantQueue()
    private var lastBatch: UInt64 = 0
    var pace = PageInPace()
    /// The table's releases when it had no room last; trying again before there are more is of no
    /// use.
    var roomlessSince: UInt64?
    /// More could be begun at once; it was left for the next event.
    var isUnfinished = false

    /// Whether nothing is announced and nothing is to be suggested.
    var isIdle: Bool { batches.isEmpty && suggestions.isEmpty }

    // MARK: Announcing

    enum Refusal: Sendable {
        case tooManyPages
        case tooManyTickets
    }

    /// Takes on pages, all different. Nil if that is done; nothing is if it is refused.
    mutating func announce(
        _ needs: [PageNeed], ticket: UInt64?, client: PrefetchClient, lifetimeMicroseconds: UInt64,
        neededInMicroseconds: UInt64, at now: Instant, _ pages: inout PageTable
    ) -> Refusal? {
        guard references + needs.count <= Self.mostReferences else { return .tooManyPages }
        let number = lastBatch + 1
        if let ticket, !tickets.open(ticket, batch: number) { return .tooManyTickets }
        lastBatch = number
        let needed = min(neededInMicroseconds, Limits.deadlineMicroseconds)
        let lifetime =
            lifetimeMicroseconds == 0
            ? needed + Self.defaultLifetimeMicroseconds : lifetimeMicroseconds
        let expires = now.advanced(microseconds: min(lifetime, Limits.deadlineMicroseconds))
        // In time for what is needed, and before it would be dropped.
        let latest = min(needed, lifetime)
        let lead = pace.microseconds(forPages: needs.count)
        let begins = now.advanced(microseconds: needed == 0 || latest <= lead ? 0 : latest - lead)
        batches[number] = PrefetchBatch(
            ticket: ticket, client: client, expires: expires, begins: begins, needs: needs)
        references += needs.count
        change(ticket, now) {
            $0.pages += UInt64(needs.count)
            $0.waiting += UInt64(needs.count)
        }
        timers.add(number, at: expires)
        if begins > now { timers.add(number, at: begins) } else { begin(number, now, &pages) }
        if timers.count > 4 * batches.count + 64 {
            timers.removeAll { batches[$0] == nil }
        }
        return nil
    }

    /// Looks where the pages of a batch are, and queues those that are nowhere.
    private mutating func begin(_ number: UInt64, _ now: Instant, _ pages: inout PageTable) {
        var batch = batches[number]!
        batch.hasBegun = true
        references -= batch.needs.count
        var openNeeds: [PageNeed] = []
        var found = TicketAnswer(ticket: 0)
        for need in batch.needs {
            guard let state = join(need, number, &pages, &found) else { continue }
            if wants[need.address] == nil {
                wants[need.address] = PrefetchWant(need, state(now), batch: number)
            }
            openNeeds.append(need)
        }
        change(batch.ticket, now) {
            $0.waiting -= UInt64(batch.needs.count)
            $0.add(found)
        }
        batch.needs = openNeeds
        batch.open = openNeeds.count
        references += openNeeds.count
        batches[number] = batch
        if openNeeds.isEmpty { return close(number) }
        if found.waiting > 0 {
            turns.add(number, of: batch.client, expiring: batch.expires)
            if turns.count > 2 * batches.count + 64 { turns.removeAll { batches[$0] == nil } }
        }
    }

    /// Where a page is. Nil if nothing is left to be done for it; else it has a want, which the
    /// batch has joined, or is to get one.
    private mutating func join(
        _ need: PageNeed, _ number: UInt64, _ pages: inout PageTable, _ found: inout TicketAnswer
    ) -> ((Instant) -> PrefetchWant.State)? {
        if let want = wants[need.address] {
            wants[need.address]!.add(number)
            switch want.state {
            case .waiting: found.waiting += 1
            case .loading: found.loading += 1
            case .kept: found.resident += 1
            }
            return { _ in want.state }
        }
        if pages.isInDram(need.address) {
            found.resident += 1
            return pages.keep(need.address) ? { _ in .kept } : nil
        }
        if pages.isLoading(need.address) {
            found.loading += 1
            return { .loading(since: $0) }
        }
        found.waiting += 1
        return { _ in .waiting }
    }

    // MARK: Time

    /// When the next batch begins or expires.
    var nextTimer: Instant? { timers.first?.at }

    /// Begins what is due, and ends what has expired.
    mutating func advance(to now: Instant, _ pages: inout PageTable) {
        while let due = timers.first, due.at <= now {
            timers.removeFirst()
            guard let batch = batches[due.number] else { continue }
            if batch.expires <= now {
                end(due.number, .expired, now, &pages)
            } else if !batch.hasBegun {
                begin(due.number, now, &pages)
            }
        }
        tickets.forget(at: now)
    }

    mutating func cancel(_ ticket: UInt64, at now: Instant, _ pages: inout PageTable) {
        for number in tickets.batches(of: ticket) { end(number, .cancelled, now, &pages) }
    }

    /// The spaces' pages are gone.
    mutating func drop(spaces: Set<SpaceID>, at now: Instant, _ pages: inout PageTable) {
        for (number, batch) in batches.sorted(by: { $0.key < $1.key })
        where batch.needs.first.map({ spaces.contains($0.address.space) }) ?? false {
            end(number, .cancelled, now, &pages)
        }
    }

    /// Ends a batch: what waits is given up, what is kept is let go. Page-ins under way stay.
    private mutating func end(
        _ number: UInt64, _ end: PrefetchBatch.End, _ now: Instant, _ pages: inout PageTable
    ) {
        guard let batch = batches[number], batch.end == nil else { return }
        guard batch.hasBegun else {
            for need in batch.needs { pages.noteDropped(need.address, .told) }
            count(batch, end, UInt64(batch.needs.count), now)
            references -= batch.needs.count
            return close(number)
        }
        batches[number]!.end = end
        for need in batch.needs {
            guard let want = wants[need.address], want.isWanted(by: number) else { continue }
            switch want.state {
            case .loading: continue
            case .waiting:
                count(batch, end, 1, now)
                if leave(need.address, number) { pages.noteDropped(need.address, .told) }
            case .kept:
                if leave(need.address, number) { pages.unkeep(need.address) }
            }
        }
    }

    /// Counts waiting pages of a batch that are given up.
    private mutating func count(
        _ batch: PrefetchBatch, _ end: PrefetchBatch.End, _ pages: UInt64, _ now: Instant
    ) {
        change(batch.ticket, now) {
            $0.waiting -= pages
            if end == .expired { $0.expired += pages } else { $0.cancelled += pages }
        }
    }

    // MARK: Wants

    /// A batch does not want a page any more. True if nobody does: the want is gone.
    mutating func leave(_ address: PageAddress, _ number: UInt64) -> Bool {
        wants[address]!.remove(number)
        release(number)
        if wants[address]!.isWanted { return false }
        wants[address] = nil
        return true
    }

    /// Ends a want.
    mutating func finish(_ address: PageAddress) {
        guard let want = wants.removeValue(forKey: address) else { return }
        for number in want.batches { release(number) }
    }

    private mutating func release(_ number: UInt64) {
        batches[number]!.open -= 1
        references -= 1
        if batches[number]!.open == 0 { close(number) }
    }

    private mutating func close(_ number: UInt64) {
        guard let batch = batches.removeValue(forKey: number) else { return }
        if let ticket = batch.ticket { tickets.close(number, of: ticket) }
    }

    mutating func change(
        _ ticket: UInt64?, _ now: Instant, _ body: (inout TicketAnswer) -> Void
    ) {
        tickets.change(ticket, at: now, body)
    }
}
