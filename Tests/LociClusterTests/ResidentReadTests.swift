import LociBase
import LociModel
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// Reads of cells by a shard: the way without waiting and the way through a task give the same.
@Suite struct ResidentReadTests {
    private struct Shape {
        let cellBytes: Int
        let pageBytes: Int
        let cells: UInt64
    }

    private static let shapes = [
        Shape(cellBytes: 264, pageBytes: 4096, cells: 15 * 200),
        Shape(cellBytes: 264, pageBytes: 16 << 10, cells: 62 * 60),
        Shape(cellBytes: 4096, pageBytes: 4096, cells: 200),
        Shape(cellBytes: 1, pageBytes: 4096, cells: 4096 * 40),
        Shape(cellBytes: 3000, pageBytes: 8192, cells: 2 * 90),
    ]

    /// A shard whose disk has all cells of one field; some of its pages lie in the hdd tier.
    private static func stage(
        _ shape: Shape, budget: Int, far: Int, slowShare: Double, seed: UInt64
    ) throws -> (ShardStage, FieldGeometry, FieldDefinition) {
        var random = SeededRandom(seed: seed)
        var stage = ShardStage(
            dram: .dram(budgetBytes: budget), far: far == 0 ? nil : .far(budgetBytes: far))
        var catalog = Catalog()
        let field = try catalog.createField(
            name: "rows", elementType: .raw, shape: [shape.cells, UInt64(shape.cellBytes)],
            pageBytes: shape.pageBytes)
        stage.install(catalog)
        let geometry = FieldGeometry(field, partitions: 1)
        for cell in 0..<shape.cells {
            let place = geometry.place(of: cell)
            stage.disk[place.address, default: Bytes(zeros: shape.pageBytes)].replace(
                at: place.offset, with: content(cell, shape.cellBytes))
        }
        for address in stage.disk.keys.sorted() where random.chance(slowShare) {
            stage.slow.insert(address)
        }
        return (stage, geometry, field)
    }

    private static func content(_ cell: CellIndex, _ bytes: Int) -> Bytes {
        let words = (0..<UInt64((bytes + 7) / 8)).map { mix64(cell << 20 | $0) }
        return Bytes(values: words).slice(0..<bytes)
    }

    /// What the answer to a read must be, from where each page lies now.
    private static func expected(
        _ cells: [CellIndex], _ maxTier: Tier?, _ stage: ShardStage, _ geometry: FieldGeometry
    ) -> (bytes: Bytes, skipped: [UInt32], tiers: [UInt8]) {
        let resident = Dictionary(
            uniqueKeysWithValues: stage.node.pages.resident(space: 1, partition: 0).map {
                ($0.address, $0.tier)
            })
        var parts: [Bytes] = []
        var skipped: [UInt32] = []
        var tiers: [UInt8] = []
        for (position, cell) in cells.enumerated() {
            let address = geometry.place(of: cell).address
            let tier = resident[address] ?? (stage.slow.contains(address) ? .hdd : .ssd)
            if tier != .dram, let maxTier, tier > maxTier {
                skipped.append(UInt32(position))
                parts.append(Bytes(zeros: geometry.cellBytes))
                tiers.append(0)
            } else {
                parts.append(content(cell, geometry.cellBytes))
                tiers.append(tier.rawValue + 1)
            }
        }
        return (Bytes.joined(parts).compact(), skipped, tiers)
    }

    /// Random reads with duplicates against a model, with little memory and with enough, with and
    /// without far memory and a slowest tier. Reads of few pages, so that each takes one round and
    /// the residency at its start says where each page comes from.
    @Test(arguments: 0..<5) func aReadGivesTheSameWhereverItsPagesLie(number: Int) throws {
        let shape = Self.shapes[number]
        var ways: (fast: Int, slow: Int) = (0, 0)
        for (budget, far) in [(64, 0), (64, 24), (4096, 0), (4096, 32)] {
            var (stage, geometry, _) = try Self.stage(
                shape, budget: budget * shape.pageBytes, far: far * shape.pageBytes,
                slowShare: 0.3, seed: UInt64(number))
            var random = SeededRandom(seed: UInt64(number * 10 + budget + far))
            for _ in 0..<60 {
                // Most look at the same few pages, so that some reads find all of theirs.
                let span = random.chance(0.7) ? Int(shape.cells) / 20 : Int(shape.cells)
                let pages = (0..<(1 + random.below(8))).map { _ in random.below(max(1, span)) }
                let cells = (0..<(1 + random.below(40))).map { _ in
                    CellIndex(pages[random.below(pages.count)])
                }
                let maxTier: Tier? = random.chance(0.3) ? .ssd : nil
                let want = Self.expected(cells, maxTier, stage, geometry)
                let withTiers = random.chance(0.7)
                let request = stage.send(
                    .shardRead(ShardRead(space: 1, maxTier: maxTier, withTiers: withTiers)),
                    bulk: [Bytes(values: cells)])
                if stage.answers[request] == nil { ways.slow += 1 } else { ways.fast += 1 }
                stage.loadAll()
                let answered = stage.answers.removeValue(forKey: request)
                let message = try #require(answered)
                try message.validated()
                guard case .cells(let answer) = message.body else {
                    Issue.record("\(message.body)")
                    continue
                }
                #expect(message.bulk[0] == want.bytes)
                #expect(Self.frame(1, message).values(UInt32.self) == want.skipped)
                #expect(Self.frame(2, message).array == (withTiers ? want.tiers : []))
                #expect(Self.frame(3, message).isEmpty)
                Self.check(answer, cells, want.tiers, geometry)
                #expect(stage.node.tasks.isEmpty && stage.loads.isEmpty)
            }
        }
        #expect(ways.fast > 20 && ways.slow > 20, "\(ways)")
    }

    private static func frame(_ index: Int, _ message: Message) -> Bytes {
        index < message.bulk.count ? message.bulk[index] : Bytes()
    }

    /// Each page counts once, in the tier that it came from.
    private static func check(
        _ answer: CellsAnswer, _ cells: [CellIndex], _ tiers: [UInt8], _ geometry: FieldGeometry
    ) {
        var pages: [PageAddress: UInt8] = [:]
        for (cell, tier) in zip(cells, tiers) { pages[geometry.place(of: cell).address] = tier }
        let costs = answer.receipt.tiers
        #expect(answer.count == UInt64(cells.count) && answer.receipt.partitions == 1)
        #expect(answer.receipt.pagesTouched == UInt64(pages.count))
        for tier in [Tier.dram, .far, .ssd, .hdd] {
            let count = pages.values.count { $0 == tier.rawValue + 1 }
            #expect(costs[tier].pages == UInt64(count), "\(tier)")
            #expect(costs[tier].bytes == UInt64(count * geometry.pageBytes), "\(tier)")
        }
        #expect(costs.skipped == UInt64(pages.values.count { $0 == 0 }))
    }

    /// A read whose pages are all there copies them out: nothing stays pinned, and hits count.
    @Test func aResidentReadHoldsNoPageAndCountsItsHits() throws {
        let shape = Self.shapes[1]
        var (stage, _, _) = try Self.stage(
            shape, budget: 1 << 20, far: 0, slowShare: 0, seed: 1)
        let body = Body.shardRead(ShardRead(space: 1))
        let bulk = [Bytes(values: [CellIndex(0), 62, 0, 1])]
        stage.send(body, bulk: bulk)
        stage.loadAll()
        let before = stage.node.pages.dramVitals
        var directives: [ShardDirective] = []
        var header = Header(requestID: 77)
        header.senderIncarnation = 1
        header.receiverIncarnation = 1
        stage.node.handle(
            .received(from: 1, Message(header, body, bulk: bulk)), at: .zero, into: &directives)
        let after = stage.node.pages.dramVitals
        #expect(after.hits - before.hits == 2 && after.requests - before.requests == 2)
        // The answer is alive, and yet a page that is written to is changed in place.
        let old = try #require(stage.node.pages.peek(PageAddress(space: 1, partition: 0, page: 0)))
        #expect(old.count == shape.pageBytes)
        #expect(directives.count == 1)
    }

    @Test func aReadOfWhatDoesNotLiveHereOrIsTooMuchIsRefused() throws {
        let shape = Self.shapes[2]
        var (stage, _, field) = try Self.stage(
            shape, budget: 1 << 20, far: 0, slowShare: 0, seed: 1)
        func failure(_ body: ShardRead, _ cells: [CellIndex]) -> LociError? {
            let request = stage.send(.shardRead(body), bulk: [Bytes(values: cells)])
            stage.loadAll()
            guard case .failure(let error) = stage.answers[request]?.body else { return nil }
            return error
        }
        let identity = field.identity(in: 9)
        #expect(failure(ShardRead(space: 1, identity: identity), [0, 1]) == nil)
        #expect(failure(ShardRead(space: 1, identity: identity), [0, 1]) == nil, "resident now")
        let other = failure(ShardRead(space: 1, identity: identity ^ 1), [0])
        #expect(other?.code == .failedPrecondition)
        #expect(failure(ShardRead(space: 1), [shape.cells])?.code == .invalidArgument)
        #expect(failure(ShardRead(space: 1), [.max])?.code == .invalidArgument)
        let most = Limits.frameBytes / shape.cellBytes
        #expect(failure(ShardRead(space: 1), Array(repeating: 0, count: most)) == nil)
        let tooMuch = failure(ShardRead(space: 1), Array(repeating: 0, count: most + 1))
        #expect(tooMuch?.code == .resourceExhausted)

        // Dropped and created anew: the old space is gone, the old identity is nobody's.
        var catalog = Catalog()
        _ = try catalog.createField(name: "rows", elementType: .raw, shape: [8, 8], pageBytes: 0)
        _ = catalog.dropField(named: "rows")
        let new = try catalog.createField(
            name: "rows", elementType: .raw, shape: [shape.cells, UInt64(shape.cellBytes)],
            pageBytes: shape.pageBytes)
        stage.install(catalog)
        #expect(failure(ShardRead(space: 1, identity: identity), [0])?.code == .unavailable)
        let stale = failure(ShardRead(space: new.space, identity: identity), [0])
        #expect(stale?.code == .failedPrecondition)
        #expect(
            failure(ShardRead(space: new.space, identity: new.identity(in: 9)), [0]) == nil)
    }
}
