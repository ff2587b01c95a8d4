import LociBase
import LociModel
import LociStorage
import LociTiering
import LociWire

/// From announcements to page-ins, and back.
extension Prefetching {
    /// Announced pages that are fetched, or found, at once: more are left for the next wake-up.
    private static let mostPerEvent = 256

    /// What is to be fetched now. Nothing while requests wait for room; little while others wait
    /// for page-ins.
    mutating func fetch(at now: Instant, _ pages: inout PageTable) -> [PageRequest] {
        isFetchUnfinished = false
        work(now, &pages)
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
        var triesAgain = true
        if fullInARow >= turns.clientCount { fullInARow = 0 }
        while pages.earlyLoads < most, let next = nextAnnounced(triesAgain, &pages) {
            if looked == Self.mostPerEvent {
                isFetchUnfinished = true
                return
            }
            looked += 1
            let need = next.need
            switch pages.fetchEarly(need, for: .told) {
            case .overShare:
                // Too many are on their way, if it is not the share.
                if pages.isToldShareLeft(for: need.pageBytes) { return }
                if makeShare(need, for: next.batch, &pages) { continue }
                guard next.isTurn else {
                    triesAgain = false
                    continue
                }
                turns.pass()
                fullInARow += 1
                if fullInARow >= turns.clientCount { return }
                continue
            case .noRoom:
                roomlessSince = pages.releases
                return
            case .ordered:
                requests.append(request(need))
                leaveWaiting(need.address, now) { $0.loading += 1 }
                wants[need.address]!.state = .loading(since: now)
                charge(need.address, to: next.batch)
            case .loading:
                leaveWaiting(need.address, now) { $0.loading += 1 }
                wants[need.address]!.state = .loading(since: now)
            case .resident:
                leaveWaiting(need.address, now) { $0.arrived += 1 }
                keepResident(need.address, &pages)
            case .moved:
                leaveWaiting(need.address, now) { $0.arrived += 1 }
                charge(need.address, to: next.batch)
                keep(need.address, &pages)
            }
            fullInARow = 0
            if next.isTurn { turns.pass() }
        }
    }

    /// To be begun before the last of those who want it gives up.
    private func request(_ need: PageNeed) -> PageRequest {
        let expiry = wants[need.address]!.batches.compactMap { batches[$0]?.expires }.max()
        return PageRequest(
            address: need.address, pageBytes: need.pageBytes, isBackground: true,
            notAfter: expiry)
    }

    private struct Next {
        let need: PageNeed
        let batch: UInt64
        /// Whether it is the turn of the batch's client.
        let isTurn: Bool
    }

    /// The next page that waits. None, too, if the event may not look further.
    private mutating func nextAnnounced(_ triesAgain: Bool, _ pages: inout PageTable) -> Next? {
        while triesAgain, let address = again.last {
            if isWaiting(address, &pages), let want = wants[address] {
                return Next(need: want.need, batch: want.batches[0], isTurn: false)
            }
            again.removeLast()
        }
        while let number = turns.first {
            if let need = nextWaiting(of: number, &pages) {
                return Next(need: need, batch: number, isTurn: true)
            }
            guard looks > 0 else {
                isFetchUnfinished = true
                return nil
            }
            batches[number]?.isQueued = false
            turns.removeFirst()
        }
        return nil
    }

    private mutating func nextWaiting(of number: UInt64, _ pages: inout PageTable) -> PageNeed? {
        guard let batch = batches[number], batch.end == nil else { return nil }
        for cursor in batch.cursor..<batch.joined {
            batches[number]!.cursor = cursor
            if looks == 0 { return nil }
            looks -= 1
            let need = batch.needs[cursor]
            guard isWaiting(need.address, &pages), wants[need.address]!.isWanted(by: number)
            else { continue }
            return need
        }
        batches[number]!.cursor = batch.joined
        return nil
    }

    /// Whether a page waits for its fetch. Batches that have ended are let go by its want before.
    private mutating func isWaiting(_ address: PageAddress, _ pages: inout PageTable) -> Bool {
        guard let want = wants[address], case .waiting = want.state else { return false }
        for number in want.batches where batches[number]!.end != nil {
            if leave(address, number) {
                pages.noteDropped(1, .told)
                return false
            }
        }
        return true
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
                keepSuggested(entry, &pages)
            case .moved: keepSuggested(entry, &pages)
            }
            suggestions.removeFirst(source)
        }
    }

    /// A page that was suggested is fetched; the list may be too long now.
    private mutating func keepSuggested(
        _ entry: PageSuggestions.Entry, _ pages: inout PageTable
    ) {
        guard let displaced = suggestions.keep(entry), wants[displaced] == nil else { return }
        pages.unkeep(displaced)
    }

    // MARK: What becomes of them

    /// A page has come, and is in the table.
    mutating func arrived(
        _ address: PageAddress, hadWaiters: Bool, at now: Instant, _ pages: inout PageTable
    ) {
        // Those who waited for it have used it, whether or not its turn had come.
        if hadWaiters, isWaiting(address, &pages) { return finishUsed(address, now) }
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
        if hadWaiters { return finish(address) }
        for number in want.batches where batches[number]!.end != nil {
            if leave(address, number) { return pages.unkeep(address) }
        }
        keep(address, &pages)
    }

    /// Keeps a page that has come, as far as there is a share for it.
    private mutating func keep(_ address: PageAddress, _ pages: inout PageTable) {
        guard pages.keep(address) else { return finish(address) }
        wants[address]!.state = .kept
        if wants[address]!.charged == nil {
            charge(address, to: wants[address]!.batches[0])
        } else {
            noteKept(address)
        }
    }

    /// Keeps a page that was there, for which others may have to give way.
    mutating func keepResident(_ address: PageAddress, _ pages: inout PageTable) {
        let want = wants[address]!
        _ = makeShare(want.need, for: want.batches[0], &pages)
        keep(address, &pages)
    }

    /// A page was used before its fetch had its turn.
    private mutating func finishUsed(_ address: PageAddress, _ now: Instant) {
        leaveWaiting(address, now) { $0.arrived += 1 }
        finish(address)
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
        uncharge(address)
        for number in want.batches {
            let batch = batches[number]!
            if batch.end == nil { batches[number]!.waiting += 1 }
            change(batch.ticket, now) { answer in
                answer.loading -= 1
                switch batch.end {
                case nil: answer.waiting += 1
                case .expired: answer.expired += 1
                case .cancelled: answer.cancelled += 1
                }
            }
            if batch.end != nil, leave(address, number) {
                return pages.noteDropped(1, .told)
            }
        }
        wants[address]!.state = .waiting
        again.append(address)
    }

    /// What ended with the use or the leaving of a page.
    mutating func ended(_ end: EarlyEnd, at now: Instant, _ pages: inout PageTable) {
        guard let want = wants[end.address] else { return }
        if case .kept = want.state { return finish(end.address) }
        if end.verdict == .used, isWaiting(end.address, &pages) { finishUsed(end.address, now) }
    }

    /// Counts a page that waited as something else, with all who want it, none of whom has ended.
    private mutating func leaveWaiting(
        _ address: PageAddress, _ now: Instant, _ body: (inout TicketAnswer) -> Void
    ) {
        for number in wants[address]!.batches { batches[number]!.waiting -= 1 }
        move(address, now) {
            $0.waiting -= 1
            body(&$0)
        }
    }

    /// Counts a page from one state to another, with all who want it.
    private mutating func move(
        _ address: PageAddress, _ now: Instant, _ body: (inout TicketAnswer) -> Void
    ) {
        for number in wants[address]!.batches { change(batches[number]!.ticket, now, body) }
    }
}
