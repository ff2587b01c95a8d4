import LociBase
import LociModel
import LociStorage
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// A shard with one field whose pages hold one cell each, and what clients announce to it. Results
/// are counts of page-ins, not times.
@Suite struct PrefetchTests {
    static let pageBytes = 4096
    static let cells: UInt64 = 4096

    final class Stage {
        var shard: ShardStage
        let field: FieldDefinition
        private var lastTicket: UInt64 = 0

        init(pages: Int, far: Int = 0) throws {
            shard = ShardStage(
                dram: .dram(budgetBytes: pages * pageBytes),
                far: far == 0 ? nil : .far(budgetBytes: far * pageBytes))
            var catalog = Catalog()
            field = try catalog.createField(
                name: "rows", elementType: .raw, shape: [cells, UInt64(pageBytes)],
                pageBytes: pageBytes)
            shard.install(catalog)
            for cell in 0..<cells {
                var page = Bytes(zeros: pageBytes)
                page.replace(at: 0, with: Bytes(values: [cell << 32]))
                shard.disk[address(cell)] = page
            }
        }

        func address(_ cell: UInt64) -> PageAddress {
            FieldGeometry(field, partitions: 1).place(of: cell).address
        }

        func announce(
            _ cells: some Sequence<UInt64>, client: UInt64? = nil, ticket: UInt64? = nil,
            lifetime: UInt64 = 0, neededIn: UInt64 = 0, identity: UInt64 = 0,
            incarnation: UInt64 = 1
        ) -> Message? {
            lastTicket += 1
            let request = shard.send(
                .shardPrefetch(
                    ShardPrefetch(
                        space: field.space, identity: identity, ticket: ticket ?? lastTicket,
                        client: 5, lifetimeMicroseconds: lifetime,
                        neededInMicroseconds: neededIn)),
                bulk: [Bytes(values: Array(cells))], client: client, incarnation: incarnation)
            return shard.answers[request]
        }

        func answer(_ ticket: UInt64, cancel: Bool = false) -> TicketAnswer {
            let request = shard.send(.ticket(Ticket(ticket: ticket, isCancelled: cancel)))
            guard case .ticketAnswer(let answer)? = shard.answers[request]?.body else {
                Issue.record("a ticket is not answered")
                return TicketAnswer(ticket: 0)
            }
            return answer
        }

        /// Reads cells, with the page-ins that it needs. Returns values and hard page-ins.
        func read(_ cells: [UInt64]) -> (values: [UInt64], hard: UInt64) {
            let request = shard.send(
                .shardRead(ShardRead(space: field.space)), bulk: [Bytes(values: cells)])
            while shard.answers[request] == nil {
                shard.release()
                guard
                    let next = shard.loads.firstIndex(where: { !$0.isBackground })
                        ?? shard.loads.indices.first
                else { break }
                shard.load(next)
            }
            guard let message = shard.answers[request], case .cells(let answer) = message.body
            else {
                Issue.record("a read is not answered")
                return ([], 0)
            }
            let values = cells.indices.map {
                message.bulk[0].load(UInt64.self, at: $0 * pageBytes)
            }
            return (values, answer.receipt.tiers[.ssd].hard + answer.receipt.tiers[.ssd].soft)
        }

        func release(_ cells: [UInt64], neededIn: UInt64 = 0) {
            shard.send(
                .shardRelease(
                    ShardRelease(space: field.space, neededInMicroseconds: neededIn)),
                bulk: [Bytes(values: cells)])
        }

        var told: PrefetchTally { shard.node.tally(.told) }
    }

    /// What a model server does: it announces some tokens ahead, and reads.
    @Test func aToldStreamHasPrecisionAndCoverageOfOne() throws {
        let stage = try Stage(pages: 512)
        var random = SeededRandom(seed: 4)
        var distinct = Set<UInt64>()
        let tokens = (0..<60).map { _ in
            (0..<48).map { _ in UInt64(random.below(Int(Self.cells))) }
        }
        var hard: UInt64 = 0
        _ = stage.announce(tokens[0])
        for (number, rows) in tokens.enumerated() {
            if number + 1 < tokens.count { _ = stage.announce(tokens[number + 1]) }
            stage.shard.loadAll()
            let result = stage.read(rows)
            #expect(result.values == rows.map { $0 << 32 })
            hard += result.hard
            distinct.formUnion(rows)
        }
        #expect(hard == 0, "coverage")
        #expect(stage.told.precision == 1 && stage.told.timeliness == 1)
        #expect(stage.told.open == 0 && stage.told.dropped == 0)
        #expect(stage.told.issued >= distinct.count)
        #expect(stage.shard.begun == stage.told.issued, "nothing else was read")
    }

    @Test func pagesAreFetchedOnceHoweverOftenTheyAreAnnouncedAndAskedFor() throws {
        let stage = try Stage(pages: 64)
        guard case .ticketAnswer(let first)? = stage.announce([1, 1, 2, 1])?.body else {
            Issue.record("no answer")
            return
        }
        #expect(first.pages == 2 && first.loading == 2)
        _ = stage.announce([2, 3], client: 900)
        let request = stage.shard.send(
            .shardRead(ShardRead(space: 1)), bulk: [Bytes(values: [UInt64(3)])])
        #expect(stage.shard.hastened == [stage.address(3)])
        stage.shard.loadAll()
        #expect(stage.shard.begun == 3)
        #expect(stage.shard.answers[request] != nil)
        #expect(stage.answer(1).arrived == 2 && stage.answer(2).arrived == 2)
        #expect(stage.told.late == 1 && stage.told.open == 2)
    }

    @Test func moreThanMemoryHoldsSlidesThroughItAsPagesAreUsed() throws {
        let stage = try Stage(pages: 32)
        let cells = Array(0..<UInt64(500))
        _ = stage.announce(cells)
        stage.shard.loadAll()
        #expect(stage.answer(1).arrived == 16, "half of memory")
        var hard: UInt64 = 0
        for cell in cells {
            hard += stage.read([cell]).hard
            stage.shard.loadAll()
            #expect(stage.shard.arena.usedBytes <= stage.shard.arena.budgetBytes)
        }
        #expect(hard == 0)
        #expect(stage.told.used == 500 && stage.shard.begun == 500)
        #expect(stage.shard.arena.overflowCount == 0)
    }

    @Test func whatExpiresIsDroppedBeforeItsPageIn() throws {
        let stage = try Stage(pages: 64)
        _ = stage.announce(0..<200, lifetime: 20_000)
        let ordered = stage.shard.loads.count
        #expect(ordered > 0 && ordered <= PageInPace.together)
        stage.shard.load(0)
        stage.shard.pass(microseconds: 30_000)
        stage.shard.loadAll()
        #expect(stage.shard.begun == 1, "what lay with storage already was not begun, either")
        let answer = stage.answer(1)
        #expect(answer.expired == 199 && answer.arrived == 1 && answer.isDone)
        #expect(stage.told.issued == 1 && stage.told.dropped == 199)
    }

    @Test func whoWaitsForAPageWhoseTimeIsUpGetsItAllTheSame() throws {
        let stage = try Stage(pages: 64)
        _ = stage.announce([7], lifetime: 1000)
        let request = stage.shard.send(
            .shardRead(ShardRead(space: 1)), bulk: [Bytes(values: [UInt64(7)])])
        stage.shard.pass(microseconds: 5000)
        // As if it had been dropped just before it was hastened.
        let lost = stage.shard.loads.removeFirst()
        stage.shard.handle(.pageArrived(lost.address, .success(.dropped)))
        #expect(stage.shard.loads.count == 1 && !stage.shard.loads[0].isBackground)
        stage.shard.loadAll()
        #expect(stage.shard.answers[request].map { $0.bulk[0].load(UInt64.self, at: 0) } == 7 << 32)
    }

    @Test func anotherWhoStillWantsAPageHasItOrderedAgain() throws {
        let stage = try Stage(pages: 64)
        _ = stage.announce([7], lifetime: 1000)
        _ = stage.announce([7], lifetime: 1_000_000)
        stage.shard.pass(microseconds: 5000)
        stage.shard.loadAll()
        #expect(stage.answer(1).expired == 1 && stage.answer(2).arrived == 1)
        #expect(stage.shard.begun == 1)
    }

    @Test func cancellingGivesUpWhatNobodyElseWants() throws {
        let stage = try Stage(pages: 64)
        _ = stage.announce(0..<100)
        _ = stage.announce([98, 99])
        stage.shard.load(0)
        let answer = stage.answer(1, cancel: true)
        #expect(answer.arrived == 1 && answer.cancelled + answer.loading == 99)
        stage.shard.loadAll()
        let begun = stage.shard.begun
        #expect(begun <= PageInPace.together + 2)
        #expect(stage.answer(2).arrived == 2)
        #expect(stage.answer(1).isDone)
        // Nothing is kept for the first any more: all of memory can be used for others.
        for cell in 1000..<UInt64(1062) { _ = stage.read([cell]) }
        let early = stage.shard.node.pages.earlyBytes(.told)
        #expect(early == 2 * Self.pageBytes)
        #expect(stage.read([98, 99]).hard == 0)
    }

    @Test func clientsTakeTurns() throws {
        let stage = try Stage(pages: 4096)
        _ = stage.announce(0..<3000, client: 801)
        _ = stage.announce(3500..<3548, client: 802)
        for _ in 0..<(PageInPace.together + 2 * 48) { stage.shard.load(0) }
        #expect(stage.answer(2).arrived == 48, "a small one is not held up by a large one")
        #expect(stage.answer(1).arrived == PageInPace.together + 48)
        // Pages that another has announced before do not wait for its turn.
        _ = stage.announce(2900..<2948, client: 803)
        for _ in 0..<(PageInPace.together + 2 * 48) { stage.shard.load(0) }
        #expect(stage.answer(3).arrived == 48)
    }

    @Test func ofOneClientsAnnouncementsTheMoreUrgentGoesFirst() throws {
        let stage = try Stage(pages: 4096)
        _ = stage.announce(0..<1000)
        _ = stage.announce(2000..<2048, lifetime: 20_000)
        for _ in 0..<(PageInPace.together + 48) { stage.shard.load(0) }
        #expect(stage.answer(2).arrived == 48)
    }

    @Test func fewArePrefetchedWhileOthersWaitForPageIns() throws {
        let stage = try Stage(pages: 4096)
        _ = stage.shard.send(
            .shardRead(ShardRead(space: 1)), bulk: [Bytes(values: [UInt64(4000)])])
        _ = stage.announce(0..<1000)
        #expect(
            stage.shard.loads.filter(\.isBackground).count == PageInPace.togetherBesideOthers)
        stage.shard.load(0)
        #expect(stage.shard.loads.filter(\.isBackground).count == PageInPace.together)
    }

    @Test func whatIsNeededLaterIsFetchedJustInTime() throws {
        let stage = try Stage(pages: 64)
        _ = stage.announce(0..<8, neededIn: 100_000)
        #expect(stage.shard.loads.isEmpty && stage.answer(1).waiting == 8)
        stage.shard.pass(microseconds: 50_000)
        #expect(stage.shard.loads.isEmpty, "too early")
        stage.shard.pass(microseconds: 48_000)
        #expect(stage.shard.loads.count == 8, "in time")
        stage.shard.loadAll()
        #expect(stage.read(Array(0..<8)).hard == 0)
    }

    @Test func whatIsReleasedLeavesFirstAndComesBackInTime() throws {
        let stage = try Stage(pages: 32)
        _ = stage.read(Array(0..<32))
        stage.release([3, 4], neededIn: 200_000)
        _ = stage.read([100, 101])
        let present = (0..<32).filter { stage.shard.node.pages.isInDram(stage.address($0)) }
        #expect(present == (0..<32).filter { $0 != 3 && $0 != 4 })
        stage.shard.pass(microseconds: 199_000)
        stage.shard.loadAll()
        #expect(stage.read([3, 4]).hard == 0)
        #expect(stage.told.used == 2)
    }

    @Test func whatOthersHaveAnnouncedIsNotReleased() throws {
        let stage = try Stage(pages: 8)
        _ = stage.announce([1])
        stage.shard.loadAll()
        stage.release([1])
        _ = stage.read([10, 11, 12, 13, 14, 15])
        #expect(stage.read([1]).hard == 0)
    }

    @Test func clientsMayAskShardsThemselvesButOnlyForWhatChangesNothing() throws {
        let stage = try Stage(pages: 64)
        for incarnation in [UInt64(0), 1] {
            guard
                case .ticketAnswer? = stage.announce(
                    [1], client: 77, incarnation: incarnation)?.body
            else {
                Issue.record("incarnation \(incarnation)")
                return
            }
        }
        guard case .failure(let stale)? = stage.announce([1], client: 77, incarnation: 9)?.body
        else {
            Issue.record("another start of the shard was meant")
            return
        }
        #expect(stale.code == .failedPrecondition && stale.advice.contains("coordinator"))
        let read = stage.shard.send(
            .shardRead(ShardRead(space: 1)), bulk: [Bytes(values: [UInt64(1)])], client: 77)
        stage.shard.loadAll()
        #expect(stage.shard.answers[read] != nil)
        let write = stage.shard.send(
            .shardWrite(ShardWrite(space: 1, partition: 0)),
            bulk: [Bytes(values: [UInt64(1)]), Bytes(zeros: Self.pageBytes)], isMutation: true,
            client: 77)
        #expect(stage.shard.answers[write] == nil && stage.shard.commits.isEmpty)
        #expect(stage.shard.node.rejectedMessages == 1)
    }

    @Test func whatMakesNoSenseIsRefused() throws {
        let stage = try Stage(pages: 64)
        func code(_ message: Message?) -> ErrorCode? {
            if case .failure(let error)? = message?.body { error.code } else { nil }
        }
        #expect(code(stage.announce([Self.cells])) == .invalidArgument)
        #expect(code(stage.announce([0], identity: 3)) == .failedPrecondition)
        let identity = stage.field.identity(in: 9)
        #expect(code(stage.announce([0], identity: identity)) == nil)
        #expect(stage.answer(999).pages == 0)
        #expect(stage.answer(999, cancel: true).pages == 0)
    }

    @Test func tooManyTicketsAreRefusedAndFinishedOnesGiveWay() throws {
        let stage = try Stage(pages: 8)
        for ticket in 1...UInt64(Prefetching.mostBatches / 2) {
            _ = stage.announce([ticket % Self.cells], ticket: ticket)
        }
        guard case .failure(let error)? = stage.announce([5], ticket: 1 << 40)?.body else {
            Issue.record("one ticket too many")
            return
        }
        #expect(error.code == .resourceExhausted && !error.advice.isEmpty)
        guard case .ticketAnswer? = stage.announce([5], client: 800, ticket: 2 << 40)?.body else {
            Issue.record("another client has a place")
            return
        }
        _ = stage.answer(4000, cancel: true)
        guard case .ticketAnswer? = stage.announce([5], ticket: 1 << 40)?.body else {
            Issue.record("there is a place again")
            return
        }
        for ticket in 10_001...UInt64(10_000 + PrefetchTickets.most) {
            _ = stage.announce([9], client: 801, ticket: ticket)
            _ = stage.answer(ticket, cancel: true)
        }
        #expect(stage.shard.node.prefetching.tickets.count == PrefetchTickets.most)
    }

    @Test func whoFindsNoRoomTriesAgainSoonAndOnlyWhileSomethingIsWanted() throws {
        let stage = try Stage(pages: 8)
        let requests = (0..<UInt64(8)).map {
            stage.shard.send(.shardRead(ShardRead(space: 1)), bulk: [Bytes(values: [$0])])
        }
        _ = stage.announce([100, 101])
        #expect(stage.shard.loads.filter(\.isBackground).isEmpty, "all of memory is promised")
        let soon = stage.shard.now.advanced(milliseconds: 5)
        #expect(try #require(stage.shard.node.nextWake) < soon)
        _ = stage.answer(1, cancel: true)
        #expect(stage.shard.node.nextWake.map { $0 > soon } ?? true)
        _ = stage.announce([100, 101])
        stage.shard.loadAll()
        #expect(requests.allSatisfy { stage.shard.answers[$0] != nil })
        #expect(stage.answer(2).arrived == 2)
    }

    @Test func ticketsAreForgottenSomeTimeAfterTheirEnd() throws {
        let stage = try Stage(pages: 64)
        _ = stage.announce([1])
        stage.shard.loadAll()
        _ = stage.read([1])
        #expect(stage.answer(1).arrived == 1)
        stage.shard.pass(microseconds: 90_000_000)
        _ = stage.announce([2])
        stage.shard.pass(microseconds: 20_000_000)
        #expect(stage.answer(1).pages == 0)
    }

    @Test func suggestionsAreFetchedAfterWhatWasAnnouncedAndJudged() throws {
        let stage = try Stage(pages: 4096)
        func need(_ cell: UInt64) -> PageNeed {
            PageNeed(address: stage.address(cell), pageBytes: Self.pageBytes)
        }
        func suggest(_ cells: [UInt64], _ source: PrefetchSource, until: UInt64) {
            var directives: [ShardDirective] = []
            stage.shard.node.suggest(
                cells.map(need), source: source,
                until: stage.shard.now.advanced(microseconds: until), into: &directives)
            for case .load(let requests) in directives { stage.shard.loads += requests }
        }
        _ = stage.announce(0..<UInt64(PageInPace.together))
        suggest([1001, 1002], .guessed, until: 10_000)
        suggest([2001], .hinted, until: 10_000)
        #expect(stage.shard.loads.count == PageInPace.together)
        stage.shard.load(0)
        #expect(stage.shard.loads.last?.address == stage.address(2001), "hints before guesses")
        stage.shard.loadAll()
        _ = stage.read([2001])
        suggest([1003], .guessed, until: 10_000)
        _ = stage.read([1003])
        stage.shard.pass(microseconds: 20_000)
        for cell in 3000..<UInt64(3010) { _ = stage.read([cell]) }
        #expect(stage.shard.node.tally(.hinted).used == 1)
        #expect(stage.shard.node.tally(.guessed).late == 1)
        #expect(stage.shard.node.tally(.guessed).open == 2)
        #expect(stage.shard.node.pages.earlyBytes(.guessed) == 0, "their time is up")
    }
}
