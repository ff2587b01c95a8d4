public import LociBase
public import LociModel

/// Which pages are in memory, which are on their way, who waits for them, and who may ask.
///
/// A request asks for all pages of a round at once. It is admitted if there is room for those that
/// are not in memory, after pages have left that nobody holds; else it waits in a queue, first come
/// first served, and holds nothing. Admitted rounds wait for page-ins alone and never for memory,
/// so they end, and what they held makes room for the next: there is no deadlock.
///
/// Invariants:
/// - Memory in use plus what page-ins under way will take is at most the budget when a round is
///   admitted.
/// - A page is in one tier of memory at most, once; a page that somebody holds stays.
/// - A page is loaded once, however many wait for it.
/// - What was written while a page was on its way is laid over it when it arrives, so an old copy
///   from the file never hides a newer write.
public struct PageTable: Sendable {
    struct Load: Sendable {
        let pageBytes: Int
        /// Who had it ordered before anybody waited for it; nil once somebody does.
        var early: PrefetchSource?
        /// Of the page-in that is under way.
        var slowest: Tier
        var waiters: [PageWaiter]
        var patches: [(offset: Int, bytes: Bytes)] = []
    }

    private let dramTier: MemoryTier
    private let farTier: MemoryTier?
    var dram: ResidentPages
    var far: ResidentPages?
    var loads: [PageAddress: Load] = [:]
    /// Of the budget, for page-ins under way.
    public internal(set) var reservedBytes = 0
    private var queue = RoundQueue()
    var early = EarlyLoads()
    var dramCounts = MemoryVitals()
    var farCounts = MemoryVitals()
    /// How often pages may have been let go so far.
    public private(set) var releases: UInt64 = 0
    /// How often extents are used; nil where nobody asks.
    public private(set) var heat: HeatMap?

    public init(dram: MemoryTier, far: MemoryTier? = nil, countsHeat: Bool = false) {
        if countsHeat { heat = HeatMap() }
        dramTier = dram
        farTier = far
        self.dram = ResidentPages(dram)
        self.far = far.map { ResidentPages($0) }
    }

    public var loadsInFlight: Int { loads.count }
    public var pageCount: Int { dram.count }
    public var farPageCount: Int { far?.count ?? 0 }
    public var budgetBytes: Int { dram.arena.budgetBytes }

    public var dramVitals: MemoryVitals {
        var vitals = dramCounts
        vitals.measure(dramTier)
        return vitals
    }

    /// Nil where there is no far tier.
    public var farVitals: MemoryVitals? {
        farTier.map {
            var vitals = farCounts
            vitals.measure($0)
            return vitals
        }
    }

    /// Pages of one partition of a space that are in memory, and in which tier; in no order.
    public func resident(
        space: SpaceID, partition: PartitionIndex
    ) -> [(address: PageAddress, tier: Tier)] {
        dram.addresses(space: space, partition: partition).map { ($0, .dram) }
            + (far?.addresses(space: space, partition: partition) ?? []).map { ($0, .far) }
    }

    /// The page, if it is in dram, without counting as a use.
    public func peek(_ address: PageAddress) -> Bytes? {
        dram.slot(of: address).map { dram.bytes(in: $0) }
    }

    /// The page, if it is in dram, pinned.
    public mutating func lease(_ address: PageAddress) -> PageLease? {
        guard let slot = dram.slot(of: address) else { return nil }
        dram.touch(slot)
        return PageLease(dram.bytes(in: slot))
    }

    // MARK: Rounds

    /// Asks for pages, all different, none of which the caller holds; `waiter` is told by `arrived`
    /// of those that are not here yet.
    public mutating func request(
        _ needs: [PageNeed], slowest: Tier = .object, for waiter: UInt64
    ) -> Admission {
        let waiting = RoundQueue.Entry(waiter: waiter, needs: needs, slowest: slowest)
        if let round = residentRound(waiting) { return .admitted(round) }
        let neededBytes = needs.reduce(0) { $0 + $1.frameBytes }
        guard neededBytes <= budgetBytes else { return .tooLarge(neededBytes: neededBytes) }
        if queue.isEmpty, let round = admit(waiting) { return .admitted(round) }
        queue.append(waiting)
        return .waits
    }

    /// Who has waited longest for room.
    public var firstWaiting: UInt64? { queue.first?.waiter }

    /// Admits who has waited longest, if there is room now.
    public mutating func admitFirst() -> PageRound? {
        guard queue.isWorthTrying, let first = queue.first else { return nil }
        guard let round = admit(first) else {
            queue.isWorthTrying = false
            return nil
        }
        queue.removeFirst()
        return round
    }

    /// Whoever has waited longest does not want its pages any more.
    public mutating func withdrawFirst() { queue.removeFirst() }

    /// To be told when pages may have been let go: a request is over, or some time has passed.
    public mutating func noteRelease() {
        queue.isWorthTrying = true
        releases &+= 1
    }

    /// The round of a request all of whose pages are in dram: the way of most.
    private mutating func residentRound(_ request: RoundQueue.Entry) -> PageRound? {
        var slots: [Int32] = []
        slots.reserveCapacity(request.needs.count)
        for need in request.needs {
            guard let slot = dram.slot(of: need.address) else { return nil }
            slots.append(slot)
        }
        var round = PageRound()
        round.held.reserveCapacity(slots.count)
        for (need, slot) in zip(request.needs, slots) { hold(need, slot, &round) }
        return round
    }

    private mutating func hold(_ need: PageNeed, _ slot: Int32, _ round: inout PageRound) {
        countHit(slot, need)
        round.held.append(.init(address: need.address, bytes: dram.bytes(in: slot), from: .dram))
    }

    /// Those of the pages that are in dram, each counted as a use: rounds of one page that nobody
    /// has to wait for. One pass over all looks them up and another takes them, so that the misses
    /// of the processor's caches overlap.
    public mutating func use(_ needs: [PageNeed], into found: inout [Bytes?]) {
        found.removeAll(keepingCapacity: true)
        found.reserveCapacity(needs.count)
        let slots = needs.map { dram.slot(of: $0.address) }
        for slot in slots { found.append(slot.map { dram.bytes(in: $0) }) }
        for (need, slot) in zip(needs, slots) {
            if let slot { countHit(slot, need) }
        }
    }

    /// A request uses a page that is in dram, however many of its cells it wants.
    mutating func countHit(_ slot: Int32, _ need: PageNeed) {
        dramCounts.requests += 1
        dramCounts.hits += 1
        dram.touch(slot)
        heat?.touch(ExtentAddress(of: need.address, pageBytes: need.pageBytes))
    }

    /// Makes room and gives a request its round; nil, and nothing held, if there is no room.
    private mutating func admit(_ request: RoundQueue.Entry) -> PageRound? {
        // Held while room is made, so that they stay.
        var pins: [Bytes] = []
        var absentBytes = 0
        for need in request.needs {
            if let slot = dram.slot(of: need.address) {
                pins.append(dram.bytes(in: slot))
            } else if let slot = far?.slot(of: need.address) {
                pins.append(far!.bytes(in: slot))
                if request.slowest >= .far { absentBytes += need.frameBytes }
            } else if loads[need.address] == nil {
                absentBytes += need.frameBytes
            }
        }
        guard makeRoom(absentBytes) else { return nil }
        return withExtendedLifetime(pins) {
            var round = PageRound()
            for need in request.needs { give(need, request, &round) }
            return round
        }
    }

    private mutating func give(
        _ need: PageNeed, _ request: RoundQueue.Entry, _ round: inout PageRound
    ) {
        if let slot = dram.slot(of: need.address) { return hold(need, slot, &round) }
        dramCounts.requests += 1
        heat?.touch(ExtentAddress(of: need.address, pageBytes: need.pageBytes))
        if far != nil {
            farCounts.requests += 1
            if let slot = far!.slot(of: need.address) {
                farCounts.hits += 1
                guard request.slowest >= .far else {
                    round.beyond.append((need.address, .far))
                    return
                }
                moveUp(need.address, slot, &round)
                return
            }
        }
        round.missing += 1
        let isLoading = loads[need.address] != nil
        let waiter = PageWaiter(
            number: request.waiter, hasJoined: isLoading, slowest: request.slowest)
        if isLoading {
            loads[need.address]!.waiters.append(waiter)
            if endEarly(need.address) { round.hastened.append(need.address) }
        } else {
            loads[need.address] = Load(
                pageBytes: need.pageBytes, slowest: request.slowest, waiters: [waiter])
            reservedBytes += need.frameBytes
            round.loads.append(need)
        }
    }

    // MARK: Page-ins

    /// A page came. Returns it as it is now, and who waited for it. One that was written to on its
    /// way is a copy, which is beyond the budget until the caller lets go of what came.
    public mutating func arrived(
        _ address: PageAddress, _ bytes: Bytes
    ) -> (bytes: Bytes, waiters: [PageWaiter]) {
        guard let load = loads.removeValue(forKey: address) else { return (bytes, []) }
        reservedBytes -= PageArena.frameBytes(for: load.pageBytes)
        var current = load.patches.isEmpty ? dram.arena.adopt(bytes) : dram.arena.copy(bytes)
        for patch in load.patches { current.replace(at: patch.offset, with: patch.bytes) }
        dram.insert(current, at: address, for: load.early)
        noteArrival(load)
        dramCounts.movedIn += 1
        noteRelease()
        return (current, load.waiters)
    }

    /// A page could not be loaded. Returns who waited for it.
    public mutating func failed(_ address: PageAddress) -> [PageWaiter] {
        guard let load = loads.removeValue(forKey: address) else { return [] }
        reservedBytes -= PageArena.frameBytes(for: load.pageBytes)
        noteFailure(of: address, load)
        noteRelease()
        return load.waiters
    }

    /// A page lies in a tier that was not to be asked. Returns who waited and does not want it from
    /// there, and the page-in to be ordered for those who do.
    public mutating func beyond(
        _ address: PageAddress, _ tier: Tier
    ) -> (waiters: [PageWaiter], again: (need: PageNeed, slowest: Tier)?) {
        guard var load = loads.removeValue(forKey: address) else { return ([], nil) }
        let told = load.waiters.filter { $0.slowest < tier }
        load.waiters.removeAll { $0.slowest < tier }
        guard let slowest = load.waiters.map(\.slowest).max() else {
            reservedBytes -= PageArena.frameBytes(for: load.pageBytes)
            noteRelease()
            return (told, nil)
        }
        load.slowest = slowest
        loads[address] = load
        return (told, (PageNeed(address: address, pageBytes: load.pageBytes), slowest))
    }

    // MARK: Writes

    /// A write to a page: its copy in memory, or the one on its way, follows. Where the page is
    /// held and there is no room for a second copy, the table forgets it, and the next who asks has
    /// it loaded again.
    public mutating func patch(_ address: PageAddress, at offset: Int, with bytes: Bytes) {
        loads[address]?.patches.append((offset, bytes))
        switch dram.patch(address, at: offset, with: bytes) {
        case .done: return
        case .isPinned:
            // Whoever holds it may let go on another thread at any moment: held here, the page
            // does not leave, unpatched, for the room that its copy needs.
            let pin = peek(address)!
            let isRoom = withExtendedLifetime(pin) {
                makeRoom(PageArena.frameBytes(for: pin.count))
            }
            if isRoom {
                dram.replace(address, at: offset, with: bytes)
            } else {
                dram.remove(address)
            }
        case .absent:
            if far?.patch(address, at: offset, with: bytes) == .isPinned { far!.remove(address) }
        }
    }

    /// Forgets the pages of spaces that were dropped.
    public mutating func drop(spaces: Set<SpaceID>) {
        dram.removeAll { spaces.contains($0.space) }
        far?.removeAll { spaces.contains($0.space) }
        noteRelease()
    }

    // MARK: Room

    private func isRoom(for byteCount: Int) -> Bool {
        dram.arena.usedBytes + dram.arena.overflowBytes + reservedBytes + byteCount <= budgetBytes
    }

    /// Lets pages leave dram that nobody holds, until there is room. What is kept for its first
    /// use makes room only for what is asked for, and last.
    mutating func makeRoom(_ byteCount: Int, isEarly: Bool = false) -> Bool {
        while !isRoom(for: byteCount) {
            guard let victim = dram.victim(amongKept: !isEarly) else { return false }
            moveDown(victim)
        }
        return true
    }

    /// First into far memory, if there is any, then out of dram.
    private mutating func moveDown(_ victim: ResidentPages.Victim) {
        let (slot, address) = (victim.slot, victim.address)
        if far != nil, !victim.isWorthless {
            let bytes = PageArena.frameBytes(for: dram.bytes(in: slot).count)
            if makeFarRoom(bytes) {
                far!.insert(dram.bytes(in: slot), at: address)
                farCounts.movedIn += 1
            }
        }
        dram.free(slot)
        dramCounts.movedOut += 1
    }

    private mutating func makeFarRoom(_ byteCount: Int) -> Bool {
        let arena = far!.arena
        guard byteCount <= arena.budgetBytes else { return false }
        while arena.usedBytes + arena.overflowBytes + byteCount > arena.budgetBytes {
            guard let victim = far!.victim(amongKept: true) else { return false }
            far!.free(victim.slot)
            farCounts.movedOut += 1
        }
        return true
    }

    private mutating func moveUp(
        _ address: PageAddress, _ slot: Int32, _ round: inout PageRound
    ) {
        let bytes = dram.arena.copy(far!.bytes(in: slot))
        dram.insert(bytes, at: address)
        // Whoever wants it fetched need not any more.
        dram.ends.append(EarlyEnd(address: address, source: nil, verdict: .used))
        far!.remove(address)
        dramCounts.movedIn += 1
        farCounts.movedOut += 1
        round.held.append(.init(address: address, bytes: bytes, from: .far))
    }
}
