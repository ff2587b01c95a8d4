import LociBase
import LociModel
import LociTiering
import Testing

/// Pages that are fetched before they are asked for, in a table of few pages.
@Suite struct PrefetchTableTests {
    private static let pageBytes = 4096

    private static func need(_ page: Int) -> PageNeed {
        PageNeed(
            address: PageAddress(space: 1, partition: 0, page: UInt64(page)), pageBytes: pageBytes)
    }

    private final class Stage {
        var table: PageTable
        let arena: PageArena
        var nextWaiter: UInt64 = 0

        init(pages: Int, far: Int = 0, eviction: EvictionKind = .standard) {
            let dram = MemoryTier.dram(budgetBytes: pages * pageBytes, eviction: eviction)
            arena = dram.arena
            table = PageTable(
                dram: dram, far: far == 0 ? nil : .far(budgetBytes: far * pageBytes))
        }

        func arrive(_ page: Int) {
            let bytes = Bytes(owner: arena.allocate(pageBytes))
            _ = table.arrived(need(page).address, bytes)
        }

        func fetch(_ page: Int, _ source: PrefetchSource = .told) -> EarlyFetch {
            let outcome = table.fetchEarly(need(page), for: source)
            if outcome == .ordered { arrive(page) }
            return outcome
        }

        /// Asks for one page and lets go of it. True if it was there.
        func use(_ page: Int) -> Bool {
            nextWaiter += 1
            guard case .admitted(let round) = table.request([need(page)], for: nextWaiter) else {
                Issue.record("there is no room for page \(page)")
                return false
            }
            let isThere = round.missing == 0
            if !isThere { arrive(page) }
            table.noteRelease()
            return isThere
        }

        func keep(_ page: Int) -> Bool { table.keep(need(page).address) }
        func isInDram(_ page: Int) -> Bool { table.isInDram(need(page).address) }

        func tally(_ source: PrefetchSource) -> PrefetchTally {
            _ = table.takeEarlyEnds()
            return table.tally(source)
        }
    }

    @Test(arguments: EvictionKind.allCases)
    func whatWasAnnouncedStaysUntilItsFirstUse(eviction: EvictionKind) {
        let stage = Stage(pages: 16, eviction: eviction)
        for page in 0..<8 { #expect(stage.fetch(page) == .ordered) }
        for page in 100..<400 { _ = stage.use(page) }
        for page in 0..<8 { #expect(stage.use(page), "page \(page)") }
        for page in 400..<700 { _ = stage.use(page) }
        #expect(!(0..<8).contains { stage.isInDram($0) }, "after their use they leave like others")
        let tally = stage.tally(.told)
        #expect(tally.issued == 8 && tally.used == 8 && tally.open == 0)
        #expect(tally.bytes == 8 * UInt64(Self.pageBytes))
    }

    /// Of S3-FIFO: used once after being fetched early, a page is as new as one that was asked for
    /// once, and one that was used twice has a better standing.
    @Test func aPrefetchCountsNothingForTheEvictionPolicy() {
        let told = Stage(pages: 20)
        let asked = Stage(pages: 20)
        for page in 0..<5 {
            #expect(told.fetch(page) == .ordered)
            _ = told.use(page)
            _ = asked.use(page)
        }
        for page in 0..<2 {
            for _ in 0..<2 {
                _ = told.use(page)
                _ = asked.use(page)
            }
        }
        // Once more is not enough for a better standing.
        _ = told.use(2)
        _ = asked.use(2)
        for page in 100..<140 {
            _ = told.use(page)
            _ = asked.use(page)
            for page in 0..<5 { #expect(told.isInDram(page) == asked.isInDram(page)) }
        }
        #expect(told.isInDram(0) && !told.isInDram(2) && !told.isInDram(4))
    }

    @Test func sharesBoundWhatIsKeptAndUseMakesRoomInThem() {
        let stage = Stage(pages: 16)
        for page in 0..<8 { #expect(stage.fetch(page) == .ordered) }
        #expect(stage.fetch(8) == .overShare)
        #expect(stage.use(3))
        #expect(stage.fetch(8) == .ordered)
        #expect(stage.fetch(9) == .overShare)
        // A sixteenth of the budget each: newer guesses displace older ones.
        for page in 20..<24 { #expect(stage.fetch(page, .guessed) == .ordered) }
        #expect(stage.table.earlyBytes(.guessed) == 2 * Self.pageBytes)
        for page in 30..<32 { #expect(stage.fetch(page, .hinted) == .ordered) }
        #expect(stage.table.earlyBytes(.guessed) == 0)
        #expect(stage.fetch(24, .guessed) == .overShare, "a guess does not displace a hint")
    }

    @Test func whatIsKeptGoesBeforeARequestHasToWait() {
        let stage = Stage(pages: 8)
        for page in 0..<4 { #expect(stage.fetch(page) == .ordered) }
        let needs = (10..<18).map(Self.need)
        guard case .admitted(let round) = stage.table.request(needs, for: 1) else {
            Issue.record("a request waits for pages that nobody has asked for")
            return
        }
        #expect(round.loads.count == 8)
        for page in 10..<18 { stage.arrive(page) }
        let tally = stage.tally(.told)
        #expect(tally.wasted == 4 && tally.open == 0)
        #expect(stage.arena.usedBytes <= stage.arena.budgetBytes)
    }

    @Test func nothingIsFetchedEarlyWhileARequestWaitsForRoom() {
        let stage = Stage(pages: 4)
        guard case .admitted(let round) = stage.table.request((0..<3).map(Self.need), for: 1),
            case .waits = stage.table.request((10..<14).map(Self.need), for: 2)
        else {
            Issue.record("three pages under way and four more fit four")
            return
        }
        #expect(round.loads.count == 3)
        #expect(stage.table.fetchEarly(Self.need(20), for: .told) == .noRoom)
        #expect(stage.table.earlyLoads == 0)
    }

    @Test func earlyFetchesNeverTakeWhatIsHeldOrKept() {
        let stage = Stage(pages: 4)
        guard case .admitted(let round) = stage.table.request([Self.need(0)], for: 1) else {
            return
        }
        #expect(round.missing == 1)
        let bytes = stage.table.arrived(
            Self.need(0).address, Bytes(owner: stage.arena.allocate(Self.pageBytes))
        ).bytes
        #expect(stage.fetch(1) == .ordered && stage.fetch(2) == .ordered)
        _ = stage.use(3)
        // Three are held or kept, and the fourth may go.
        #expect(stage.use(1) && stage.use(2))
        #expect(stage.fetch(4) == .ordered)
        withExtendedLifetime(bytes) { #expect(stage.isInDram(0)) }
    }

    @Test func whoWaitsForAnEarlyPageInHastensItAndItIsLate() {
        let stage = Stage(pages: 16)
        #expect(stage.table.fetchEarly(Self.need(1), for: .hinted) == .ordered)
        #expect(stage.table.earlyLoads == 1)
        guard case .admitted(let round) = stage.table.request([Self.need(1)], for: 7) else {
            return
        }
        #expect(round.missing == 1 && round.loads.isEmpty)
        #expect(round.hastened == [Self.need(1).address])
        #expect(stage.table.earlyLoads == 0 && stage.table.demandLoads == 1)
        guard case .admitted(let second) = stage.table.request([Self.need(1)], for: 8) else {
            return
        }
        #expect(second.hastened.isEmpty, "once")
        let waiters = stage.table.arrived(
            Self.need(1).address, Bytes(zeros: Self.pageBytes)
        ).waiters
        #expect(waiters.map(\.number) == [7, 8])
        let tally = stage.tally(.hinted)
        #expect(tally.issued == 1 && tally.late == 1 && tally.open == 0)
    }

    @Test func whatWasNotBegunInTimeIsOrderedAgainForWhoWaits() {
        let stage = Stage(pages: 16)
        #expect(stage.table.fetchEarly(Self.need(1), for: .told) == .ordered)
        #expect(stage.table.fetchEarly(Self.need(2), for: .told) == .ordered)
        _ = stage.table.request([Self.need(1)], slowest: .ssd, for: 7)
        guard case .needed(let need, _) = stage.table.missed(Self.need(1).address),
            case .unneeded(.told) = stage.table.missed(Self.need(2).address)
        else {
            Issue.record("a page is lost for who waits")
            return
        }
        #expect(need == Self.need(1))
        #expect(stage.table.loadsInFlight == 1 && stage.table.reservedBytes == Self.pageBytes)
        #expect(stage.tally(.told).issued == 1)
    }

    @Test func whatIsReleasedLeavesFirst() {
        let stage = Stage(pages: 8)
        for page in 0..<8 { _ = stage.use(page) }
        for _ in 0..<3 { _ = stage.use(5) }
        stage.table.letLeave(Self.need(5).address)
        stage.table.letLeave(Self.need(6).address)
        _ = stage.use(6)
        _ = stage.use(20)
        #expect(!stage.isInDram(5), "released, however hot it was")
        #expect(stage.isInDram(6), "used again since it was released")
    }

    @Test func anAnnouncedPageThatIsThereKeepsItsStandingAfterwards() {
        let stage = Stage(pages: 8)
        for page in 0..<8 { _ = stage.use(page) }
        #expect(stage.keep(0))
        #expect(!stage.keep(77))
        for page in 20..<60 { _ = stage.use(page) }
        #expect(stage.isInDram(0))
        stage.table.unkeep(Self.need(0).address)
        for page in 60..<64 { _ = stage.use(page) }
        #expect(stage.isInDram(0), "it was asked for before it was announced")
        #expect(stage.tally(.told).issued == 0)
    }

    @Test func pagesOfFarMemoryMoveUpWithoutAPageInAndGoBackUnused() {
        let stage = Stage(pages: 8, far: 8)
        for page in 0..<16 { _ = stage.use(page) }
        #expect(!stage.isInDram(0))
        #expect(stage.table.fetchEarly(Self.need(0), for: .told) == .moved)
        #expect(stage.isInDram(0) && stage.table.loadsInFlight == 0)
        stage.table.unkeep(Self.need(0).address)
        _ = stage.use(50)
        #expect(!stage.isInDram(0))
        let far = stage.table.resident(space: 1, partition: 0).filter { $0.tier == .far }
        #expect(far.contains { $0.address == Self.need(0).address })
        #expect(stage.tally(.told).wasted == 1)
    }

    @Test func theSpacesOfDroppedFieldsTakeTheirKeptPagesAlong() {
        let stage = Stage(pages: 8)
        #expect(stage.fetch(1) == .ordered)
        stage.table.drop(spaces: [1])
        #expect(!stage.isInDram(1) && stage.table.earlyBytes(.told) == 0)
        #expect(stage.tally(.told).wasted == 1)
        #expect(stage.fetch(1) == .ordered && stage.use(1))
    }
}
