public import LociBase
public import LociModel
import LociStorage
public import LociTiering
import LociWire

/// Pages before they are asked for: what clients announce and release, what others and the shard
/// itself expect. Nothing of it changes an answer, only how soon it comes.
extension ShardNode {
    // MARK: Messages

    mutating func prefetch(
        _ prefetch: ShardPrefetch, _ bulk: [Bytes], _ client: PrefetchClient, _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        do throws(LociError) {
            if !settings.takesPrefetches { throw Self.switchedOff }
            let needs = try pages(
                of: bulk[0].values(CellIndex.self), space: prefetch.space,
                identity: prefetch.identity)
            let refusal = prefetching.announce(
                needs, ticket: prefetch.ticket, client: client,
                lifetimeMicroseconds: prefetch.lifetimeMicroseconds,
                neededInMicroseconds: prefetch.neededInMicroseconds, at: now, &pages)
            if let refusal { throw tooMuch(refusal) }
            fetchEarly(into: &directives)
            answer(prefetch.ticket, asker, into: &directives)
        } catch {
            refuse(asker, error, into: &directives)
        }
    }

    mutating func answer(
        _ ticket: Ticket, _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        if ticket.isCancelled { prefetching.cancel(ticket.ticket, at: now, &pages) }
        answer(ticket.ticket, asker, into: &directives)
    }

    private func answer(
        _ ticket: UInt64, _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        var answer = prefetching.tickets.answer(ticket)
        answer.receipt = finish(Receipt(), asker)
        self.answer(asker, .ticketAnswer(answer), into: &directives)
    }

    /// Pages that were used for the last time leave first, unless somebody else has announced them.
    mutating func release(
        _ release: ShardRelease, _ bulk: [Bytes], _ client: PrefetchClient, _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        do throws(LociError) {
            let cells = bulk[0].values(CellIndex.self)
            let needs = try pages(of: cells, space: release.space, identity: release.identity)
            for need in needs where prefetching.wants[need.address] == nil {
                pages.letLeave(need.address)
            }
            if release.neededInMicroseconds > 0, settings.takesPrefetches {
                let refusal = prefetching.announce(
                    needs, ticket: nil, client: client, lifetimeMicroseconds: 0,
                    neededInMicroseconds: release.neededInMicroseconds, at: now, &pages)
                if let refusal { throw tooMuch(refusal) }
            }
            answer(
                asker,
                .acknowledged(
                    Acknowledged(count: UInt64(cells.count), receipt: finish(Receipt(), asker))),
                into: &directives)
        } catch {
            refuse(asker, error, into: &directives)
        }
    }

    /// The pages that the cells lie in, each once, in the order of the cells.
    private mutating func pages(
        of cells: [CellIndex], space: SpaceID, identity: UInt64
    ) throws(LociError) -> [PageNeed] {
        let field = try indexedField(space: space, identity: identity)
        var needs: [PageNeed] = []
        var seen: Set<PageAddress> = []
        for cell in cells {
            let address = field.geometry.place(of: cell).address
            guard cell < field.definition.cellCount, workers[address.partition] != nil else {
                throw LociError(.invalidArgument, "A cell does not live on this shard.")
            }
            if needs.last?.address != address, seen.insert(address).inserted {
                needs.append(PageNeed(address: address, pageBytes: field.geometry.pageBytes))
            }
        }
        return needs
    }

    private static let switchedOff = LociError(
        .failedPrecondition, "Prefetching is switched off in the cluster file.",
        advice: "Write `prefetch: on` or `prefetch: told` into it and start the shards again.")

    private func tooMuch(_ refusal: Prefetching.Refusal) -> LociError {
        switch refusal {
        case .tooManyPages:
            LociError(
                .resourceExhausted,
                "Shard \(settings.shard) takes \(Prefetching.mostReferences) announced pages at "
                    + "once, and one client's part of them is announced already.",
                advice: "Announce what is needed next; more when some of it was read.")
        case .tooManyBatches:
            LociError(
                .resourceExhausted,
                "Shard \(settings.shard) takes \(Prefetching.mostBatches) prefetches at once, and "
                    + "one client's part of them is open already.",
                advice: "Announce more cells at once, or cancel what is not needed any more.")
        }
    }

    // MARK: Expectations

    /// Pages that may be needed soon, for a hint or a guess: what is not there is fetched when
    /// there is nothing better to do, and let go at `until` if nobody has asked for it. Of very
    /// many the oldest are dropped. To be called when what the same event asks for has been
    /// ordered.
    public mutating func suggest(
        _ needs: [PageNeed], source: PrefetchSource, until: Instant,
        into directives: inout [ShardDirective]
    ) {
        precondition(source != .told, "what clients announce has tickets")
        for need in needs {
            if pages.isInDram(need.address) || pages.isLoading(need.address)
                || prefetching.wants[need.address] != nil
            {
                continue
            }
            let displaced = prefetching.suggestions.add(
                PageSuggestions.Entry(need: need, until: until), source)
            if let displaced, displaced != need.address { pages.noteDropped(displaced, source) }
        }
        fetchEarly(into: &directives)
    }

    /// What became of pages that were fetched early, since the shard started.
    public func tally(_ source: PrefetchSource) -> PrefetchTally { pages.tally(source) }

    // MARK: Events

    /// When the node wants to be told `woken`, unless another event comes first.
    public var nextWake: Instant? {
        if isUnfinished { return now }
        if prefetching.isIdle {
            return [prefetching.nextTimer, gossip?.gossip.nextRound].compactMap { $0 }.min()
        }
        if prefetching.isUnfinished { return now }
        let retry = prefetching.roomlessSince.map { _ in
            now.advanced(milliseconds: Self.retryMilliseconds)
        }
        let due = [prefetching.nextTimer, retry, gossip?.gossip.nextRound]
        return due.compactMap { $0 }.min()
    }

    /// How long nobody looks again whether memory was let go.
    private static let retryMilliseconds: UInt64 = 2

    mutating func beginEvent() {
        takeEnds()
        prefetching.looks = prefetching.looksPerEvent
        if let timer = prefetching.nextTimer, timer <= now { prefetching.advance(to: now, &pages) }
    }

    /// Takes note of what ended, and begins what can be begun.
    mutating func endEvent(into directives: inout [ShardDirective]) {
        takeEnds()
        fetchEarly(into: &directives)
        hastenForRoom(into: &directives)
    }

    /// Before pages are kept anew, which the ends are not about.
    private mutating func takeEnds() {
        for end in pages.takeEarlyEnds() {
            // A page that was used may leave.
            prefetching.roomlessSince = nil
            prefetching.ended(end, at: now, &pages)
            if end.source == .guessed, let verdict = end.verdict { note(verdict, of: end.address) }
        }
    }

    private mutating func fetchEarly(into directives: inout [ShardDirective]) {
        takeEnds()
        if prefetching.isIdle { return }
        let requests = prefetching.fetch(at: now, &pages)
        if !requests.isEmpty { directives.append(.load(requests)) }
    }

    /// A request waits for room, and page-ins that nobody waits for have some of it until they are
    /// done: they are carried out like others, however much else is to be done. No more are ordered
    /// while it waits.
    private mutating func hastenForRoom(into directives: inout [ShardDirective]) {
        guard pages.firstWaiting != nil else {
            prefetching.hasHastened = false
            return
        }
        if prefetching.hasHastened { return }
        prefetching.hasHastened = true
        let addresses = pages.earlyLoadAddresses
        if !addresses.isEmpty { directives.append(.hasten(addresses)) }
    }

    /// A page-in that nobody waited for when it was ordered was not begun in time.
    mutating func missed(_ address: PageAddress, into directives: inout [ShardDirective]) {
        switch pages.missed(address) {
        case .unknown: break
        case .needed(let need, let slowest):
            directives.append(.load([PageRequest(need, slowest: slowest)]))
        case .unneeded(let source):
            if source != .told { pages.noteDropped(address, source) }
            prefetching.missed(address, at: now, &pages)
        }
    }
}
