import LociBase
public import LociModel

/// Page-ins that were ordered before anybody asked, and what became of them.
struct EarlyLoads: Sendable {
    var count = 0
    var bytes = [Int](repeating: 0, count: PrefetchSource.allCases.count)
    var tallies = [PrefetchTally](
        repeating: PrefetchTally(), count: PrefetchSource.allCases.count)
    var ends: [EarlyEnd] = []

    subscript(source: PrefetchSource) -> PrefetchTally {
        get { tallies[Int(source.rawValue)] }
        set { tallies[Int(source.rawValue)] = newValue }
    }

    var totalBytes: Int { bytes.reduce(0, +) }

    mutating func begin(_ source: PrefetchSource, _ byteCount: Int) {
        count += 1
        bytes[Int(source.rawValue)] += byteCount
    }

    mutating func end(_ source: PrefetchSource, _ byteCount: Int) {
        count -= 1
        bytes[Int(source.rawValue)] -= byteCount
    }
}

/// Fetching pages before they are asked for.
///
/// - What is fetched early takes room only from pages that leave first or that the policy gives up,
///   never from pages that are kept, and none at all while requests wait for room.
/// - It is kept until its first use, within a share of the budget: half for what was announced,
///   an eighth for hints and guesses together, in which newer ones displace older ones.
/// - Page-ins under way for it take at most an eighth of the budget, or one page: for so much a
///   request may have to wait until it has come, and can go again.
/// - A page that is kept goes, unused, before a request has to wait for room.
extension PageTable {
    public static let toldShare = 2
    public static let expectedShare = 8
    private static let loadingShare = 8

    /// Page-ins under way that nobody waits for.
    public var earlyLoads: Int { early.count }
    /// Their addresses, in the order of the pages.
    public var earlyLoadAddresses: [PageAddress] {
        loads.filter { $0.value.early != nil }.map(\.key).sorted {
            ($0.space, $0.partition, $0.page) < ($1.space, $1.partition, $1.page)
        }
    }
    /// Page-ins under way that somebody waits for.
    public var demandLoads: Int { loads.count - early.count }

    /// What became of pages that were fetched early, since the table was made, as far as
    /// `takeEarlyEnds` has told.
    public func tally(_ source: PrefetchSource) -> PrefetchTally { early[source] }

    /// Bytes of pages that are kept, or on their way, for that source.
    public func earlyBytes(_ source: PrefetchSource) -> Int {
        dram.keptBytes(for: source) + early.bytes[Int(source.rawValue)]
    }

    public func isInDram(_ address: PageAddress) -> Bool { dram.slot(of: address) != nil }
    public func isLoading(_ address: PageAddress) -> Bool { loads[address] != nil }

    /// Who had a page-in ordered that is under way and that nobody waits for.
    public func loadingSource(_ address: PageAddress) -> PrefetchSource? {
        loads[address]?.early
    }

    /// Asks for a page that nobody waits for yet. Ordered ones come to `arrived` like others, and
    /// are kept then; a request that wants one meanwhile waits for it and finds it in the round's
    /// `hastened`.
    public mutating func fetchEarly(
        _ need: PageNeed, for source: PrefetchSource
    ) -> EarlyFetch {
        if isInDram(need.address) { return .resident }
        if isLoading(need.address) { return .loading }
        guard firstWaiting == nil else { return .noRoom }
        guard isShareLeft(for: need.frameBytes, source) else { return .overShare }
        // Held while room is made, so that it stays in far memory if it is there.
        let pin = far?.slot(of: need.address).map { far!.bytes(in: $0) }
        let isRoom = withExtendedLifetime(pin) { makeRoom(need.frameBytes, isEarly: true) }
        guard isRoom else { return .noRoom }
        if let slot = far?.slot(of: need.address) {
            let bytes = dram.arena.copy(far!.bytes(in: slot))
            far!.remove(need.address)
            dram.insert(bytes, at: need.address, for: source, isFromFar: true)
            dramCounts.movedIn += 1
            farCounts.movedOut += 1
            early[source].issued += 1
            early[source].bytes += UInt64(need.pageBytes)
            return .moved
        }
        loads[need.address] = Load(
            pageBytes: need.pageBytes, early: source, slowest: .object, waiters: [])
        reservedBytes += need.frameBytes
        early.begin(source, need.frameBytes)
        return .ordered
    }

    /// What is to be done about a page-in that was not begun in time.
    public enum Missed: Sendable {
        /// Somebody waits for it by now: it has to be ordered again.
        case needed(PageNeed, slowest: Tier)
        /// Nobody does. This had it ordered.
        case unneeded(PrefetchSource)
        /// It was not under way.
        case unknown
    }

    /// A page-in that was ordered early was not begun in time.
    public mutating func missed(_ address: PageAddress) -> Missed {
        guard let load = loads[address] else { return .unknown }
        guard let source = load.early else {
            return .needed(
                PageNeed(address: address, pageBytes: load.pageBytes), slowest: load.slowest)
        }
        let frameBytes = PageArena.frameBytes(for: load.pageBytes)
        loads[address] = nil
        reservedBytes -= frameBytes
        early.end(source, frameBytes)
        noteRelease()
        return .unneeded(source)
    }

    /// A page was not fetched though it was wanted early.
    public mutating func noteDropped(_ address: PageAddress, _ source: PrefetchSource) {
        early[source].dropped += 1
        early.ends.append(EarlyEnd(address: address, source: source, verdict: .dropped))
    }

    /// Pages were not fetched though they were wanted early. No ends tell of them.
    public mutating func noteDropped(_ pageCount: Int, _ source: PrefetchSource) {
        early[source].dropped += UInt64(pageCount)
    }

    /// Keeps a page of dram that was announced until it is used, if the share has room for it.
    /// False if it is not in dram, or there is no room.
    public mutating func keep(_ address: PageAddress) -> Bool {
        guard let slot = dram.slot(of: address) else { return false }
        let frameBytes = PageArena.frameBytes(for: dram.bytes(in: slot).count)
        if earlyBytes(.told) + frameBytes > budgetBytes / Self.toldShare {
            return dram.isKept(slot)
        }
        dram.keep(slot, for: .told)
        return true
    }

    /// Ends the keeping of a page. If nobody has used it since it came, it leaves first.
    public mutating func unkeep(_ address: PageAddress) {
        guard let slot = dram.slot(of: address) else { return }
        dram.unkeep(slot)
        noteRelease()
    }

    /// Makes a page of dram one of the first to leave, until it is used again.
    public mutating func letLeave(_ address: PageAddress) {
        guard let slot = dram.slot(of: address) else { return }
        dram.letLeave(slot)
        noteRelease()
    }

    /// What has ended since this was asked last, in no particular order. Whoever fetches early or
    /// keeps pages takes them after each event: they are as many as pages were used or left.
    public mutating func takeEarlyEnds() -> [EarlyEnd] {
        if dram.ends.isEmpty, early.ends.isEmpty { return [] }
        var ends: [EarlyEnd] = []
        swap(&ends, &early.ends)
        for end in dram.ends {
            ends.append(end)
            guard let source = end.source else { continue }
            if end.verdict == .used {
                early[source].used += 1
            } else {
                early[source].wasted += 1
            }
        }
        dram.ends.removeAll(keepingCapacity: true)
        return ends
    }

    // MARK: Loads

    /// Somebody waits for a page-in from now on. True if nobody did and it was ordered early.
    mutating func endEarly(_ address: PageAddress) -> Bool {
        guard let load = loads[address], let source = load.early else { return false }
        loads[address]!.early = nil
        early.end(source, PageArena.frameBytes(for: load.pageBytes))
        early[source].issued += 1
        early[source].late += 1
        early[source].bytes += UInt64(load.pageBytes)
        early.ends.append(EarlyEnd(address: address, source: source, verdict: .late))
        return true
    }

    mutating func noteArrival(_ load: Load) {
        guard let source = load.early else { return }
        early.end(source, PageArena.frameBytes(for: load.pageBytes))
        early[source].issued += 1
        early[source].bytes += UInt64(load.pageBytes)
    }

    mutating func noteFailure(of address: PageAddress, _ load: Load) {
        guard let source = load.early else { return }
        early.end(source, PageArena.frameBytes(for: load.pageBytes))
        early[source].issued += 1
        early[source].wasted += 1
        early.ends.append(EarlyEnd(address: address, source: source, verdict: .wasted))
    }

    // MARK: Shares

    /// Whether the share of what was announced has room for a page; for one page it always has.
    public func isToldShareLeft(for pageBytes: Int) -> Bool {
        let told = earlyBytes(.told)
        return told == 0
            || told + PageArena.frameBytes(for: pageBytes) <= budgetBytes / Self.toldShare
    }

    /// Whether the shares leave room for so much more; hints and guesses make it by giving up older
    /// ones of no greater weight.
    private mutating func isShareLeft(for byteCount: Int, _ source: PrefetchSource) -> Bool {
        let loading = early.totalBytes
        if loading > 0, loading + byteCount > budgetBytes / Self.loadingShare { return false }
        guard source != .told else {
            return isToldShareLeft(for: byteCount)
        }
        let share = budgetBytes / Self.expectedShare
        func isFull() -> Bool { earlyBytes(.hinted) + earlyBytes(.guessed) + byteCount > share }
        for displaced in [PrefetchSource.guessed, .hinted] where displaced >= source {
            while isFull(), let address = dram.oldestKept(for: displaced) {
                dram.unkeep(dram.slot(of: address)!)
            }
        }
        return !isFull()
    }
}
