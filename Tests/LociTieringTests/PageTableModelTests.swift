import LociBase
import LociModel
import LociTiering
import Testing

/// Requests, page-ins, writes, failures and drops in random order, against a model that holds every
/// page's content, with holders that keep their pages for a while.
@Suite struct PageTableModelTests {
    private static let pageBytes = 4096
    private static let pages = 24

    private static func address(_ number: Int) -> PageAddress {
        PageAddress(space: SpaceID(number % 3), partition: 0, page: UInt64(number))
    }

    struct Setting: CustomTestStringConvertible, Sendable {
        let seed: UInt64
        let budget: Int
        let far: Int
        let eviction: EvictionKind

        var testDescription: String { "seed \(seed), \(budget)+\(far) pages, \(eviction.rawValue)" }
    }

    static let settings = EvictionKind.allCases.enumerated().flatMap { index, eviction in
        [
            Setting(seed: UInt64(index), budget: 5, far: 0, eviction: eviction),
            Setting(seed: UInt64(index + 100), budget: 7, far: 6, eviction: eviction),
        ]
    }

    /// Somebody who asked for a round.
    private struct Holder {
        let wanted: [Int]
        var missing: Int
        var held: [Int: Bytes] = [:]
        /// What was seen in the pages when they came.
        var seen: [Int: [UInt8]] = [:]
        var isWaiting = false
    }

    private struct Model {
        let setting: Setting
        var random: SeededRandom
        var table: PageTable
        let arena: PageArena
        var files = [[UInt8]](repeating: Array(repeating: 0, count: 8), count: pages)
        /// Page-ins under way, with what the file had when they were ordered.
        var loads: [(page: Int, slowest: Tier, bytes: [UInt8])] = []
        var holders: [UInt64: Holder] = [:]
        var nextHolder: UInt64 = 0
        var completed = 0

        init(_ setting: Setting) {
            self.setting = setting
            random = SeededRandom(seed: setting.seed)
            let dram = MemoryTier.dram(
                budgetBytes: setting.budget * pageBytes, eviction: setting.eviction)
            arena = dram.arena
            table = PageTable(
                dram: dram,
                far: setting.far == 0
                    ? nil
                    : .far(budgetBytes: setting.far * pageBytes, eviction: setting.eviction))
        }

        /// As storage would: into the arena if it has room.
        func page(_ content: [UInt8]) -> Bytes {
            var page = Bytes(owner: arena.allocate(pageBytes))
            page.replace(at: 0, with: Bytes(content))
            return page
        }

        mutating func ask() {
            let count = 1 + random.below(setting.budget)
            let wanted = Array(
                Set((0..<count).map { _ in random.below(PageTableModelTests.pages) }))
            let needs = wanted.map {
                PageNeed(address: address($0), pageBytes: pageBytes)
            }
            nextHolder += 1
            let slowest: Tier = random.chance(0.2) ? .ssd : .object
            holders[nextHolder] = Holder(wanted: wanted, missing: 0)
            switch table.request(needs, slowest: slowest, for: nextHolder) {
            case .admitted(let round): take(round, nextHolder)
            case .waits: holders[nextHolder]!.isWaiting = true
            case .tooLarge: Issue.record("\(count) pages do not fit")
            }
        }

        mutating func take(_ round: PageRound, _ number: UInt64) {
            var holder = holders[number]!
            holder.isWaiting = false
            holder.missing = round.missing
            for held in round.held { see(Int(held.address.page), held.bytes, &holder) }
            let accounted = round.held.count + round.missing + round.beyond.count
            #expect(accounted == holder.wanted.count)
            for load in round.loads {
                let page = Int(load.address.page)
                #expect(!loads.contains { $0.page == page }, "a page is loaded once")
                loads.append((page, .object, files[page]))
            }
            holders[number] = holder
        }

        func see(_ page: Int, _ bytes: Bytes, _ holder: inout Holder) {
            let content = bytes.slice(0..<8).array
            #expect(content == files[page], "page \(page)")
            holder.held[page] = bytes
            holder.seen[page] = content
        }

        mutating func finishLoad() {
            guard !loads.isEmpty else { return }
            let load = loads.remove(at: random.below(loads.count))
            let address = address(load.page)
            switch random.below(10) {
            case 0: for waiter in table.failed(address) { holders[waiter.number]!.missing -= 1 }
            case 1:
                let (waiters, again) = table.beyond(address, .hdd)
                for waiter in waiters { holders[waiter.number]!.missing -= 1 }
                if again != nil { loads.append((load.page, .object, files[load.page])) }
            default:
                let (bytes, waiters) = table.arrived(address, page(load.bytes))
                for waiter in waiters {
                    var holder = holders[waiter.number]!
                    holder.missing -= 1
                    see(load.page, bytes, &holder)
                    holders[waiter.number] = holder
                }
                #expect(!waiters.isEmpty)
            }
        }

        /// Somebody who has all that there is to have lets it go.
        mutating func release() {
            let done = holders.filter { $0.value.missing == 0 && !$0.value.isWaiting }
            guard let number = done.keys.sorted().first else { return }
            let holder = holders.removeValue(forKey: number)!
            for (page, bytes) in holder.held {
                #expect(bytes.slice(0..<8).array == holder.seen[page]!, "changed under its holder")
            }
            completed += 1
            table.noteRelease()
        }

        mutating func admit() {
            while let first = table.firstWaiting, let round = table.admitFirst() {
                take(round, first)
            }
        }

        mutating func write(_ step: Int) {
            let page = random.below(PageTableModelTests.pages)
            let offset = random.below(7)
            let bytes = [UInt8(truncatingIfNeeded: step), UInt8(truncatingIfNeeded: step >> 8)]
            files[page].replaceSubrange(offset..<(offset + 2), with: bytes)
            table.patch(address(page), at: offset, with: Bytes(bytes))
        }

        func check() {
            #expect(arena.usedBytes + arena.overflowBytes <= arena.budgetBytes)
            #expect(table.loadsInFlight == loads.count)
            #expect(table.reservedBytes == loads.count * pageBytes)
            if let far = table.farVitals { #expect(far.residentBytes <= far.budgetBytes) }
            let waiting = holders.filter(\.value.isWaiting)
            #expect(waiting.allSatisfy { $0.value.held.isEmpty }, "who waits holds nothing")
            #expect(table.firstWaiting == waiting.keys.min(), "first come, first served")
        }
    }

    @Test(arguments: settings) func everyoneSeesEveryWriteAndTheBudgetHolds(setting: Setting) {
        var model = Model(setting)
        for step in 0..<2500 {
            switch model.random.below(12) {
            case 0...2: if model.holders.count < 10 { model.ask() }
            case 3...6: model.finishLoad()
            case 7...8: model.release()
            case 9: if model.random.chance(0.05) { model.table.drop(spaces: [1]) }
            default: model.write(step)
            }
            model.admit()
            model.check()
        }
        finish(&model)
    }

    /// Whatever has been asked for ends, if page-ins end and holders let go: nobody waits for ever.
    @Test(arguments: settings) func everyRequestEnds(setting: Setting) {
        var model = Model(setting)
        for _ in 0..<30 {
            for _ in 0..<40 { model.ask() }
            finish(&model)
        }
        #expect(model.completed == 30 * 40)
        #expect(model.arena.overflowCount == 0)
    }

    private func finish(_ model: inout Model) {
        var steps = 0
        while !model.holders.isEmpty {
            let before = (model.holders.count, model.loads.count)
            // Some let go late, but all do.
            if model.loads.isEmpty || model.random.chance(0.3) { model.release() }
            model.finishLoad()
            model.admit()
            model.check()
            steps += 1
            let isStuck = model.loads.isEmpty && before == (model.holders.count, 0)
            guard !isStuck, steps < 10_000 else {
                Issue.record("stuck with \(model.holders.count) requests")
                return
            }
        }
        #expect(model.table.firstWaiting == nil)
    }
}
