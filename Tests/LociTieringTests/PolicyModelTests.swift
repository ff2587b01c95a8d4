import LociBase
import LociTiering
import Testing

/// Policies against models that are so plain that they are right: arrays, oldest first.
@Suite struct PolicyModelTests {
    @Test(arguments: 1...8) func evictsLikeTheModels(seed: UInt64) {
        compare(FIFOModel(), .fifo, seed)
        compare(LRUModel(), .lru, seed)
        compare(ClockModel(), .clock, seed)
        compare(SieveModel(), .sieve, seed)
        compare(S3FIFOModel(ghostCount: 27), .s3fifo, seed)
    }

    /// The same calls to both: hits, misses, and removals now and then.
    private func compare(_ start: some PolicyModel, _ kind: EvictionKind, _ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var model = start
        var policy = kind.make(capacity: 30, seed: seed)
        var slots: [Int: Int32] = [:]
        var free = (0..<Int32(30)).map { $0 }
        for step in 0..<3000 {
            // A few pages often, many rarely.
            let page = random.chance(0.5) ? random.below(20) : random.below(90)
            if random.below(50) == 0, let slot = slots.removeValue(forKey: page) {
                policy.remove(slot)
                model.remove(page)
                free.append(slot)
            } else if let slot = slots[page] {
                policy.touch(slot)
                model.touch(page)
            } else {
                if free.isEmpty, let slot = policy.victim() {
                    let expected = model.victim()
                    guard slots.removeValue(forKey: expected) == slot else {
                        Issue.record("\(kind), seed \(seed), step \(step): not page \(expected)")
                        return
                    }
                    free.append(slot)
                }
                let slot = free.removeLast()
                slots[page] = slot
                policy.insert(slot, key: mix64(UInt64(page)))
                model.insert(page)
            }
            guard policy.count == slots.count else {
                Issue.record("\(kind): \(policy.count) pages instead of \(slots.count)")
                return
            }
        }
    }
}

private protocol PolicyModel {
    mutating func insert(_ page: Int)
    mutating func touch(_ page: Int)
    mutating func victim() -> Int
    mutating func remove(_ page: Int)
}

private struct FIFOModel: PolicyModel {
    var pages: [Int] = []
    mutating func insert(_ page: Int) { pages.append(page) }
    mutating func touch(_ page: Int) {}
    mutating func victim() -> Int { pages.removeFirst() }
    mutating func remove(_ page: Int) { pages.removeAll { $0 == page } }
}

private struct LRUModel: PolicyModel {
    var pages: [Int] = []
    mutating func insert(_ page: Int) { pages.append(page) }
    mutating func touch(_ page: Int) {
        remove(page)
        pages.append(page)
    }
    mutating func victim() -> Int { pages.removeFirst() }
    mutating func remove(_ page: Int) { pages.removeAll { $0 == page } }
}

private struct ClockModel: PolicyModel {
    var pages: [Int] = []
    var used: Set<Int> = []
    mutating func insert(_ page: Int) { pages.append(page) }
    mutating func touch(_ page: Int) { used.insert(page) }
    mutating func victim() -> Int {
        while used.remove(pages[0]) != nil { pages.append(pages.removeFirst()) }
        return pages.removeFirst()
    }
    mutating func remove(_ page: Int) {
        pages.removeAll { $0 == page }
        used.remove(page)
    }
}

private struct SieveModel: PolicyModel {
    var pages: [Int] = []
    var used: Set<Int> = []
    var hand = 0
    mutating func insert(_ page: Int) { pages.append(page) }
    mutating func touch(_ page: Int) { used.insert(page) }
    mutating func victim() -> Int {
        while true {
            let page = pages[hand]
            guard used.remove(page) != nil else {
                remove(page)
                return page
            }
            hand = (hand + 1) % pages.count
        }
    }
    mutating func remove(_ page: Int) {
        guard let place = pages.firstIndex(of: page) else { return }
        pages.remove(at: place)
        if place < hand { hand -= 1 }
        // Past the newest it starts again at the oldest.
        if hand == pages.count { hand = 0 }
        used.remove(page)
    }
}

private struct S3FIFOModel: PolicyModel {
    let ghostCount: Int
    var small: [Int] = []
    var main: [Int] = []
    var ghosts: [Int] = []
    var uses: [Int: Int] = [:]

    init(ghostCount: Int) { self.ghostCount = ghostCount }

    mutating func insert(_ page: Int) {
        uses[page] = 0
        if let ghost = ghosts.firstIndex(of: page) {
            ghosts.remove(at: ghost)
            main.append(page)
        } else {
            small.append(page)
        }
    }

    mutating func touch(_ page: Int) { uses[page] = min(uses[page]! + 1, 3) }

    mutating func victim() -> Int {
        if small.count * 10 >= small.count + main.count {
            while let page = small.first {
                small.removeFirst()
                guard uses[page]! > 1 else {
                    ghosts.append(page)
                    if ghosts.count > ghostCount { ghosts.removeFirst() }
                    return page
                }
                uses[page] = 0
                main.append(page)
            }
        }
        while uses[main[0]]! > 0 {
            uses[main[0]]! -= 1
            main.append(main.removeFirst())
        }
        return main.removeFirst()
    }

    mutating func remove(_ page: Int) {
        small.removeAll { $0 == page }
        main.removeAll { $0 == page }
    }
}
