import Foundation
import LociBase
import LociModel
import LociTiering
import Synchronization
import Testing

@Suite struct PageTableTests {
    private static let pageBytes = 4096

    private static func address(_ number: Int, space: SpaceID = 1) -> PageAddress {
        PageAddress(space: space, partition: 0, page: UInt64(number))
    }

    private static func needs(_ numbers: Int...) -> [PageNeed] { needs(numbers) }

    private static func needs(_ numbers: [Int]) -> [PageNeed] {
        numbers.map { PageNeed(address: address($0), pageBytes: pageBytes) }
    }

    private static func table(
        pages: Int, far: Int = 0, _ eviction: EvictionKind = .standard
    ) -> (PageTable, PageArena) {
        let dram = MemoryTier.dram(budgetBytes: pages * pageBytes, eviction: eviction)
        let farTier = far == 0 ? nil : MemoryTier.far(budgetBytes: far * pageBytes)
        return (PageTable(dram: dram, far: farTier), dram.arena)
    }

    /// As it comes from storage: in the arena, the number in its first byte.
    private static func page(_ number: Int, _ arena: PageArena) -> Bytes {
        var page = Bytes(zeros: pageBytes)
        page.replace(at: 0, with: Bytes([UInt8(number)]))
        return arena.copy(page)
    }

    private struct NotAdmitted: Error {}

    private static func ask(
        _ table: inout PageTable, _ numbers: Int..., slowest: Tier = .object, for waiter: UInt64
    ) throws -> PageRound {
        guard
            case .admitted(let round) = table.request(
                needs(numbers), slowest: slowest, for: waiter)
        else { throw NotAdmitted() }
        return round
    }

    /// Loads a page for somebody who lets it go at once.
    private static func load(_ number: Int, _ table: inout PageTable, _ arena: PageArena) throws {
        let round = try ask(&table, number, for: 99)
        #expect(round.loads.count == 1)
        _ = table.arrived(address(number), page(number, arena))
    }

    @Test func onePageInServesAllWhoWaitForIt() throws {
        var (table, arena) = Self.table(pages: 8)
        let first = try Self.ask(&table, 1, for: 10)
        #expect(first.loads.map(\.address) == [Self.address(1)] && first.missing == 1)
        for waiter in UInt64(11)...13 {
            let joined = try Self.ask(&table, 1, for: waiter)
            #expect(joined.loads.isEmpty && joined.missing == 1)
        }
        #expect(table.loadsInFlight == 1 && table.reservedBytes == Self.pageBytes)
        let told = table.arrived(Self.address(1), Self.page(1, arena)).waiters
        #expect(told.map(\.number) == [10, 11, 12, 13])
        #expect(told.map(\.hasJoined) == [false, true, true, true])
        let toldAgain = table.arrived(Self.address(1), Self.page(1, arena)).waiters
        #expect(toldAgain.isEmpty && table.reservedBytes == 0)
        let hit = try Self.ask(&table, 1, for: 14)
        #expect(hit.held.count == 1 && hit.held[0].from == .dram && hit.missing == 0)
    }

    @Test func aPageInThatFailsTellsAllWhoWaitAndLeavesNothingBehind() throws {
        var (table, _) = Self.table(pages: 8)
        _ = table.request(Self.needs(1), for: 1)
        _ = table.request(Self.needs(1), for: 2)
        let told = table.failed(Self.address(1)).map(\.number)
        let toldAgain = table.failed(Self.address(1))
        #expect(told == [1, 2] && toldAgain.isEmpty && table.reservedBytes == 0)
        let again = try Self.ask(&table, 1, for: 3)
        #expect(again.loads.count == 1)
    }

    @Test func aRoundLargerThanTheBudgetIsRefusedAndOneThatFillsItIsNot() throws {
        var (table, _) = Self.table(pages: 4)
        guard case .tooLarge(let neededBytes) = table.request(Self.needs(1, 2, 3, 4, 5), for: 1)
        else {
            Issue.record("five pages fit into four")
            return
        }
        #expect(neededBytes == 5 * Self.pageBytes)
        let full = try Self.ask(&table, 1, 2, 3, 4, for: 2)
        #expect(full.loads.count == 4)
    }

    @Test func pagesThatSomebodyHoldsStayAndTheNextWaitsInTurnHoldingNothing() throws {
        var (table, arena) = Self.table(pages: 2)
        try Self.load(1, &table, arena)
        try Self.load(2, &table, arena)
        var held = try Self.ask(&table, 1, 2, for: 1).held
        #expect(held.count == 2)
        guard case .waits = table.request(Self.needs(3), for: 2) else {
            Issue.record("a held page was evicted")
            return
        }
        guard case .waits = table.request(Self.needs(4), for: 3) else {
            Issue.record("overtaken")
            return
        }
        // A request whose pages are all here needs no room and does not wait.
        let resident = try Self.ask(&table, 2, for: 4).held.count
        #expect(resident == 1)
        table.noteRelease()
        let early = table.admitFirst()
        #expect(early == nil)
        held = []
        table.noteRelease()
        #expect(table.firstWaiting == 2)
        let round = table.admitFirst()
        #expect(round?.loads.map(\.address) == [Self.address(3)])
        #expect(table.firstWaiting == 3)
        let next = table.admitFirst()
        #expect(next?.loads.map(\.address) == [Self.address(4)])
        #expect(table.firstWaiting == nil && arena.overflowCount == 0)
    }

    @Test func whoAllowsASlowerTierStillGetsThePageThatIsBeyondForAnother() throws {
        var (table, arena) = Self.table(pages: 4)
        _ = table.request(Self.needs(1), slowest: .ssd, for: 1)
        _ = table.request(Self.needs(1), slowest: .hdd, for: 2)
        _ = table.request(Self.needs(1), slowest: .dram, for: 3)
        let (told, again) = table.beyond(Self.address(1), .hdd)
        #expect(told.map(\.number) == [1, 3])
        #expect(again?.slowest == .hdd && again?.need == Self.needs(1)[0])
        let waiters = table.arrived(Self.address(1), Self.page(1, arena)).waiters
        #expect(waiters.map(\.number) == [2])
        _ = table.request(Self.needs(2), slowest: .ssd, for: 4)
        let (alone, none) = table.beyond(Self.address(2), .object)
        #expect(alone.map(\.number) == [4] && none == nil)
        #expect(table.reservedBytes == 0 && table.loadsInFlight == 0)
    }

    @Test func pagesLeaveForFarMemoryAndComeBackFromThere() throws {
        var (table, arena) = Self.table(pages: 2, far: 3, .fifo)
        for number in 1...5 { try Self.load(number, &table, arena) }
        // 4 and 5 in dram; 1, 2, 3 far.
        #expect(table.pageCount == 2 && table.farPageCount == 3)
        table.patch(Self.address(2), at: 1, with: Bytes([77]))
        do {
            let low = try Self.ask(&table, 1, 4, slowest: .dram, for: 1)
            #expect(low.beyond.map(\.tier) == [.far] && low.held.map(\.from) == [.dram])
        }
        let round = try Self.ask(&table, 2, 5, for: 2)
        #expect(round.held.map(\.from) == [.far, .dram] && round.missing == 0)
        #expect(round.held[0].bytes.slice(0..<2).array == [2, 77])
        // 4 went far and 1 out of there to make room; 2 is in one tier only.
        #expect(table.pageCount == 2 && table.farPageCount == 2)
        #expect(table.farVitals?.residentBytes == 2 * Self.pageBytes)
        #expect(arena.overflowCount == 0)
    }

    @Test func aLeasePinsItsPageAndAWriteGoesToAnotherCopy() throws {
        var (table, arena) = Self.table(pages: 2)
        try Self.load(1, &table, arena)
        try Self.check(Self.lease(1, &table), arena, &table)
        // Let go, it can leave.
        _ = table.request(Self.needs(5, 6), for: 1)
        #expect(table.loadsInFlight == 2 && table.pageCount == 0)
    }

    private static func lease(_ number: Int, _ table: inout PageTable) throws -> PageLease {
        guard let lease = table.lease(address(number)) else {
            throw LociError(.internal, "no lease")
        }
        return lease
    }

    private static func firstByte(_ page: RawSpan) -> UInt8? {
        page.byteCount == pageBytes ? page.unsafeLoad(as: UInt8.self) : nil
    }

    private static func check(
        _ lease: consuming PageLease, _ arena: PageArena, _ table: inout PageTable
    ) {
        table.patch(address(1), at: 0, with: Bytes([50]))
        let now = table.peek(address(1))?[0]
        let then = lease.withBytes { firstByte($0) }
        #expect(now == 50 && then == 1)
        #expect(arena.usedBytes == 2 * pageBytes, "both copies are the arena's")
        // The old copy and the new one fill the budget: only the new one can leave.
        guard case .waits = table.request(needs(5, 6), for: 1) else {
            Issue.record("the leased page was given away")
            return
        }
        table.withdrawFirst()
        #expect(arena.usedBytes == pageBytes && arena.overflowCount == 0)
        let stillThen = lease.withBytes { firstByte($0) }
        #expect(stillThen == 1)
    }

    /// A page that a message holds while it is written to, and lets go of on a thread of its own
    /// while room is made for the copy, must not go to far memory as it was.
    @Test func aPageThatIsLetGoWhileItIsWrittenToIsNotKeptAsItWas() throws {
        let held = Mutex<Bytes?>(nil)
        let isWriting = Atomic(false)
        let isOver = Atomic(false)
        let releaser = Thread {
            var random = SeededRandom(seed: 3)
            while !isOver.load(ordering: .acquiring) {
                guard isWriting.load(ordering: .acquiring) else { continue }
                for _ in 0..<random.below(60) { _ = isOver.load(ordering: .relaxed) }
                held.withLock { $0 = nil }
                isWriting.store(false, ordering: .releasing)
            }
        }
        releaser.start()
        defer { isOver.store(true, ordering: .releasing) }
        for round in 0..<500 {
            var (table, arena) = Self.table(pages: 2, far: 2, .fifo)
            try Self.load(1, &table, arena)
            try Self.load(2, &table, arena)
            let other = table.peek(Self.address(2))
            held.withLock { $0 = table.peek(Self.address(1)) }
            isWriting.store(true, ordering: .releasing)
            table.patch(Self.address(1), at: 0, with: Bytes([50]))
            while isWriting.load(ordering: .acquiring) {}
            withExtendedLifetime(other) {}
            let again = try Self.ask(&table, 1, for: 1)
            for page in again.held { try #require(page.bytes[0] == 50, "round \(round)") }
        }
    }

    @Test func pagesOfADroppedSpaceAreForgottenInBothTiers() {
        var (table, arena) = Self.table(pages: 3, far: 3, .fifo)
        for space in SpaceID(1)...6 {
            let need = PageNeed(
                address: Self.address(0, space: space), pageBytes: Self.pageBytes)
            _ = table.request([need], for: 1)
            _ = table.arrived(need.address, Self.page(0, arena))
        }
        #expect(table.pageCount == 3 && table.farPageCount == 3)
        table.drop(spaces: [1, 2, 4, 5])
        #expect(table.pageCount == 1 && table.farPageCount == 1)
        #expect(table.peek(Self.address(0, space: 6)) != nil)
        #expect(arena.usedBytes == Self.pageBytes)
    }
}
