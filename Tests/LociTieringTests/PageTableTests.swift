import LociBase
import LociModel
import LociTiering
import Testing

@Suite struct PageTableTests {
    private static func page(_ number: UInt64) -> PageAddress {
        PageAddress(space: 1, partition: 0, page: number)
    }

    @Test func oneLoadServesAllWhoWait() {
        var table = PageTable(budgetBytes: 100)
        guard case .absent = table.request(Self.page(1), for: 10) else {
            Issue.record("the first to ask orders the load")
            return
        }
        for waiter in UInt64(11)...13 {
            guard case .onItsWay = table.request(Self.page(1), for: waiter) else {
                Issue.record("a page is loaded once")
                return
            }
        }
        #expect(table.loadsInFlight == 1)
        let told = table.arrived(Self.page(1), Bytes([5])).1
        let toldAgain = table.arrived(Self.page(1), Bytes([5])).1
        #expect(told == [10, 11, 12, 13] && toldAgain.isEmpty)
        guard case .resident = table.request(Self.page(1), for: 14) else {
            Issue.record("a page that arrived is there")
            return
        }
    }

    @Test func aLoadThatFailsTellsAllWhoWaitAndCanBeOrderedAgain() {
        var table = PageTable(budgetBytes: 100)
        _ = table.request(Self.page(1), for: 1)
        _ = table.request(Self.page(1), for: 2)
        let told = table.failed(Self.page(1))
        let toldAgain = table.failed(Self.page(1))
        #expect(told == [1, 2] && toldAgain.isEmpty)
        guard case .absent = table.request(Self.page(1), for: 3) else {
            Issue.record("a failed load leaves nothing behind")
            return
        }
    }

    /// Writes go to the file and to the table; a load reads the file as it was when it was ordered,
    /// and arrives later. Whatever the order, who asks sees every write.
    @Test(arguments: 1...6) func noWriteIsLostWhileAPageIsOnItsWay(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var table = PageTable(budgetBytes: 5 * 8)
        var files = [[UInt8]](repeating: Array(repeating: 0, count: 8), count: 12)
        var onTheirWay: [(page: Int, bytes: [UInt8])] = []
        for step in 0..<4000 {
            let page = random.below(files.count)
            let address = Self.page(UInt64(page))
            switch random.below(4) {
            case 0:
                switch table.request(address, for: 1) {
                case .resident(let bytes): #expect(bytes.array == files[page])
                case .onItsWay: #expect(onTheirWay.contains { $0.page == page })
                case .absent: onTheirWay.append((page, files[page]))
                }
            case 1:
                guard !onTheirWay.isEmpty else { continue }
                let load = onTheirWay.remove(at: random.below(onTheirWay.count))
                let (bytes, waiters) = table.arrived(
                    Self.page(UInt64(load.page)), Bytes(load.bytes))
                #expect(bytes.array == files[load.page])
                #expect(!waiters.isEmpty)
            default:
                let offset = random.below(7)
                let bytes = [UInt8(truncatingIfNeeded: step), UInt8(truncatingIfNeeded: step >> 8)]
                files[page].replaceSubrange(offset..<(offset + 2), with: bytes)
                table.patch(address, at: offset, with: Bytes(bytes))
            }
            #expect(table.loadsInFlight == onTheirWay.count)
        }
    }

    @Test func pagesOfADroppedSpaceAreForgotten() {
        var table = PageTable(budgetBytes: 100)
        for space in SpaceID(1)...3 {
            let address = PageAddress(space: space, partition: 0, page: 0)
            _ = table.request(address, for: 1)
            _ = table.arrived(address, Bytes([UInt8(space)]))
        }
        table.drop(spaces: [1, 3])
        #expect(table.cache.pageCount == 1 && table.cache.residentBytes == 1)
        #expect(table.cache.contains(PageAddress(space: 2, partition: 0, page: 0)))
    }
}
