import LociBase
import LociModel
import LociPlacement
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// What a shard and a coordinator remember through gossip, with a peer that the test plays.
@Suite struct GossipMemoryTests {
    private static let pageBytes = 4096

    private static var settings: GossipSettings {
        GossipSettings(intervalMicroseconds: 100_000, seed: 3)
    }

    /// A shard with a field of 4,096 pages, beside a coordinator of the name that gossips.
    private final class Stage {
        var shard: ShardStage
        var peer: GossipNode
        let space: SpaceID

        init(memory: Int, guesses: Bool = true, takesPrefetches: Bool = true) throws {
            var random = SeededRandom(seed: 8)
            shard = ShardStage(
                dram: .dram(budgetBytes: memory, seed: random.next()), guesses: guesses,
                takesPrefetches: takesPrefetches, gossip: GossipMemoryTests.settings)
            var catalog = Catalog()
            space = try catalog.createField(
                name: "f", elementType: .raw, shape: [4096, 4096], pageBytes: 4096
            ).space
            shard.install(catalog)
            peer = GossipNode(node: 0, incarnation: 1, seed: 5)
        }

        /// Forges, as somebody who can speak for node 1, what it had published before.
        func remember(_ pages: [PageAddress], part: UInt32 = 0) {
            var past = GossipNode(node: 1, incarnation: 0, seed: 6)
            past.publish(
                .heat, part: part, PageRuns.encoded(pages), timeToLive: 600_000_000, at: shard.now)
            for (_, first) in past.startRound(among: [0], at: shard.now) {
                var question = first
                while let (_, answer) = peer.receive(question, from: 1, at: shard.now).first {
                    guard let (_, next) = past.receive(answer, from: 0, at: shard.now).first
                    else { break }
                    question = next
                }
            }
        }

        /// A round of the peer with the shard.
        func exchange() throws {
            shard.now = shard.now.advanced(microseconds: 100_000)
            for (_, first) in peer.startRound(among: [1], at: shard.now) {
                var question: GossipMessage? = first
                while let asked = question {
                    let request = shard.send(
                        .gossip(Gossip(node: 0)), bulk: [asked.encoded])
                    guard let answer = shard.answers[request] else { return }
                    guard case .gossip(let body) = answer.body else {
                        Issue.record("\(answer.body)")
                        return
                    }
                    #expect(body.node == 1)
                    let message = try GossipMessage(encoded: answer.bulk[0])
                    question = peer.receive(message, from: 1, at: shard.now).first?.message
                }
            }
        }

        /// Where a page of the field lies.
        func address(_ page: UInt64) -> PageAddress {
            PageAddress(space: space, partition: 0, page: page)
        }

        /// Reads a page; true if it needed a page-in.
        func read(_ page: UInt64) -> Bool {
            let request = shard.send(
                .shardRead(ShardRead(space: space)), bulk: [Bytes(values: [page])])
            let wasThere = shard.answers[request] != nil
            shard.loadAll()
            return !wasThere
        }
    }

    @Test func aShardFetchesWhatAnEarlierLifeHadAndNothingElse() throws {
        let stage = try Stage(memory: 4 << 20)
        let known = (0..<300).map { stage.address(UInt64($0) * 7) }
        let strange = [
            PageAddress(space: 99, partition: 0, page: 1),
            PageAddress(space: stage.space, partition: 3, page: 1),
            PageAddress(space: stage.space, partition: 0, page: 4096),
            PageAddress(space: stage.space, partition: 0, page: .max - 1),
        ]
        stage.remember(known + strange)
        try stage.exchange()
        stage.shard.loadAll()
        #expect(stage.shard.ordered == 300)
        #expect(stage.shard.node.tally(.hinted).issued == 300)
        #expect((0..<300).allSatisfy { !stage.read(UInt64($0) * 7) }, "all are there")
        #expect(stage.read(1), "this one was not")
        #expect(stage.shard.node.tally(.hinted).used == 300)
    }

    @Test func thePastFillsMemoryAndPushesNothingOut() throws {
        let stage = try Stage(memory: 1 << 20)
        for page in 4000..<4020 as Range<UInt64> { _ = stage.read(page) }
        for part in 0..<4 as Range<UInt32> {
            stage.remember(
                (0..<900).map { stage.address(UInt64(part) * 900 + UInt64($0)) }, part: part)
        }
        try stage.exchange()
        try stage.exchange()
        stage.shard.loadAll()
        let loaded = stage.shard.node.tally(.hinted).issued
        #expect(loaded > 150 && loaded <= 256, "\(loaded)")
        #expect((4000..<4020).allSatisfy { !stage.read(UInt64($0)) })
        // The warmest come first: those of the first part.
        #expect(!stage.read(0))
    }

    /// As often as a forger repeats it, with whatever versions.
    @Test func aForgedPastCostsNoMoreThanTheMemoryOnce() throws {
        let stage = try Stage(memory: 1 << 20)
        for round in 0..<200 as Range<UInt64> {
            var liar = GossipNode(node: 1, incarnation: round + 7, seed: round)
            liar.publish(
                .heat, part: UInt32(round % 60),
                PageRuns.encoded((0..<100).map { stage.address((round * 100 + $0) % 4096) }),
                timeToLive: .max, at: stage.shard.now)
            stage.peer = GossipNode(node: 0, incarnation: round + 1, seed: round)
            for (_, first) in liar.startRound(among: [0], at: stage.shard.now) {
                for (_, stamps) in stage.peer.receive(first, from: 1, at: stage.shard.now) {
                    for (_, delta) in liar.receive(stamps, from: 0, at: stage.shard.now) {
                        _ = stage.peer.receive(delta, from: 1, at: stage.shard.now)
                    }
                }
            }
            try stage.exchange()
            stage.shard.loadAll()
        }
        let tally = stage.shard.node.tally(.hinted)
        #expect(tally.issued > 0 && tally.issued <= 256, "\(tally.issued) pages of 256")
    }

    @Test func withoutGuessesThePastIsNotFetched() throws {
        let stage = try Stage(memory: 4 << 20, guesses: false)
        stage.remember((0..<300).map { stage.address(UInt64($0) * 7) })
        try stage.exchange()
        stage.shard.loadAll()
        #expect(stage.shard.ordered == 0)
    }

    /// What a shard says of itself after five seconds is what it has in memory and was asked for.
    @Test func aShardPublishesWhatIsWarm() throws {
        let stage = try Stage(memory: 4 << 20)
        try stage.exchange()
        for page in 100..<150 as Range<UInt64> { _ = stage.read(page) }
        for _ in 0..<40 { try stage.exchange() }
        #expect(stage.peer.entries(kind: .heat, at: stage.shard.now).isEmpty, "it keeps silent")
        for _ in 0..<40 {
            stage.shard.pass(microseconds: 100_000)
            try stage.exchange()
        }
        let entries = stage.peer.entries(kind: .heat, at: stage.shard.now)
        #expect(entries.count == 1 && entries[0].origin == 1)
        let pages = PageRuns.decoded(entries[0].payload, most: 900)
        #expect(pages == (100..<150).map { stage.address(UInt64($0)) })
        for _ in 0..<100 {
            stage.shard.pass(microseconds: 100_000)
            try stage.exchange()
        }
        #expect(
            stage.peer.entries(kind: .heat, at: stage.shard.now)[0].version == entries[0].version)
        for page in 0..<60 as Range<UInt64> { _ = stage.read(page) }
        for _ in 0..<60 {
            stage.shard.pass(microseconds: 100_000)
            try stage.exchange()
        }
        #expect(
            stage.peer.entries(kind: .heat, at: stage.shard.now)[0].version > entries[0].version)
    }

    @Test func nonsenseIsCountedAndChangesNothing() throws {
        let stage = try Stage(memory: 1 << 20)
        var random = SeededRandom(seed: 12)
        let honest = GossipMessage.digest(number: 4, fingerprints: [1]).encoded.array
        for _ in 0..<3000 {
            var bytes = honest
            bytes[random.below(bytes.count)] = UInt8(random.below(256))
            let node = random.chance(0.5) ? 0 : random.next()
            stage.shard.send(
                .gossip(Gossip(node: node)), bulk: [Bytes(bytes)], client: random.next() >> 30)
        }
        stage.shard.send(.gossip(Gossip(node: 0)), bulk: [])
        #expect(stage.shard.node.gossipVitals.dropped > 2000)
        #expect(stage.shard.ordered == 0)
        #expect(stage.read(5))
        #expect(!stage.read(5))
    }

    @Test func prefetchesAreRefusedWhereTheyAreSwitchedOff() throws {
        let stage = try Stage(memory: 1 << 20, takesPrefetches: false)
        let request = stage.shard.send(
            .shardPrefetch(ShardPrefetch(space: stage.space, ticket: 5)),
            bulk: [Bytes(values: [UInt64(1)])])
        guard case .failure(let error)? = stage.shard.answers[request]?.body else {
            Issue.record("it was taken")
            return
        }
        #expect(error.code == .failedPrecondition && error.message.contains("switched off"))
        #expect(stage.shard.ordered == 0)
    }
}

/// A coordinator that was started anew, beside a shard that remembers what it had learned.
@Suite struct TransitionMemoryTests {
    private static let stripe: UInt64 = 1024

    /// Pages that alternate between the shards, in an order without strides.
    private static let path: [CellIndex] = {
        var random = SeededRandom(seed: 77)
        return (0..<40).map { step in
            let stripe = UInt64(random.below(16)) * 2 + UInt64(step % 2)
            return stripe * Self.stripe + UInt64(random.below(1024))
        }
    }()

    private struct Reader {
        var stage: CoordinatorStage
        var shard: GossipNode

        init(
            incarnation: UInt64, shard: GossipNode,
            now: Instant = Instant(nanoseconds: 1_000_000_000)
        ) {
            self.shard = shard
            stage = CoordinatorStage(
                incarnation: incarnation,
                gossip: GossipSettings(intervalMicroseconds: 100_000, seed: 3), now: now)
            stage.define(
                .createField(
                    CreateField(
                        name: "f", elementType: .raw, shape: [1 << 16, 4096], pageBytes: 4096)))
        }

        /// Reads the path. Returns how many of its pages had been hinted before they were read.
        mutating func walk() -> Int {
            var hinted: Set<UInt64> = []
            var expected = 0
            for cell in TransitionMemoryTests.path {
                expected += hinted.contains(cell) ? 1 : 0
                let directives = stage.ask(
                    .readCells(ReadCells(field: "f", count: 1, isScattered: true)),
                    bulk: [Bytes(values: [cell])])
                for sent in directives.sent {
                    switch sent.message.body {
                    case .hint:
                        hinted.formUnion(PageHint.decoded(sent.message.bulk[0]).map(\.page))
                    case .gossip: break
                    default:
                        let answer = CellsAnswer(cellBytes: 4096, count: 1, receipt: Receipt())
                        _ = stage.reply(sent, .cells(answer), bulk: [Bytes(zeros: 4096)])
                    }
                }
            }
            return expected
        }

        /// Lets time pass, with shard 0 gossiping.
        mutating func gossip(_ ticks: Int) throws {
            for _ in 0..<ticks {
                stage.now = stage.now.advanced(microseconds: 100_000)
                var directives = stage.handle(.tick)
                while let sent = directives.sent.first(where: {
                    if case .gossip = $0.message.body { $0.shard == 0 } else { false }
                }) {
                    directives = []
                    let message = try GossipMessage(encoded: sent.message.bulk[0])
                    for (_, answer) in shard.receive(message, from: 0, at: stage.now) {
                        directives += stage.reply(
                            sent, .gossip(Gossip(node: 1)), bulk: [answer.encoded])
                    }
                }
                // Shards that are not heard count as lost.
                for shard in 0..<2 as Range<ShardIndex> {
                    stage.handle(
                        .shard(
                            shard,
                            stage.answer(
                                0, .pong(Pong(catalogVersion: 1, vitals: ShardVitals())),
                                bulk: [Bytes()])))
                }
            }
        }
    }

    @Test func aCoordinatorStartedAnewHintsOnTheFirstRepetitionOfAPath() throws {
        var first = Reader(incarnation: 1, shard: GossipNode(node: 1, incarnation: 1, seed: 9))
        #expect(first.walk() == 0)
        for _ in 0..<8 { _ = first.walk() }
        #expect(first.walk() >= 30, "it has learned the path")
        try first.gossip(80)
        #expect(!first.shard.entries(kind: .transition, at: first.stage.now).isEmpty)

        var second = Reader(incarnation: 2, shard: first.shard, now: first.stage.now)
        try second.gossip(3)
        let remembered = second.walk()
        #expect(remembered >= 25, "\(remembered) of 40")

        var stranger = Reader(
            incarnation: 3, shard: GossipNode(node: 1, incarnation: 1, seed: 9),
            now: first.stage.now)
        try stranger.gossip(3)
        #expect(stranger.walk() == 0, "without the shard's memory it knows nothing")
        print("of 40 pages \(remembered) were hinted after a restart, 0 without gossip")
    }
}
