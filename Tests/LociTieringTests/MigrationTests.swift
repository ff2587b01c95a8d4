import LociBase
import LociModel
import Testing

@testable import LociTiering

@Suite("Extents move when they should, and then stay")
struct MigrationTests {
    private static let size: UInt64 = 1 << 20

    /// Two tiers, what lies where, and how much it is used.
    private struct World {
        var migration: Migration
        var heat: [UInt8]
        var isCold: [Bool]
        var second = 0
        var moves: [(second: Int, extent: Int)] = []

        init(_ heat: [UInt8], ssd: UInt64, hdd: UInt64 = 1 << 20, rest: UInt64 = 5_000_000) {
            self.heat = heat
            isCold = heat.map { _ in false }
            var settings = Migration.Settings(
                ssdCapacity: ssd * MigrationTests.size, hddCapacity: hdd * MigrationTests.size)
            settings.restMicroseconds = rest
            migration = Migration(settings)
        }

        var now: Instant { Instant(nanoseconds: UInt64(second) * 1_000_000_000) }
        var warm: Int { isCold.count { !$0 } }

        static func address(_ index: Int) -> ExtentAddress {
            ExtentAddress(space: 1, partition: 0, number: UInt64(index))
        }

        /// Lists extents in parts of `part`, one for each round, and carries the plan out.
        mutating func round(
            reads: [Int: Int] = [:], budget: UInt64 = 64, part: Int = 1000
        ) throws -> Migration.Plan {
            second += 1
            let parts = (heat.count + part - 1) / part
            let start = (second % parts) * part
            let listed = Array(start..<min(start + part, heat.count))
            let candidates = (reads.keys.sorted() + listed).map { index in
                Migration.Candidate(
                    extent: Self.address(index), ssdBytes: isCold[index] ? 0 : MigrationTests.size,
                    hddBytes: isCold[index] ? MigrationTests.size : 0, heat: heat[index],
                    coldReads: reads[index] ?? 0)
            }
            let plan = migration.plan(
                candidates,
                Migration.Occupancy(
                    ssdBytes: UInt64(warm) * MigrationTests.size,
                    hddBytes: UInt64(heat.count - warm) * MigrationTests.size),
                budgetBytes: budget * MigrationTests.size, at: now)
            if second % parts == parts - 1 { migration.endTurn() }
            try #require(plan.promote.count + plan.demote.count <= Int(budget))
            for extent in plan.promote {
                try move(extent, cold: false)
                try #require(
                    UInt64(warm) * MigrationTests.size <= migration.settings.highBytes)
            }
            for extent in plan.demote { try move(extent, cold: true) }
            return plan
        }

        private mutating func move(_ extent: ExtentAddress, cold: Bool) throws {
            let index = Int(extent.number)
            try #require(isCold[index] != cold, "it was there already")
            isCold[index] = cold
            moves.append((second, index))
            migration.rest(extent, at: now)
        }
    }

    @Test("Beyond the high mark the coldest go, down to the low mark and no further")
    func watermarks() throws {
        var world = World((0..<97).map { UInt8($0) }.reversed(), ssd: 100)
        #expect(try world.round().demote == [96, 95, 94, 93, 92].map(World.address))
        #expect(try world.round() == Migration.Plan())
        world = World([UInt8](repeating: 0, count: 96), ssd: 100)
        #expect(try world.round() == Migration.Plan())
    }

    @Test("The bandwidth holds for each round, and draining goes on below the high mark")
    func budget() throws {
        var world = World([UInt8](repeating: 0, count: 98), ssd: 100)
        for moved in [2, 2, 2, 0, 0] {
            #expect(try world.round(budget: 2).demote.count == moved)
        }
        #expect(world.warm == 92)
    }

    @Test("One read brings nothing back; two do, if there is room and colder ones are there")
    func promotion() throws {
        var world = World([UInt8](repeating: 5, count: 97), ssd: 100)
        _ = try world.round()
        #expect(world.warm == 92 && world.isCold[0])
        world.second += 10
        #expect(try world.round(reads: [0: 1]) == Migration.Plan())
        // It is not hotter than the coldest warm ones.
        #expect(try world.round(reads: [0: 1]) == Migration.Plan())
        world.heat[0] = 7
        #expect(try world.round().promote == [World.address(0)])
        #expect(try world.round() == Migration.Plan())
        world = World([UInt8](repeating: 5, count: 97), ssd: 100)
        _ = try world.round()
        world.heat[0] = 9
        #expect(try world.round(reads: [0: 9]) == Migration.Plan(), "it has moved just now")
    }

    @Test("A full hdd tier is said to be full, and takes no more than fits")
    func fullTier() throws {
        var world = World([UInt8](repeating: 0, count: 150), ssd: 100, hdd: 30)
        let plan = try world.round()
        #expect(plan.isHDDFull && plan.demote.count == 30)
        #expect(try world.round().isHDDFull)
        #expect(world.warm == 120)
    }

    @Test("Under a steady load everything comes to rest, the most used on the ssd tier")
    func settles() throws {
        for seed in UInt64(0)..<20 {
            var random = SeededRandom(seed: seed)
            let heat = (0..<400).map { _ in UInt8(random.below(200)) }
            var world = World(heat, ssd: UInt64(100 + random.below(200)))
            // At first the hottest are on the wrong tier.
            for index in heat.indices { world.isCold[index] = heat[index] > 120 }
            for _ in 0..<400 {
                var reads: [Int: Int] = [:]
                for _ in 0..<40 {
                    let index = random.below(heat.count)
                    if world.isCold[index], random.below(200) < Int(heat[index]) {
                        reads[index, default: 0] += 1
                    }
                }
                _ = try world.round(reads: reads, budget: 16, part: 100)
            }
            let late = world.moves.count { $0.second > 300 }
            #expect(late <= 8, "seed \(seed): \(late) moves after it should rest")
            let most = Dictionary(grouping: world.moves, by: \.extent).values.map(\.count).max()!
            #expect(most <= 6, "seed \(seed): an extent moved \(most) times")
            let warm = heat.indices.filter { !world.isCold[$0] }.map { Int(heat[$0]) }
            let best = heat.map(Int.init).sorted().suffix(warm.count).reduce(0, +)
            #expect(warm.reduce(0, +) * 100 >= best * 90, "seed \(seed): not the most used")
        }
    }

    @Test("The same history leads to the same moves")
    func deterministic() throws {
        func moves() throws -> [Int] {
            var world = World((0..<300).map { UInt8($0 % 7) }, ssd: 100)
            for second in 0..<50 { _ = try world.round(reads: [second: 2], part: 70) }
            return world.moves.map(\.extent)
        }
        let first = try moves()
        #expect(try !first.isEmpty && first == moves())
    }
}
