import LociBase
import LociModel
import LociTiering
import Testing

@Suite struct PageCacheTests {
    private static func page(_ number: UInt64) -> PageAddress {
        PageAddress(space: 1, partition: 0, page: number)
    }

    /// Pages of one byte, a budget of three: which pages are evicted, worked out by hand from the
    /// rules of the SIEVE paper.
    @Test func evictsInTheOrderOfSieve() {
        var cache = PageCache(budgetBytes: 3)
        func insert(_ number: UInt64) {
            cache.insert(Bytes([UInt8(number)]), at: Self.page(number))
        }
        func resident() -> [UInt64] { (1...9).filter { cache.contains(Self.page($0)) } }
        for number in 1...3 { insert(UInt64(number)) }
        _ = cache.lookup(Self.page(1))
        insert(4)  // 1 was visited and is spared; the hand stops at 2.
        #expect(resident() == [1, 3, 4])
        insert(5)  // The hand goes on from where it stopped.
        #expect(resident() == [1, 4, 5])
        _ = cache.lookup(Self.page(1))
        _ = cache.lookup(Self.page(4))
        insert(6)  // 4 is spared; 5 goes, the newest, so the hand starts again at the oldest.
        #expect(resident() == [1, 4, 6])
        insert(7)  // 1 is spared a second time; 4 was spared only once.
        #expect(resident() == [1, 6, 7])
    }

    @Test(arguments: 1...6) func neverExceedsItsBudgetAndCountsHitsLikeTheModel(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var cache = PageCache(budgetBytes: 40)
        var model = SieveModel(budget: 40)
        for _ in 0..<3000 {
            let number = UInt64(random.below(24))
            switch random.below(20) {
            case 0:
                cache.removeAll { $0.page % 7 == number % 7 }
                model.remove { $0 % 7 == number % 7 }
            case 1...9:
                let found = cache.lookup(Self.page(number))?.count
                let expected = model.lookup(number)
                #expect(found == expected)
            default:
                let size = random.below(30) == 0 ? 41 : 1 + random.below(12)
                cache.insert(Bytes(zeros: size), at: Self.page(number))
                model.insert(number, size: size)
            }
            #expect(cache.residentBytes <= 40)
            #expect(cache.residentBytes == model.queue.reduce(0) { $0 + $1.size })
            #expect(cache.hits == model.hits && cache.requests == model.requests)
            #expect(cache.pageCount == model.queue.count)
            #expect(model.queue.allSatisfy { cache.contains(Self.page($0.page)) })
        }
    }

    @Test func aPatchChangesTheCachedCopyAndNotOneThatIsHeld() {
        var cache = PageCache(budgetBytes: 100)
        let original = Bytes([1, 2, 3, 4])
        cache.insert(original, at: Self.page(1))
        let held = cache.lookup(Self.page(1))
        cache.patch(Self.page(1), at: 1, with: Bytes([9, 8]))
        #expect(held?.array == [1, 2, 3, 4])
        #expect(original.array == [1, 2, 3, 4])
        #expect(cache.peek(Self.page(1))?.array == [1, 9, 8, 4])
        cache.patch(Self.page(2), at: 0, with: Bytes([1]))
        #expect(!cache.contains(Self.page(2)))
    }
}

/// SIEVE on an array, oldest first.
private struct SieveModel {
    var queue: [(page: UInt64, size: Int, wasVisited: Bool)] = []
    /// The page that is looked at next; none starts at the oldest.
    var hand: UInt64?
    var hits: UInt64 = 0
    var requests: UInt64 = 0
    let budget: Int

    init(budget: Int) { self.budget = budget }

    mutating func lookup(_ page: UInt64) -> Int? {
        requests += 1
        guard let place = queue.firstIndex(where: { $0.page == page }) else { return nil }
        hits += 1
        queue[place].wasVisited = true
        return queue[place].size
    }

    mutating func insert(_ page: UInt64, size: Int) {
        remove { $0 == page }
        guard size <= budget else { return }
        while queue.reduce(size, { $0 + $1.size }) > budget {
            var place = queue.firstIndex { $0.page == hand } ?? 0
            while queue[place].wasVisited {
                queue[place].wasVisited = false
                place = (place + 1) % queue.count
            }
            let victim = queue[place].page
            hand = victim
            remove { $0 == victim }
        }
        queue.append((page, size, false))
    }

    mutating func remove(where matches: (UInt64) -> Bool) {
        if let place = queue.firstIndex(where: { $0.page == hand }), matches(queue[place].page) {
            hand = queue[place...].first { !matches($0.page) }?.page
        }
        queue.removeAll { matches($0.page) }
    }
}
