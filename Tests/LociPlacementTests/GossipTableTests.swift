import LociBase
import Testing

@testable import LociPlacement

/// Merging against a model: a dictionary with the maximum of each key.
@Suite struct GossipTableTests {
    /// Any order, any repetition and any grouping give the same table.
    @Test(arguments: 1...30 as ClosedRange<UInt64>)
    func mergingCommutesAssociatesAndRepeats(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let said = (0..<200).map { _ in held(&random) }
        var model: [GossipKey: GossipTable.Held] = [:]
        for one in said where model[one.key].map({ $0.rank < one.rank }) ?? true {
            model[one.key] = one
        }
        var inOrder = table()
        for one in said { _ = inOrder.merge(one) }
        var shuffled = table()
        for one in (said + said).shuffled(using: &random) { _ = shuffled.merge(one) }
        // Two halves, then one merged into the other.
        var (left, right) = (table(), table())
        for (index, one) in said.enumerated() {
            _ = index % 2 == 0 ? left.merge(one) : right.merge(one)
        }
        for one in right.leaves.joined() { _ = left.merge(one) }
        for result in [inOrder, shuffled, left] {
            #expect(result.count == model.count)
            #expect(result.fingerprints == inOrder.fingerprints)
            for one in model.values {
                #expect(result[one.key]?.rank == one.rank)
                #expect(result[one.key]?.payload == one.payload)
            }
            check(result)
        }
    }

    /// The bound of an origin, too, leaves the same whatever the order: the highest versions.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func theBoundOfAnOriginKeepsTheHighestVersions(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let said = (0..<100).map { number in
            one(
                GossipKey(origin: 5, kind: .heat, part: UInt32(number)),
                version: UInt64(number) + 1, "p")
        }
        var table = table()
        for one in said.shuffled(using: &random) { _ = table.merge(one) }
        let parts = table.leaves.joined().map { Int($0.key.part) }.sorted()
        #expect(parts == Array(36..<100))
        check(table)
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func theTableAgreesWithItselfWhateverComesAndGoes(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var limits = GossipLimits()
        limits.entries = 160
        limits.memoryBytes = 1_200_000
        var table = GossipTable(node: 1, limits: limits)
        for step in 0..<1500 {
            switch random.below(20) {
            case 0: table.sweep(at: Instant(nanoseconds: UInt64(step) * 20_000_000))
            case 1: table.publish(held(&random, origin: 1))
            case 2: table.remove(held(&random).key)
            default:
                _ = table.merge(
                    held(&random, origins: 20, payload: random.below(4096)))
            }
            #expect(table.count <= 160 && table.memoryBytes <= 1_200_000)
        }
        check(table)
        #expect(table.evicted > 0 && table.expired > 0)
        table.sweep(at: .distantFuture)
        #expect(table.count == 0 && table.memoryBytes == 0 && table.origins.isEmpty)
        #expect(table.fingerprints.allSatisfy { $0 == 0 })
    }

    @Test func whatExpiresFirstIsEvictedAndNotAskedForAgain() {
        var limits = GossipLimits()
        limits.entries = 128
        var table = GossipTable(node: 1, limits: limits)
        for number in 0..<129 {
            var one = one(GossipKey(origin: UInt64(number) + 2, kind: .heat, part: 0), version: 1)
            one.expiry = Instant(nanoseconds: UInt64(number) + 1)
            #expect(table.merge(one) == .taken)
        }
        let left = Set(table.leaves.joined().map { $0.key.origin })
        #expect(left == Set(10..<131))
        let early = one(GossipKey(origin: 2, kind: .heat, part: 0), version: 1)
        #expect(!table.hasRoom(for: early.key, early.rank, expiry: Instant(nanoseconds: 8)))
        #expect(table.hasRoom(for: early.key, early.rank, expiry: Instant(nanoseconds: 9)))
    }

    // MARK: Parts

    func table() -> GossipTable { GossipTable(node: 1, limits: GossipLimits()) }

    func one(_ key: GossipKey, version: UInt64, _ payload: String = "x") -> GossipTable.Held {
        let payload = Bytes(utf8: payload)
        return GossipTable.Held(
            key: key, rank: GossipRank(version: version, check: GossipEntry.check(of: payload)),
            payload: payload, expiry: .distantFuture, isOwn: false, isNews: true)
    }

    func held(
        _ random: inout SeededRandom, origin: UInt64? = nil, origins: Int = 5,
        payload size: Int? = nil
    ) -> GossipTable.Held {
        let payload = Bytes(
            size.map { Array(repeating: UInt8(random.below(256)), count: $0) }
                ?? [UInt8(random.below(4))])
        return GossipTable.Held(
            key: GossipKey(
                origin: origin ?? UInt64(2 + random.below(origins)),
                kind: GossipKind.allCases[random.below(3)], part: UInt32(random.below(12))),
            rank: GossipRank(
                version: UInt64(1 + random.below(6)), check: GossipEntry.check(of: payload)),
            payload: payload, expiry: Instant(nanoseconds: random.next() >> 29),
            isOwn: origin != nil, isNews: true)
    }

    /// The invariants at the top of the table.
    func check(_ table: GossipTable) {
        let all = Array(table.leaves.joined())
        #expect(all.count == table.count)
        #expect(all.reduce(0) { $0 + $1.size } == table.memoryBytes)
        for (number, leaf) in table.leaves.enumerated() {
            #expect(zip(leaf, leaf.dropFirst()).allSatisfy { $0.key < $1.key })
            #expect(leaf.allSatisfy { $0.key.leaf == number })
            #expect(leaf.reduce(0) { $0 &+ $1.fingerprint } == table.fingerprints[number])
        }
        let byOrigin = Dictionary(grouping: all.map(\.key), by: \.origin)
        #expect(byOrigin.mapValues { $0.sorted() } == table.origins.mapValues { $0.sorted() })
        #expect(byOrigin.values.allSatisfy { $0.count <= table.limits.entriesPerOrigin })
    }
}
