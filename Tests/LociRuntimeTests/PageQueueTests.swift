import Dispatch
import LociBase
import LociModel
import LociSearch
import LociStorage
import Synchronization
import Testing

@testable import LociRuntime

/// In which order page-ins and writes are carried out. The queue's thread is held by a gate while
/// the test gives work.
@Suite struct PageQueueTests {
    private final class Record: Sendable {
        let done = Mutex<[[String]]>([])
        let queue = PageQueue(label: "tests.pages")

        func carryOut(_ work: PageQueue.Work) {
            done.withLock { done in
                switch work {
                case .load(let requests): done.append(requests.map { "load \($0.address.page)" })
                case .write(let write): done.append(["write \(write.address.page)"])
                }
            }
        }

        func load(_ pages: Range<UInt64>) {
            queue.give(.load(pages.map { request($0) }), carryingOutBy: carryOut)
        }

        func background(_ pages: Range<UInt64>) {
            queue.giveBackground(
                pages.map { request($0, isBackground: true) }, carryingOutBy: carryOut)
        }

        func hasten(_ page: UInt64) { queue.hasten(address(page), carryingOutBy: carryOut) }

        func write(_ page: UInt64) {
            let write = PageWrite(
                address: address(page), pageBytes: 4096, offset: 0, bytes: Bytes(zeros: 8))
            queue.give(.write(write), carryingOutBy: carryOut)
        }

        private func address(_ page: UInt64) -> PageAddress {
            PageAddress(space: 1, partition: 0, page: page)
        }

        private func request(_ page: UInt64, isBackground: Bool = false) -> PageRequest {
            PageRequest(address: address(page), pageBytes: 4096, isBackground: isBackground)
        }

        /// Runs a body while the queue's thread is held, then everything. Returns what was done, in
        /// order.
        func whileHeld(_ body: () -> Void) -> [[String]] {
            let gate = DispatchSemaphore(value: 0)
            queue.thread.async { gate.wait() }
            body()
            gate.signal()
            var before = -1
            while before != done.withLock({ $0.count }) {
                before = done.withLock { $0.count }
                for _ in 0..<4 { queue.thread.sync {} }
            }
            return done.withLock { $0 }
        }
    }

    @Test func whatSomebodyWaitsForIsNextBehindTenThousandPagesThatNobodyDoes() {
        let record = Record()
        let done = record.whileHeld {
            record.background(0..<10_000)
            record.load(20_000..<20_003)
        }
        #expect(done.first == ["load 20000", "load 20001", "load 20002"])
        #expect(done.dropFirst().flatMap { $0 } == (0..<10_000).map { "load \($0)" })
        #expect(done.dropFirst().allSatisfy { $0.count <= 8 }, "a few at a time")
    }

    @Test func whatComesMeanwhileWaitsForOneSmallBatchAtMost() {
        let record = Record()
        let gate = DispatchSemaphore(value: 0)
        let isFirst = Mutex(true)
        record.queue.giveBackground(
            (0..<100).map {
                PageRequest(
                    address: PageAddress(space: 1, partition: 0, page: $0), pageBytes: 4096,
                    isBackground: true)
            }
        ) { work in
            if isFirst.withLock({ first in
                defer { first = false }
                return first
            }) {
                // While the first batch is being carried out, somebody asks for a page.
                record.load(500..<501)
                gate.signal()
            }
            record.carryOut(work)
        }
        gate.wait()
        let done = record.whileHeld {}
        #expect(done[0].count <= 8 && done[1] == ["load 500"])
        #expect(done.flatMap { $0 }.count == 101)
    }

    @Test func aHastenedPageComesAfterEarlierWritesAndOnce() {
        let record = Record()
        let done = record.whileHeld {
            record.write(7)
            record.background(5..<10)
            record.write(8)
            record.hasten(7)
            record.hasten(7)
            record.write(7)
        }.flatMap { $0 }
        #expect(
            done == [
                "write 7", "write 8", "load 7", "write 7", "load 5", "load 6", "load 8", "load 9",
            ])
    }

    @Test func theBackgroundNeverOvertakesAWriteThatWasGivenEarlier() {
        var random = SeededRandom(seed: 3)
        for _ in 0..<20 {
            let record = Record()
            var writesBefore: [UInt64: Int] = [:]
            var writes = 0
            let done = record.whileHeld {
                for page in 0..<UInt64(60) {
                    if random.chance(0.5) {
                        record.write(1000 + page)
                        writes += 1
                    }
                    record.background(page..<(page + 1))
                    writesBefore[page] = writes
                    if random.chance(0.3) { record.hasten(UInt64(random.below(Int(page) + 1))) }
                }
            }.flatMap { $0 }
            for (page, count) in writesBefore {
                let place = done.firstIndex(of: "load \(page)")!
                #expect(done[..<place].count { $0.hasPrefix("write") } >= count)
            }
            #expect(done.count == writes + 60)
        }
    }

    @Test func whatIsForgottenIsNotCarriedOut() {
        let record = Record()
        let done = record.whileHeld {
            record.background(0..<100)
            record.load(200..<201)
            record.queue.dropBackground()
        }
        #expect(done == [["load 200"]])
    }
}
