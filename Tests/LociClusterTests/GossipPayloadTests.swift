import LociBase
import LociModel
import LociPlacement
import Testing

@testable import LociCluster

/// What processes publish, as bytes.
@Suite struct GossipPayloadTests {
    @Test func pagesComeBackFromTheirRuns() {
        var random = SeededRandom(seed: 4)
        for _ in 0..<200 {
            let width = random.chance(0.5) ? 300 : 1 << 40
            let pages = (0..<(1 + random.below(900))).map { _ in
                PageAddress(
                    space: SpaceID(random.below(3)), partition: PartitionIndex(random.below(4)),
                    page: UInt64(random.below(width)))
            }
            let bytes = PageRuns.encoded(pages)
            #expect(PageRuns.decoded(bytes, most: 900) == Set(pages).sorted())
            #expect(PageRuns.decoded(bytes, most: Set(pages).count - 1) == nil)
        }
    }

    /// A run of 900 pages takes a few bytes.
    @Test func neighboursTakeLittleRoom() {
        let pages = (0..<900).map { PageAddress(space: 1, partition: 0, page: 5000 + UInt64($0)) }
        #expect(PageRuns.encoded(pages).count < 12)
    }

    @Test func foreignBytesNeverTrapAndTakeNoMoreThanIsAllowed() {
        var random = SeededRandom(seed: 5)
        let pages = (0..<60).map { PageAddress(space: 1, partition: 0, page: UInt64($0) * 977) }
        let honest = PageRuns.encoded(pages).array
        var read = 0
        for _ in 0..<50_000 {
            var bytes = honest
            for _ in 0...random.below(4) {
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
            }
            if random.chance(0.3) { bytes.removeLast(random.below(bytes.count)) }
            if let pages = PageRuns.decoded(Bytes(bytes), most: 900) {
                #expect(pages.count <= 900)
                read += 1
            }
            if let transitions = TransitionBook.decoded(Bytes(bytes)) {
                #expect(transitions.count <= TransitionBook.perPart)
            }
        }
        #expect(read > 100, "some make sense")
        // 2^64 - 1 pages in one run, and runs whose sum overflows.
        let most: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]
        #expect(PageRuns.decoded(Bytes([1, 1, 0, 1, 0] + most), most: 900) == nil)
        #expect(PageRuns.decoded(Bytes([1, 1, 0, 2] + most + [1] + most + [1]), most: 900) == nil)
        #expect(PageRuns.decoded(Bytes([1, 1, 0, 1, 0x80, 0, 1]), most: 900) == nil)
    }

    @Test func aTransitionIsPublishedWhenItIsConfirmedAndOnlyWhatChangedIsAgain() {
        var book = TransitionBook()
        func walk(_ pages: [UInt64]) {
            for page in pages {
                book.note(page: page, of: 1, on: ShardIndex(page % 2), session: 9)
            }
        }
        walk([10, 11, 12, 13])
        #expect(book.follow(at: .zero).isEmpty, "once is chance")
        walk([10, 11, 12, 13])
        let updates = book.follow(at: .zero)
        #expect(updates.count == 1)
        let published = TransitionBook.decoded(updates[0].payload!)!
        #expect(published.map { [$0.from, $0.to] } == [[10, 11], [11, 12], [12, 13]])
        walk([10, 11, 12, 13])
        #expect(book.follow(at: .zero).count == 1, "that 10 follows 13 is confirmed now")
        walk([10, 11, 12, 13])
        #expect(book.follow(at: .zero).isEmpty, "nothing is new")
        let later = Instant.zero.advanced(microseconds: TransitionBook.timeToLive / 2 + 1_000_000)
        #expect(book.follow(at: later).count == 1, "before it expires it is said again")
        // What stays on a shard, and what two sessions do, is none.
        walk([20, 22, 24, 20, 22, 24])
        book.note(page: 31, of: 1, on: 1, session: 1)
        book.note(page: 32, of: 1, on: 0, session: 2)
        #expect(book.count == 4)
    }

    @Test func manyTransitionsStayWithinTheirBounds() {
        var random = SeededRandom(seed: 6)
        var book = TransitionBook()
        for step in 0..<200_000 {
            let page = UInt64(random.below(1 << 40))
            book.note(
                page: page, of: SpaceID.max, on: ShardIndex(step % 7), session: UInt64(step % 999))
        }
        #expect(book.count <= TransitionBook.most)
        for slot in 0..<TransitionBook.most {
            book.remember(
                TransitionBook.Transition(
                    space: .max, from: .max - UInt64(slot), to: .max - UInt64(slot)))
        }
        var parts = 0
        while true {
            let updates = book.follow(at: .zero)
            if updates.isEmpty { break }
            parts += updates.count
            for update in updates {
                #expect(update.payload!.count <= GossipEntry.payloadBytesAtMost)
                #expect(TransitionBook.decoded(update.payload!) != nil)
            }
        }
        #expect(parts == TransitionBook.most / TransitionBook.perPart)
    }
}
