import LociBase
import LociModel
import LociStorage
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// Two shards are asked the same; one of them is also told, hinted at and guesses, in random order,
/// with deadlines, cancellations, releases and page-ins that writes overtake. Their answers are the
/// same byte for byte.
@Suite struct PrefetchModelTests {
    private static let pageBytes = 4096
    private static let cellBytes = 1024
    private static let cells: UInt64 = 400

    private struct Pair {
        var random: SeededRandom
        var plain: ShardStage
        var early: ShardStage
        let field: FieldDefinition
        var tickets: [UInt64] = []
        var answered = 0
        /// Page-ins that have read their page and have not come yet.
        var underWay: [(address: PageAddress, content: Bytes)] = []
        /// Page-ins for each source that failed.
        var failures: [UInt64] = [0, 0, 0]

        init(seed: UInt64, pages: Int, far: Int) throws {
            random = SeededRandom(seed: seed)
            let kinds = EvictionKind.allCases
            let eviction = kinds[Int(seed) % kinds.count]
            func stage() -> ShardStage {
                ShardStage(
                    dram: .dram(budgetBytes: pages * pageBytes, eviction: eviction),
                    far: far == 0 ? nil : .far(budgetBytes: far * pageBytes))
            }
            (plain, early) = (stage(), stage())
            var catalog = Catalog()
            field = try catalog.createField(
                name: "rows", elementType: .raw, shape: [cells, UInt64(cellBytes)],
                pageBytes: pageBytes)
            plain.install(catalog)
            early.install(catalog)
            // Some need many events to begin and to end.
            if seed % 3 == 1 { early.node.prefetching.looksPerEvent = 9 }
        }

        mutating func someCells(_ most: Int) -> [CellIndex] {
            (0..<(1 + random.below(most))).map { _ in
                // Some cells are asked for more often.
                let span = random.chance(0.5) ? 60 : Int(cells)
                return CellIndex(random.below(span))
            }
        }

        mutating func read() {
            let bulk = [Bytes(values: someCells(12))]
            let body = Body.shardRead(ShardRead(space: field.space))
            let first = plain.send(body, bulk: bulk)
            plain.loadAll()
            let second = early.send(body, bulk: bulk)
            while early.answers[second] == nil {
                early.release()
                if early.loads.isEmpty {
                    guard arrive() else { break }
                } else {
                    early.load(random.below(early.loads.count))
                }
            }
            let answers = [plain.answers[first], early.answers[second]]
            guard case .cells? = answers[0]?.body, case .cells(let answer)? = answers[1]?.body
            else {
                Issue.record("a read is not answered: \(answers)")
                return
            }
            #expect(answers[0]!.bulk == answers[1]!.bulk)
            let tiers = answer.receipt.tiers
            #expect(tiers.pages == answer.receipt.pagesTouched)
            answered += 1
        }

        mutating func write(_ step: Int) {
            let cell = someCells(1)[0]
            let bytes = Bytes(
                (0..<cellBytes).map { UInt8(truncatingIfNeeded: $0 &* step &+ step >> 3) })
            let body = Body.shardWrite(ShardWrite(space: field.space, partition: 0))
            let bulk = [Bytes(values: [cell]), bytes]
            plain.send(body, bulk: bulk, isMutation: true)
            early.send(body, bulk: bulk, isMutation: true)
            plain.commit()
            early.commit()
        }

        mutating func announce() {
            let ticket = random.chance(0.1) ? 7 : UInt64.random(in: 1...UInt64.max, using: &random)
            tickets.append(ticket)
            let clients: [UInt64?] = [nil, 70, 80]
            early.send(
                .shardPrefetch(
                    ShardPrefetch(
                        space: field.space, ticket: ticket, client: UInt64(random.below(3)),
                        lifetimeMicroseconds: random.chance(0.5)
                            ? 0 : UInt64(random.below(50_000)),
                        neededInMicroseconds: random.chance(0.3)
                            ? UInt64(random.below(50_000)) : 0)),
                bulk: [Bytes(values: someCells(40))], client: clients[random.below(3)])
        }

        mutating func ask() {
            guard let ticket = tickets.randomElement(using: &random) else { return }
            let request = early.send(
                .ticket(Ticket(ticket: ticket, isCancelled: random.chance(0.4))))
            guard case .ticketAnswer(let answer)? = early.answers[request]?.body else {
                Issue.record("a ticket is not answered")
                return
            }
            let sum =
                answer.resident + answer.waiting + answer.loading + answer.arrived
                + answer.expired + answer.cancelled + answer.failed
            #expect(sum == answer.pages)
        }

        mutating func release() {
            early.send(
                .shardRelease(
                    ShardRelease(
                        space: field.space,
                        neededInMicroseconds: random.chance(0.5)
                            ? UInt64(random.below(30_000)) : 0)),
                bulk: [Bytes(values: someCells(8))])
        }

        mutating func suggest() {
            let geometry = FieldGeometry(field, partitions: 1)
            let needs = someCells(6).map {
                PageNeed(address: geometry.place(of: $0).address, pageBytes: pageBytes)
            }
            var directives: [ShardDirective] = []
            early.node.suggest(
                needs, source: random.chance(0.5) ? .hinted : .guessed,
                until: early.now.advanced(microseconds: UInt64(random.below(20_000))),
                into: &directives)
            for case .load(let requests) in directives { early.loads += requests }
        }

        /// One of the page-ins that have read their page comes, with what was there then.
        mutating func arrive() -> Bool {
            guard !underWay.isEmpty else { return false }
            let (address, content) = underWay.remove(at: random.below(underWay.count))
            early.handle(
                .pageArrived(
                    address, .success(.loaded(early.arena.copy(content), from: .ssd))))
            return true
        }

        mutating func loadSomething() {
            early.release()
            if random.chance(0.3), arrive() { return }
            guard !early.loads.isEmpty else { return }
            let place = random.below(early.loads.count)
            if random.chance(0.4) {
                let address = early.loads.remove(at: place).address
                let content = early.disk[address] ?? Bytes(zeros: pageBytes)
                underWay.append((address, content.compact()))
                return
            }
            guard random.chance(0.05) else { return early.load(place) }
            let lost = early.loads.remove(at: place)
            let source = early.node.pages.loadingSource(lost.address)!
            failures[Int(source.rawValue)] += 1
            early.handle(
                .pageArrived(lost.address, .failure(LociError(.unavailable, "The disk."))))
        }

        func check() {
            #expect(early.arena.usedBytes + early.arena.overflowBytes <= early.arena.budgetBytes)
            let pages = early.node.pages
            #expect(pages.earlyLoads <= PageInPace.together)
            #expect(pages.earlyLoads + pages.demandLoads == early.loads.count + underWay.count)
            let prefetching = early.node.prefetching
            let begun = prefetching.batches.filter(\.value.hasBegun)
            let open = begun.reduce(0) { $0 + $1.value.open }
            #expect(open == prefetching.wants.values.reduce(0) { $0 + $1.batches.count })
            #expect(begun.allSatisfy { $0.value.open > 0 || !$0.value.isJoined })
            let unseen = prefetching.batches.values.filter { $0.end == nil }
            #expect(
                prefetching.references
                    == unseen.reduce(open) { $0 + $1.needs.count - $1.joined })
            var waiting: [UInt64: Int] = [:]
            var held: [PrefetchClient: Int] = [:]
            for want in prefetching.wants.values {
                if case .waiting = want.state {
                    for number in want.batches { waiting[number, default: 0] += 1 }
                }
                if let number = want.charged {
                    held[prefetching.batches[number]!.client, default: 0] += pageBytes
                    #expect(want.isWanted(by: number))
                }
                if case .kept = want.state { #expect(want.charged != nil) }
            }
            for (number, batch) in prefetching.batches {
                let counted = waiting[number, default: 0] + batch.needs.count - batch.joined
                #expect(batch.waiting == (batch.end == nil ? counted : 0))
                let bytes = prefetching.clients.bytes(of: batch.client)
                #expect(bytes == held[batch.client, default: 0])
            }
            #expect(pages.earlyBytes(.told) <= pages.budgetBytes / 2 + pageBytes)
            #expect(
                pages.earlyBytes(.hinted) + pages.earlyBytes(.guessed) <= pages.budgetBytes / 8)
            for source in PrefetchSource.allCases {
                let tally = early.node.tally(source)
                #expect(tally.issued >= tally.used + tally.late + tally.wasted)
                let failed = failures[Int(source.rawValue)]
                #expect(tally.bytes == (tally.issued - failed) * UInt64(pageBytes))
                #expect(tally.open <= pages.pageCount + pages.farPageCount)
            }
        }
    }

    @Test(arguments: 0..<10) func answersAreTheSameWhateverIsAnnounced(seed: UInt64) throws {
        var pair = try Pair(
            seed: seed, pages: [16, 24, 200][Int(seed % 3)], far: seed % 2 == 0 ? 0 : 12)
        for step in 0..<600 {
            switch pair.random.below(16) {
            case 0...2: pair.read()
            case 3...4: pair.write(step)
            case 5...6: pair.announce()
            case 7: pair.ask()
            case 8: pair.release()
            case 9: pair.suggest()
            case 10: pair.early.pass(microseconds: UInt64(pair.random.below(8000)))
            default: pair.loadSomething()
            }
            pair.check()
        }
        #expect(pair.answered > 60)
        #expect(pair.early.node.tally(.told).issued > 30)
        // What was kept ends with its time, whatever nobody asked for.
        pair.early.pass(microseconds: 700_000_000)
        while pair.arrive() {}
        pair.early.loadAll()
        pair.check()
        let prefetching = pair.early.node.prefetching
        #expect(prefetching.batches.isEmpty && prefetching.wants.isEmpty)
        #expect(prefetching.references == 0 && prefetching.clients.count == 0)
        for source in PrefetchSource.allCases {
            #expect(pair.early.node.pages.earlyBytes(source) == 0)
        }
        // With its pages the last open verdict goes.
        for cell in 0..<Self.cells {
            pair.early.send(
                .shardRead(ShardRead(space: pair.field.space)), bulk: [Bytes(values: [cell])])
            pair.early.loadAll()
        }
        for source in PrefetchSource.allCases {
            #expect(pair.early.node.tally(source).open == 0)
        }
    }
}
