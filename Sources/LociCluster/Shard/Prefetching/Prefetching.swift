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
/// Clients share what there is: none may announce so much that nothing is left for others, and
/// where memory for what is announced is used up, a client that has more than its part of it gives
/// up the pages that were kept longest for one that has less. Looking for announced pages and
/// letting go of them is done a bounded number of pages an event; the rest is left for the next,
/// which is due at once. Tickets count all of it as it is meant to be at every moment.
///
/// Invariants:
/// - A batch's `open` is the number of wants that refer to it. A batch that has begun and has none,
///   and gets none, is gone.
/// - `references` is the sum of `open`, and of pages that batches have not looked for yet; at most
///   `mostReferences`. Announcements beyond it are refused.
/// - Each page of a ticket counts once in its answer.
/// - A want that is kept is a page that the table keeps; when it is used or leaves, the want ends.
struct Prefetching: Sendable {
    /// Pages that are announced at once and whose story is open; half of it for one client. What is
    /// kept of them takes up to 60 MB beside the memory for pages.
    static let mostReferences = 262_144
    /// Announcements whose story is open; half of it for one client.
    static let mostBatches = 8192
    static let defaultLifetimeMicroseconds: UInt64 = 10_000_000
    /// Of the pages that an event looks at, for one batch before it is another's turn.
    private static let mostLooksTogether = 256

    var batches: [UInt64: PrefetchBatch] = [:]
    var wants: [PageAddress: PrefetchWant] = [:]
    var tickets = PrefetchTickets()
    var clients = PrefetchClients()
    var turns = PrefetchTurns()
    /// Page-ins that have to be ordered again, because the one under way went wrong for them.
    var again: [PageAddress] = []
    var suggestions = PageSuggestions()
    /// When batches begin and expire.
    private var timers = InstantQueue()
    /// Batches that are beginning or ending.
    private var underWork: [UInt64] = []
    private var firstUnderWork = 0
    private var lastBatch: UInt64 = 0
    var pace = PageInPace()
    /// The table's releases when it had no room last; trying again before there are more is of no
    /// use.
    var roomlessSince: UInt64?
    /// Announced pages that one event looks for, passes over or lets go.
    var looksPerEvent = 2048
    /// Of them, what is left to this event.
    var looks = 2048
    /// Clients in a row who had their part of memory when it was their turn.
    var fullInARow = 0
    /// More could be fetched at once; it was left for the next event.
    var isFetchUnfinished = false
    /// Early page-ins have been hastened for a request that waits for room.
    var hasHastened = false

    /// Whether more is to be done at once; it was left for the next event.
    var isUnfinished: Bool { isFetchUnfinished || firstUnderWork < underWork.count }

    var references: Int { clients.references }

    /// Whether nothing is announced and nothing is to be suggested.
    var isIdle: Bool { batches.isEmpty && suggestions.isEmpty }

    // MARK: Announcing

    enum Refusal: Sendable {
        case tooManyPages
        case tooManyBatches
    }

    /// Takes on pages, all different. Nil if that is done; nothing is if it is refused.
    mutating func announce(
        _ needs: [PageNeed], ticket: UInt64?, client: PrefetchClient, lifetimeMicroseconds: UInt64,
        neededInMicroseconds: UInt64, at now: Instant, _ pages: inout PageTable
    ) -> Refusal? {
        if let refusal = clients.refusal(of: needs.count, client) { return refusal }
        let number = lastBatch + 1
        if let ticket, !tickets.open(ticket, batch: number) { return .tooManyBatches }
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
        clients.begin(client, references: needs.count)
        change(ticket, now) {
            $0.pages += UInt64(needs.count)
            $0.waiting += UInt64(needs.count)
        }
        timers.add(number, at: expires)
        if begins > now { timers.add(number, at: begins) } else { begin(number, now, &pages) }
        work(now, &pages)
        if timers.count > 4 * batches.count + 64 {
            timers.removeAll { batches[$0] == nil }
        }
        return nil
    }

    private mutating func begin(_ number: UInt64, _ now: Instant, _ pages: inout PageTable) {
        batches[number]!.hasBegun = true
        addWork(number)
    }

    // MARK: Beginning and ending

    private mutating func addWork(_ number: UInt64) {
        if batches[number]!.isUnderWork { return }
        batches[number]!.isUnderWork = true
        underWork.append(number)
    }

    /// Goes on with batches that are beginning or ending, in turns, as far as the event may; some
    /// looks are left for fetching.
    mutating func work(_ now: Instant, _ pages: inout PageTable) {
        let reserve = looksPerEvent / 8
        while looks > reserve + 1, firstUnderWork < underWork.count {
            let number = underWork[firstUnderWork]
            firstUnderWork += 1
            if 2 * firstUnderWork >= underWork.count {
                underWork.removeFirst(firstUnderWork)
                firstUnderWork = 0
            }
            guard let batch = batches[number] else { continue }
            batches[number]!.isUnderWork = false
            looks -= 1
            let most = min(looks - reserve, Self.mostLooksTogether)
            if batch.end == nil {
                join(number, most, now, &pages)
            } else {
                letGo(number, most, &pages)
            }
            guard let batch = batches[number] else { continue }
            let isDone = batch.end == nil ? batch.isJoined : batch.cursor == batch.joined
            if isDone { closeIfOver(number) } else { addWork(number) }
        }
    }

    /// Looks where the next pages of a batch are, and queues it if some are nowhere.
    private mutating func join(
        _ number: UInt64, _ most: Int, _ now: Instant, _ pages: inout PageTable
    ) {
        let batch = batches[number]!
        let end = min(batch.joined + most, batch.needs.count)
        var found = TicketAnswer(ticket: 0)
        looks -= end - batch.joined
        for need in batch.needs[batch.joined..<end] {
            // Another's page that gives way may be this batch's as well.
            batches[number]!.joined += 1
            batches[number]!.open += 1
            join(need, number, now, &pages, &found)
        }
        let gone = found.resident + found.loading
        change(batch.ticket, now) {
            $0.waiting -= gone
            $0.resident += found.resident
            $0.loading += found.loading
        }
        guard batches[number] != nil else { return }
        batches[number]!.waiting -= Int(gone)
        if found.waiting > 0, !batches[number]!.isQueued {
            batches[number]!.isQueued = true
            turns.add(number, of: batch.client, expiring: batch.expires)
            if turns.count > 2 * batches.count + 64 { turns.removeAll { batches[$0] == nil } }
        }
    }

    /// Finds out where a page is, and has the batch join its want, or gives it one.
    private mutating func join(
        _ need: PageNeed, _ number: UInt64, _ now: Instant, _ pages: inout PageTable,
        _ found: inout TicketAnswer
    ) {
        if let want = wants[need.address] {
            wants[need.address]!.add(number)
            switch want.state {
            case .waiting: found.waiting += 1
            case .loading: found.loading += 1
            case .kept: found.resident += 1
            }
        } else if pages.isInDram(need.address) {
            found.resident += 1
            wants[need.address] = PrefetchWant(need, .waiting, batch: number)
            keepResident(need.address, &pages)
        } else if pages.isLoading(need.address) {
            found.loading += 1
            wants[need.address] = PrefetchWant(need, .loading(since: now), batch: number)
        } else {
            found.waiting += 1
            wants[need.address] = PrefetchWant(need, .waiting, batch: number)
        }
    }

    /// Lets go of the next pages of a batch that has ended. Page-ins under way stay.
    private mutating func letGo(_ number: UInt64, _ most: Int, _ pages: inout PageTable) {
        let batch = batches[number]!
        let end = min(batch.cursor + most, batch.joined)
        looks -= end - batch.cursor
        batches[number]!.cursor = end
        for need in batch.needs[batch.cursor..<end] {
            guard let want = wants[need.address], want.isWanted(by: number) else { continue }
            switch want.state {
            case .loading: continue
            case .waiting: if leave(need.address, number) { pages.noteDropped(1, .told) }
            case .kept: if leave(need.address, number) { pages.unkeep(need.address) }
            }
        }
    }

    // MARK: Time

    /// When the next batch begins or expires.
    var nextTimer: Instant? { timers.first?.at }

    /// Begins what is due, and ends what has expired, as far as the event may.
    mutating func advance(to now: Instant, _ pages: inout PageTable) {
        while looks > 0, let due = timers.first, due.at <= now {
            looks -= 1
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
        work(now, &pages)
    }

    /// The spaces' pages are gone.
    mutating func drop(spaces: Set<SpaceID>, at now: Instant, _ pages: inout PageTable) {
        for (number, batch) in batches.sorted(by: { $0.key < $1.key })
        where batch.needs.first.map({ spaces.contains($0.address.space) }) ?? false {
            end(number, .cancelled, now, &pages)
        }
    }

    /// Ends a batch: what waits counts as given up at once, and is let go of, as is what is kept,
    /// as far as events may. Page-ins under way stay.
    private mutating func end(
        _ number: UInt64, _ end: PrefetchBatch.End, _ now: Instant, _ pages: inout PageTable
    ) {
        guard let batch = batches[number], batch.end == nil else { return }
        let unseen = batch.needs.count - batch.joined
        batches[number]!.end = end
        batches[number]!.cursor = 0
        batches[number]!.waiting = 0
        clients.remove(references: unseen, of: batch.client)
        pages.noteDropped(unseen, .told)
        change(batch.ticket, now) {
            $0.waiting -= UInt64(batch.waiting)
            if end == .expired {
                $0.expired += UInt64(batch.waiting)
            } else {
                $0.cancelled += UInt64(batch.waiting)
            }
        }
        if batch.open == 0 { close(number) } else { addWork(number) }
    }
}
