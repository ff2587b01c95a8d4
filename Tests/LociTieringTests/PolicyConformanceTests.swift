import LociBase
import LociTiering
import Testing

/// What all eviction policies promise, whatever they decide.
@Suite struct PolicyConformanceTests {
    @Test(arguments: EvictionKind.allCases, 1...4)
    func victimsAreResidentAndFreeUnderRandomUse(kind: EvictionKind, seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let expected = 1 + random.below(60)
        var policy = kind.make(capacity: expected, seed: seed)
        // More and fewer pages than expected: budgets are bytes, and pages differ in size.
        var fitting = max(1, expected + random.below(expected) - expected / 2)
        var resident: [Int32: UInt64] = [:]
        var pinned: Set<Int32> = []
        var unused = (0..<200).map { Int32($0) }
        for _ in 0..<4000 {
            switch random.below(40) {
            case 0..<16:
                while resident.count >= fitting {
                    let victim = policy.victim { !pinned.contains($0) }
                    guard let victim else {
                        #expect(resident.keys.allSatisfy(pinned.contains))
                        break
                    }
                    #expect(resident.removeValue(forKey: victim) != nil)
                    #expect(!pinned.contains(victim))
                    unused.append(victim)
                }
                guard resident.count < fitting else { break }
                let slot = unused.remove(at: random.below(unused.count))
                let key = mix64(UInt64(random.below(3 * expected)))
                resident[slot] = key
                policy.insert(slot, key: key)
            case 16..<34:
                if let slot = resident.keys.sorted().randomElement(using: &random) {
                    policy.touch(slot)
                }
            case 34, 35:
                guard let slot = resident.keys.sorted().randomElement(using: &random) else { break }
                policy.remove(slot)
                resident[slot] = nil
                pinned.remove(slot)
                unused.append(slot)
            case 36, 37:
                if let slot = resident.keys.sorted().randomElement(using: &random) {
                    pinned.insert(slot)
                }
            case 38:
                if let slot = pinned.sorted().randomElement(using: &random) { pinned.remove(slot) }
            default:
                if random.below(10) == 0 { fitting = 1 + random.below(2 * expected) }
            }
            #expect(policy.count == resident.count)
        }
        drain(&policy, of: Set(resident.keys))
    }

    /// Takes everything out and expects each page once, then nothing.
    private func drain(_ policy: inout any EvictionPolicy, of resident: Set<Int32>) {
        var seen: Set<Int32> = []
        while let victim = policy.victim() { #expect(seen.insert(victim).inserted) }
        #expect(seen == resident)
        #expect(policy.count == 0)
    }

    @Test(arguments: EvictionKind.allCases)
    func pinnedPagesStayAndTheRestGoes(kind: EvictionKind) {
        // Any set of pinned pages, also all of one queue: what is free has to be found.
        for seed in UInt64(1)...60 {
            var random = SeededRandom(seed: seed)
            var policy = kind.make(capacity: 40, seed: seed)
            for slot in 0..<Int32(40) { policy.insert(slot, key: mix64(UInt64(slot))) }
            for _ in 0..<random.below(200) { policy.touch(Int32(random.below(40))) }
            var next = UInt64(40)
            for _ in 0..<random.below(100) {
                guard let slot = policy.victim() else { break }
                policy.insert(slot, key: mix64(next))
                next += 1
            }
            // Some, or all but a few: those may be alone in their queue.
            let order = (0..<Int32(40)).shuffled(using: &random)
            let pinned = Set(order.dropFirst(random.below(seed % 2 == 0 ? 40 : 4)))
            var evicted: Set<Int32> = []
            while let slot = policy.victim(where: { !pinned.contains($0) }) { evicted.insert(slot) }
            #expect(evicted == Set(0..<40).subtracting(pinned), "\(kind), seed \(seed)")
            #expect(policy.count == pinned.count)
            drain(&policy, of: pinned)
        }
    }

    /// A page that nobody uses leaves, however often the others are used: within as many misses as
    /// it takes to bring each page through each queue.
    @Test(arguments: EvictionKind.allCases)
    func whatNobodyUsesLeaves(kind: EvictionKind) {
        let count = Int32(50)
        var policy = kind.make(capacity: Int(count), seed: 1)
        var neverUsed = Set(0..<count)
        for slot in 0..<count { policy.insert(slot, key: mix64(UInt64(slot))) }
        var key = UInt64(count)
        for _ in 0..<(20 * count) where !neverUsed.isEmpty {
            guard let slot = policy.victim() else { break }
            neverUsed.remove(slot)
            // The newcomer is used at once, and its key comes again and again.
            key = key % 500 + UInt64(count)
            policy.insert(slot, key: mix64(key))
            for _ in 0..<3 { policy.touch(slot) }
            key += 1
        }
        #expect(neverUsed.isEmpty, "\(kind) keeps \(neverUsed.sorted())")
    }

    @Test(arguments: EvictionKind.allCases)
    func theSameCallsAndSeedDecideTheSame(kind: EvictionKind) {
        func victims(seed: UInt64) -> [Int32] {
            var random = SeededRandom(seed: 9)
            var policy = kind.make(capacity: 30, seed: seed)
            for slot in 0..<Int32(30) { policy.insert(slot, key: mix64(UInt64(slot))) }
            return (0..<500).map { step in
                for _ in 0..<3 { policy.touch(Int32(random.below(30))) }
                let slot = policy.victim()!
                policy.insert(slot, key: mix64(UInt64(30 + random.below(60))))
                return slot
            }
        }
        #expect(victims(seed: 5) == victims(seed: 5))
    }

    /// Ghosts and sketches forget: a stream of ever new pages does not take ever more memory.
    @Test(arguments: EvictionKind.allCases)
    func memoryDoesNotGrowWithTheStream(kind: EvictionKind) {
        var policy = kind.make(capacity: 100, seed: 1)
        for slot in 0..<Int32(100) { policy.insert(slot, key: mix64(UInt64(slot))) }
        func miss(_ keys: Range<UInt64>) {
            for key in keys {
                let slot = policy.victim()!
                policy.insert(slot, key: mix64(key))
            }
        }
        miss(100..<1000)
        let before = Self.storedElements(policy)
        miss(1000..<20_000)
        #expect(Self.storedElements(policy) == before)
        #expect(before < 10_000)
    }

    /// Elements of all arrays in a value.
    private static func storedElements(_ value: Any) -> Int {
        let mirror = Mirror(reflecting: value)
        if mirror.displayStyle == .collection { return mirror.children.count }
        return mirror.children.reduce(0) { $0 + storedElements($1.value) }
    }

    @Test(arguments: EvictionKind.allCases)
    func anEmptyPolicyHasNoVictim(kind: EvictionKind) {
        var policy = kind.make(capacity: 0, seed: 1)
        #expect(policy.victim() == nil)
        policy.insert(7, key: 7)
        #expect(policy.victim { _ in false } == nil)
        #expect(policy.victim() == 7)
        #expect(policy.victim() == nil)
    }

    @Test func namesAreThoseOfConfigurations() {
        let names = ["s3-fifo", "sieve", "w-tinylfu", "lru", "fifo", "clock"]
        #expect(EvictionKind.allCases.map(\.rawValue) == names)
        #expect(EvictionKind.standard == .s3fifo)
    }
}
