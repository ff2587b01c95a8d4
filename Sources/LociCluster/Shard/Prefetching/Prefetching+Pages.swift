import LociBase
import LociModel
import LociStorage
import LociTiering
import LociWire

/// From announcements to page-ins, and back.
extension Prefetching {
    /// Pages that one event may look at: more are left for the next wake-up.
    private static let mostPerEvent = 256

    /// What is to be fetched now. Nothing while requests wait for room; little while others wait
    /// for page-ins.
    mutating func fetch(at now: Instant, _ pages: inout PageTable) -> [PageRequest] {
        isUnfinished = false
        while let address = suggestions.takeOver(at: now) {
            if wants[address] == nil { pages.unkeep(address) }
        }
        guard pages.firstWaiting == nil, roomlessSince != pages.releases else { return [] }
        roomlessSince = nil
        let isBesideOthers = pages.demandLoads > 0
        let most = isBesideOthers ? PageInPace.togetherBesideOthers : PageInPace.together
        var requests: [PageRequest] = []
        fetchAnnounced(most, now, &pages, &requests)
        fetchSuggested(.hinted, most, now, &pages, &requests)
        fetchSuggested(.guessed, most, now, &pages, &requests)
        return requests
    }

    private mutating func fetchAnnounced(
        _ most: Int, _ now: Instant, _ pages: inout PageTable, _ requests: inout [PageRequest]
    ) {
        var looked = 0
        while pages.earlyLoads < most, let (need, isTurn) = nextAnnounced() {
            if looked == Self.mostPerEvent {
                isUnfinished = true
                return
            }
            looked += 1
            switch pages.fetchEarly(need, for: .told) {
            case .overShare: return
            case .noRoom:
                roomlessSince = pages.releases
                return
            case .ordered:
                requests.append(request(need))
                move(need.address, now) {
                    $0.waiting -= 1
                    $0.loading += 1
                }
                wants[need.address]!.state = .loading(since: now)
            case .loading:
                move(need.address, now) {
                    $0.waiting -= 1
                    $0.loading += 1
                }
                wants[need.address]!.state = .loading(since: now)
            case .resident, .moved:
                move(need.address, now) {
                    $0.waiting -= 1
                    $0.arrived += 1
                }
                keep(need.address, &pages)
            }
            if isTurn { turns.pass() }
        }
    }

    /// To be begun before the last of those who want it gives up.
    private func request(_ need: PageNeed) -> PageRequest {
        let expiry = wants[need.address]!.batches.compactMap { batches[$0]?.expires }.max()
        return PageRequest(
            address: need.address, pageBytes: need.pageBytes, isBackground: true,
            notAfter: expiry)
    }

    /// The next page that waits, and whether it is some client's turn with it.
    private mutating func nextAnnounced() -> (need: PageNeed, isTurn: Bool)? {
        while let address = again.last {
            if let want = wants[address], case .waiting = want.state { return (want.need, false) }
            again.removeLast()
        }
        while let number = turns.first {
            if let need = nextWaiting(of: number) { return (need, true) }
            turns.removeFirst()
        }
        return nil
    }

    private mutating func nextWaiting(of number: UInt64) -> PageNeed? {
        guard let batch = batches[number], batch.end == nil else { return nil }
        for cursor in batch.cursor..<batch.needs.count {
            let need = batch.needs[cursor]
            if let want = wants[need.address], case .waiting = want.state,
                want.isWanted(by: number)
            {
                batches[number]!.cursor = cursor
                return need
            }
        }
        batches[number]!.cursor = batch.needs.count
        return nil
    }

    private mutating func fetchSuggested(
        _ source: PrefetchSource, _ most: Int, _ now: Instant, _ pages: inout PageTable,
        _ requests: inout [PageRequest]
    ) {
        while roomlessSince == nil, pages.earlyLoads < most, let entry = suggestions.first(source) {
            let address = entry.need.address
            if entry.until <= now {
                suggestions.removeFirst(source)
                pages.noteDropped(address, source)
                continue
            }
            switch pages.fetchEarly(entry.need, for: source) {
            case .overShare: return
            case .noRoom:
                roomlessSince = pages.releases
                return
            case .resident, .loading: break
            case .ordered:
                requests.append(
                    PageRequest(
                        address: address, pageBytes: entry.need.pageBytes, isBackground: true,
                        notAfter: entry.until))
                if let displaced = suggestions.keep(entry) { pages.unkeep(displaced) }
            case .moved: if let displaced = suggestions.keep(entry) { pages.unkeep(displaced) }
            }
            suggestions.removeFirst(source)
        }
    }

    // MARK: What becomes of them

    /// A page has come, and is in the table.
    mutating func arrived(
        _ address: PageAddress, hadWaiters: Bool, at now: Instant, _ pages: inout PageTable
    ) {
        guard let want = wants[address], case .loading(let since) = want.state else {
            // Nobody has announced it; if its time is up by now, nobody expects it either.
            if !hadWaiters, !suggestions.keeps(address) { pages.unkeep(address) }
            return
        }
        if !hadWaiters { pace.note(microseconds: now.microseconds(since: since)) }
        move(address, now) {
            $0.loading -= 1
            $0.arrived += 1
        }
        // Those who waited for it have used it.
        if hadWaiters { return finish(address) }
        for number in want.batches where batches[number]!.end != nil {
            if leave(address, number) { return pages.unkeep(address) }
        }
        keep(address, &pages)
    }

    /// Keeps a page that has come, as far as there is a share for it.
    private mutating func keep(_ address: PageAddress, _ pages: inout PageTable) {
        if pages.keep(address) {
            wants[address]!.state = .kept
        } else {
            finish(address)
        }
    }

    /// A page could not be fetched.
    mutating func failed(_ address: PageAddress, at now: Instant) {
        guard let want = wants[address], case .loading = want.state else { return }
        move(address, now) {
            $0.loading -= 1
            $0.failed += 1
        }
        finish(address)
    }

    /// A page-in has ended without the page: it was not begun in time, or was another's who did not
    /// want it from where it lies. Who still wants the page has it ordered again.
    mutating func missed(_ address: PageAddress, at now: Instant, _ pages: inout PageTable) {
        guard let want = wants[address], case .loading = want.state else { return }
        for number in want.batches {
            let batch = batches[number]!
            change(batch.ticket, now) { answer in
                answer.loading -= 1
                switch batch.end {
                case nil: answer.waiting += 1
                case .expired: answer.expired += 1
                case .cancelled: answer.cancelled += 1
                }
            }
            if batch.end != nil, leave(address, number) {
                return pages.noteDropped(address, .told)
            }
        }
        wants[address]!.state = .waiting
        again.append(address)
    }

    /// What ended with the use or the leaving of a page.
    mutating func ended(_ end: EarlyEnd) {
        if let want = wants[end.address], case .kept = want.state { finish(end.address) }
    }

    /// Counts a page from one state to another, with all who want it.
    private mutating func move(
        _ address: PageAddress, _ now: Instant, _ body: (inout TicketAnswer) -> Void
    ) {
        for number in wants[address]!.batches { change(batches[number]!.ticket, now, body) }
    }
}
