import LociBase
import LociModel
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// What one client's announcements take from others, from memory and from one event.
@Suite struct PrefetchBoundsTests {
    private typealias Stage = PrefetchTests.Stage
    private static let pageBytes = PrefetchTests.pageBytes
    private static let longLifetime: UInt64 = 600_000_000

    private static func keptPages(_ stage: Stage) -> Int {
        stage.shard.node.pages.earlyBytes(.told) / pageBytes
    }

    @Test func aClientThatNeverReadsDoesNotStopOthers() throws {
        let stage = try Stage(pages: 64)
        _ = stage.announce(0..<200, client: 801, lifetime: Self.longLifetime)
        stage.shard.loadAll()
        #expect(stage.answer(1).arrived == 32, "half of memory")
        _ = stage.announce(1000..<1010, client: 802)
        stage.shard.loadAll()
        #expect(stage.answer(2).arrived == 10)
        #expect(stage.read(Array(1000..<1010)).hard == 0)
        // More than its part takes nothing from the first one's part.
        _ = stage.announce(1100..<1200, client: 802)
        stage.shard.loadAll()
        let clients = stage.shard.node.prefetching.clients
        for number: UInt64 in [801, 802] {
            let client = PrefetchClient(number: number, isDirect: true)
            #expect(clients.bytes(of: client) == 16 * Self.pageBytes)
        }
        #expect(Self.keptPages(stage) == 32)
        // Of the first one's, what was kept longest went.
        let kept = stage.shard.node.prefetching.wants.values.compactMap { want -> UInt64? in
            guard want.need.address.page < 1000, case .kept = want.state else { return nil }
            return want.need.address.page
        }
        let last = try #require(kept.max())
        #expect(last >= 31 && kept.sorted() == Array((last - 15)...last))
    }

    @Test func whatIsThereAlreadyIsKeptForWhoHasLessToo() throws {
        let stage = try Stage(pages: 64)
        _ = stage.read(Array(1000..<1010))
        _ = stage.announce(0..<200, client: 801, lifetime: Self.longLifetime)
        stage.shard.loadAll()
        _ = stage.announce(1000..<1010, client: 802)
        for cell in 2000..<UInt64(2300) { _ = stage.read([cell]) }
        #expect(stage.read(Array(1000..<1010)).hard == 0)
    }

    @Test func oneClientsAnnouncementsLeaveRoomForOthers() throws {
        let stage = try Stage(pages: 64)
        func isRefused(_ cells: Range<UInt64>, _ client: UInt64) -> Bool {
            if case .failure(let error)? = stage.announce(cells, client: client)?.body {
                #expect(error.code == .resourceExhausted)
                return true
            }
            return false
        }
        let whole = 0..<PrefetchTests.cells
        for _ in 0..<(Prefetching.mostReferences / 2 / Int(PrefetchTests.cells)) {
            #expect(!isRefused(whole, 801))
        }
        #expect(isRefused(whole, 801))
        #expect(!isRefused(whole, 802) && !isRefused(0..<10, 803))
    }

    @Test func aPageThatIsReadBeforeItsTurnIsNotKeptAfterwards() throws {
        let stage = try Stage(pages: 1024)
        _ = stage.announce(0..<200)
        _ = stage.read([150, 151])
        stage.shard.loadAll()
        #expect(stage.answer(1).arrived == 200)
        #expect(Self.keptPages(stage) == 198)
    }

    @Test func norIsOneThatARequestMovesUpFromFarMemory() throws {
        let stage = try Stage(pages: 16, far: 64)
        _ = stage.read(Array(100..<110))
        for cell in 110..<UInt64(140) { _ = stage.read([cell]) }
        _ = stage.announce([0, 1])
        _ = stage.announce([101])
        #expect(stage.answer(2).waiting == 1, "enough are on their way")
        #expect(stage.read([101]).hard == 0)
        #expect(stage.answer(2).arrived == 1)
        stage.shard.loadAll()
        #expect(stage.read([0, 1]).hard == 0)
        #expect(Self.keptPages(stage) == 0)
    }

    @Test func aUseFromBeforeAnAnnouncementDoesNotEndIt() throws {
        let stage = try Stage(pages: 64)
        _ = stage.announce([1])
        stage.shard.loadAll()
        _ = stage.shard.node.pages.lease(stage.address(1))
        _ = stage.announce([1])
        #expect(Self.keptPages(stage) == 1)
        #expect(stage.shard.node.prefetching.batches.count == 1)
    }

    @Test func oneEventBeginsAndEndsABoundedNumberOfPages() throws {
        let stage = try Stage(pages: 64)
        let most = stage.shard.node.prefetching.looksPerEvent
        let all = PrefetchTests.cells
        func wants() -> Int { stage.shard.node.prefetching.wants.count }
        func sum(_ answer: TicketAnswer) -> UInt64 {
            answer.resident + answer.waiting + answer.loading + answer.arrived + answer.expired
                + answer.cancelled + answer.failed
        }
        guard case .ticketAnswer(let first)? = stage.announce(0..<all, lifetime: 50_000)?.body
        else {
            Issue.record("no answer")
            return
        }
        #expect(first.pages == all && sum(first) == all)
        #expect(wants() > 0 && wants() <= most)
        let (wake, now) = (stage.shard.node.nextWake, stage.shard.now)
        #expect(wake == now, "there is more to do")
        stage.shard.pass(microseconds: 0)
        #expect(wants() == Int(all))
        // At the end all is counted at once, and let go of bit by bit.
        stage.shard.now = stage.shard.now.advanced(microseconds: 60_000)
        stage.shard.handle(.woken)
        #expect(wants() >= Int(all) - most && wants() < Int(all))
        let expired = stage.answer(1)
        #expect(expired.waiting == 0 && sum(expired) == all)
        #expect(expired.expired + expired.loading + expired.arrived == all)
        stage.shard.pass(microseconds: 0)
        stage.shard.loadAll()
        #expect(wants() == 0 && stage.shard.node.prefetching.references == 0)
        // As with one that is given up.
        _ = stage.announce(0..<all)
        stage.shard.pass(microseconds: 0)
        let cancelled = stage.answer(2, cancel: true)
        #expect(cancelled.waiting == 0 && sum(cancelled) == all)
        #expect(wants() >= Int(all) - most)
        stage.shard.pass(microseconds: 0)
        stage.shard.loadAll()
        #expect(wants() == 0 && stage.shard.node.tally(.told).open <= 64)
    }

    @Test func earlyPageInsAreHastenedWhenARequestWaitsForRoom() throws {
        let stage = try Stage(pages: 8)
        _ = stage.announce([100])
        #expect(stage.shard.loads.count == 1 && stage.shard.hastened.isEmpty)
        let requests = (0..<UInt64(8)).map {
            stage.shard.send(.shardRead(ShardRead(space: 1)), bulk: [Bytes(values: [$0])])
        }
        let isWaiting = stage.shard.node.isWaitingForRoom
        let hastened = stage.shard.hastened
        #expect(isWaiting && hastened == [stage.address(100)])
        stage.shard.handle(.released)
        let hastenedInAll = stage.shard.hastened.count
        #expect(hastenedInAll == 1, "once")
        stage.shard.loadAll()
        let answers = stage.shard.answers
        #expect(requests.allSatisfy { answers[$0] != nil })
    }

    @Test func suggestedPagesGoAtTheirTimesAndAreRenewed() {
        func entry(_ page: UInt64, _ milliseconds: UInt64) -> PageSuggestions.Entry {
            PageSuggestions.Entry(
                need: PageNeed(
                    address: PageAddress(space: 1, partition: 0, page: page), pageBytes: 4096),
                until: Instant.zero.advanced(milliseconds: milliseconds))
        }
        var suggestions = PageSuggestions()
        func over(_ milliseconds: UInt64) -> UInt64? {
            suggestions.takeOver(at: Instant.zero.advanced(milliseconds: milliseconds))?.page
        }
        #expect(suggestions.keep(entry(1, 60_000)) == nil)
        #expect(suggestions.keep(entry(2, 2000)) == nil)
        #expect(suggestions.keep(entry(3, 1000)) == nil)
        #expect(over(2000) == 3 && over(2000) == 2 && over(2000) == nil)
        #expect(suggestions.keep(entry(1, 90_000)) == nil, "it is to stay")
        #expect(suggestions.keep(entry(1, 5)) == nil)
        #expect(over(70_000) == nil)
        for page in 2...UInt64(PageSuggestions.most) { _ = suggestions.keep(entry(page, page)) }
        #expect(suggestions.keep(entry(9999, 80_000))?.page == 2, "what ends first")
        for _ in 0..<20_000 { _ = suggestions.keep(entry(9999, 85_000)) }
        while over(89_999) != nil {}
        #expect(over(90_000) == 1)
    }
}
