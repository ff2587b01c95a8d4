import LociBase
import LociModel
import LociStorage
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// A shard that is told nothing: what it guesses from the reads it sees. Results are counts.
@Suite struct GuessTests {
    private static let pageBytes = 4096
    private static let cells: UInt64 = 1 << 16

    private final class Stage {
        var shard: ShardStage
        let space: SpaceID

        init(pages: Int, guesses: Bool = true) throws {
            shard = ShardStage(dram: .dram(budgetBytes: pages * pageBytes), guesses: guesses)
            var catalog = Catalog()
            let field = try catalog.createField(
                name: "rows", elementType: .raw, shape: [cells, UInt64(pageBytes)],
                pageBytes: pageBytes)
            space = field.space
            shard.install(catalog)
        }

        /// Reads cells; whatever was guessed meanwhile is fetched before the next read. Returns
        /// how many pages somebody had to wait for.
        func read(_ cells: [UInt64], session: UInt64 = 0) -> UInt64 {
            shard.now = shard.now.advanced(microseconds: 100)
            let request = shard.send(
                .shardRead(ShardRead(space: space, session: session)),
                bulk: [Bytes(values: cells)])
            shard.loadAll()
            guard case .cells(let answer)? = shard.answers.removeValue(forKey: request)?.body else {
                Issue.record("a read is not answered")
                return 0
            }
            return answer.receipt.tiers[.ssd].pages
        }

        var guessed: PrefetchTally { shard.node.tally(.guessed) }
    }

    @Test func aScanPageByPageIsGuessed() throws {
        let stage = try Stage(pages: 512)
        let waits = (0..<2000).reduce(UInt64(0)) { $0 + stage.read([UInt64($1)]) }
        #expect(waits <= 100, "\(waits) of 2000 pages were waited for")
        #expect(stage.guessed.precision >= 0.99, "\(stage.guessed)")
    }

    /// 32 pages at a time, as chunks of a file.
    @Test func aScanInRangesIsGuessed() throws {
        let stage = try Stage(pages: 512)
        var waits: UInt64 = 0
        for chunk in 0..<UInt64(60) { waits += stage.read(Array((chunk * 32)..<(chunk * 32 + 32))) }
        #expect(waits <= 3 * 32, "\(waits) of 1920 pages were waited for")
    }

    @Test func randomReadsAreFollowedByFewFetches() throws {
        let stage = try Stage(pages: 512)
        var random = SeededRandom(seed: 8)
        for _ in 0..<10_000 { _ = stage.read([UInt64(random.below(Int(Self.cells)))]) }
        #expect(stage.guessed.issued <= 100, "\(stage.guessed.issued) of 10000")
    }

    /// Four sessions that walk paths of their own, in turns: each page follows from what the same
    /// session read before.
    @Test func sessionsThatInterleaveAreToldApart() throws {
        func waits(isToldApart: Bool) throws -> UInt64 {
            let stage = try Stage(pages: 256)
            var paths = [[UInt64]]()
            var random = SeededRandom(seed: 2)
            for _ in 0..<4 {
                paths.append((0..<150).map { _ in UInt64(random.below(Int(Self.cells))) })
            }
            // Each begins somewhere else, so that nobody follows anybody for long.
            var waits: UInt64 = 0
            for round in 0..<8 {
                for step in 0..<150 {
                    for session in 0..<4 {
                        let place = (step + round * 37 * session) % 150
                        let waited = stage.read(
                            [paths[session][place]], session: isToldApart ? UInt64(session) : 0)
                        if round >= 4 { waits += waited }
                    }
                }
            }
            return waits
        }
        let apart = try waits(isToldApart: true)
        let together = try waits(isToldApart: false)
        #expect(apart < 2400 / 4, "\(apart) of 2400 pages were waited for")
        #expect(apart < together, "\(apart), \(together) if taken for one stream")
    }

    @Test func answersAreTheSameWithAndWithoutGuesses() throws {
        let with = try Stage(pages: 64)
        let without = try Stage(pages: 64, guesses: false)
        var random = SeededRandom(seed: 5)
        var place: UInt64 = 0
        for step in 0..<1500 {
            place = random.chance(0.8) ? (place + 1) % Self.cells : UInt64(random.below(60_000))
            let cell = place
            if step % 7 == 0 {
                let bytes = Bytes(values: (0..<512).map { UInt64($0) &* cell &+ UInt64(step) })
                for stage in [with, without] {
                    stage.shard.send(
                        .shardWrite(ShardWrite(space: stage.space, partition: 0)),
                        bulk: [Bytes(values: [cell]), bytes], isMutation: true)
                    while !stage.shard.commits.isEmpty { stage.shard.commit() }
                }
            }
            var answers: [[Bytes]] = []
            for stage in [with, without] {
                let request = stage.shard.send(
                    .shardRead(ShardRead(space: stage.space)), bulk: [Bytes(values: [cell])])
                stage.shard.loadAll()
                answers.append(stage.shard.answers[request]?.bulk ?? [])
            }
            #expect(answers[0] == answers[1] && answers[0].count == 1)
        }
        #expect(with.guessed.issued > 100)
        #expect(without.guessed.issued == 0)
    }

    /// Hints for what is not there, and for what is not a page, are passed over.
    @Test func hintsAreFetchedIfTheyMakeSense() throws {
        let stage = try Stage(pages: 64, guesses: false)
        let hints = [
            PageHint(space: stage.space, page: 7, weight: 9),
            PageHint(space: stage.space, page: Self.cells, weight: 255),
            PageHint(space: stage.space, page: .max, weight: 255),
            PageHint(space: 999, page: 0, weight: 255),
        ]
        stage.shard.send(
            .hint(Hint(timeToLiveMicroseconds: .max)), bulk: [PageHint.encoded(hints)])
        stage.shard.loadAll()
        #expect(stage.shard.node.tally(.hinted).issued == 1)
        #expect(stage.read([7]) == 0)
        #expect(stage.shard.node.tally(.hinted).used == 1)
    }

    @Test func theShardsPagesAreNumberedInTheOrderOfTheField() throws {
        let field = try FieldDefinition(
            space: 3, name: "f", elementType: .raw, shape: [40_000, 4096], pageBytes: 4096)
        for (partitions, own) in [(8, [1, 5]), (7, [0, 3, 6]), (1, [0])] {
            let indexed = IndexedField(
                definition: field, geometry: FieldGeometry(field, partitions: partitions),
                identity: 1)
            let pages = ShardPages(indexed, partitions: own.map { PartitionIndex($0) })
            var next: UInt64 = 0
            for page in 0..<field.pageCount {
                let address = indexed.geometry.address(ofPage: page)
                guard own.contains(Int(address.partition)) else {
                    #expect(pages.number(of: address) == nil)
                    continue
                }
                #expect(pages.number(of: address) == next)
                #expect(pages.address(of: next) == address)
                next += 1
            }
            #expect(pages.address(of: .max) == nil)
        }
    }
}
