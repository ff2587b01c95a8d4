import Foundation
import LociBase
import LociTiering
import Testing

@Suite struct PageArenaTests {
    private static func page(_ arena: PageArena, _ byteCount: Int, filledWith mark: UInt64) -> Bytes
    {
        var page = Bytes(owner: arena.allocate(byteCount))
        let mark = Bytes(values: [mark])
        for at in stride(from: 0, to: byteCount - 7, by: 1024) { page.replace(at: at, with: mark) }
        page.replace(at: byteCount - 8, with: mark)
        return page
    }

    private static func isIntact(_ page: Bytes, _ mark: UInt64) -> Bool {
        stride(from: 0, to: page.count - 7, by: 1024).allSatisfy { page.load(at: $0) == mark }
            && page.load(at: page.count - 8) == mark
    }

    @Test func aPageTakesTheNextPowerOfTwo() {
        let arena = PageArena(budgetBytes: 8 << 20)
        #expect(PageArena.frameBytes(for: 1) == 4096)
        #expect(PageArena.frameBytes(for: 4097) == 8192)
        let page = arena.allocate(5000)
        #expect(arena.usedBytes == 8192)
        withExtendedLifetime(page) {}
        #expect(Bytes(owner: page).count == 5000)
    }

    /// Frames of all sizes are taken and let go on four threads; each is marked over its whole
    /// length and must still carry its mark when it goes.
    @Test(arguments: [1 << 20, 6 << 20]) func liveFramesNeverOverlapAndTheBudgetHolds(
        budget: Int
    ) async {
        let arena = PageArena(budgetBytes: budget)
        await withTaskGroup(of: (broken: Int, tooMuch: Int).self) { group in
            for thread in 0..<4 {
                group.addTask {
                    var random = SeededRandom(seed: UInt64(thread + budget))
                    var live: [(page: Bytes, mark: UInt64)] = []
                    var broken = 0
                    var tooMuch = 0
                    for step in 0..<1500 {
                        if live.count > 12 || (!live.isEmpty && random.chance(0.45)) {
                            let gone = live.remove(at: random.below(live.count))
                            if !Self.isIntact(gone.page, gone.mark) { broken += 1 }
                        } else {
                            let size = 4096 << random.below(random.chance(0.1) ? 10 : 5)
                            let mark = UInt64(thread << 32 + step)
                            live.append((Self.page(arena, size, filledWith: mark), mark))
                        }
                        if arena.usedBytes > budget || arena.residentBytes > budget {
                            tooMuch += 1
                        }
                    }
                    for (page, mark) in live where !Self.isIntact(page, mark) { broken += 1 }
                    return (broken, tooMuch)
                }
            }
            for await result in group {
                #expect(result.broken == 0)
                #expect(result.tooMuch == 0)
            }
        }
        #expect(arena.usedBytes == 0 && arena.overflowBytes == 0)
        #expect(arena.overflowCount > 0 || budget > 1 << 20)
        // All of it is there again, in one size.
        let pages = (0..<(budget / 4096)).map { _ in arena.allocate(4096) }
        #expect(arena.usedBytes == budget / 4096 * 4096 && pages.count == budget / 4096)
        #expect(arena.residentBytes <= budget)
    }

    @Test func beyondTheBudgetTheHeapHelpsAndIsCounted() {
        let arena = PageArena(budgetBytes: 64 << 10)
        var pages = (0..<4).map { Self.page(arena, 16 << 10, filledWith: UInt64($0)) }
        #expect(arena.usedBytes == 64 << 10 && arena.overflowCount == 0)
        pages.append(Self.page(arena, 16 << 10, filledWith: 4))
        #expect(arena.usedBytes == 64 << 10)
        #expect(arena.overflowBytes == 16 << 10 && arena.overflowCount == 1)
        #expect(pages.enumerated().allSatisfy { Self.isIntact($1, UInt64($0)) })
        pages = []
        #expect(arena.usedBytes == 0 && arena.overflowBytes == 0 && arena.overflowCount == 1)
    }

    /// What the kernel says, not only what the arena counts.
    @Test func freeFramesOfOneSizeMakeRoomForAnotherAndTheKernelGetsThemBack() throws {
        let budget = 32 << 20
        let arena = PageArena(budgetBytes: budget)
        let before = try Self.residentBytes()
        for round in 0..<6 {
            let size = [4 << 10, 64 << 10, 2 << 20, 16 << 10, 1 << 20, 8 << 10][round]
            let pages = (0..<(budget / size)).map {
                Self.page(arena, size, filledWith: UInt64(round << 32 + $0))
            }
            #expect(arena.overflowCount == 0)
            #expect(arena.residentBytes <= budget)
            let grown = try Self.residentBytes() - before
            // The frames' objects, and what other tests of this process do meanwhile.
            #expect(grown < budget + (24 << 20), "round \(round): \(grown) bytes")
            #expect(pages.count == budget / size)
        }
    }

    @Test func bytesOfAnotherOwnerAreCopiedInAndItsOwnAreNot() {
        let arena = PageArena(budgetBytes: 1 << 20)
        let own = Self.page(arena, 8192, filledWith: 7)
        #expect(arena.adopt(own) == own && arena.usedBytes == 8192)
        let part = arena.adopt(own.slice(0..<4096))
        #expect(part.count == 4096 && arena.usedBytes == 8192 + 4096)
        let foreign = arena.adopt(Bytes([1, 2, 3]))
        #expect(foreign.array == [1, 2, 3] && arena.usedBytes == 8192 + 8192)
    }

    /// `VmRSS` of this process.
    private static func residentBytes() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        let kilobytes = try #require(line.split(separator: " ").compactMap { Int($0) }.first)
        return kilobytes << 10
    }
}
