import Foundation
import Glibc
import LociClient
import Synchronization

/// Page-ins over a list of pages, by as many threads as reads shall be on their way.
struct PageInMeasurement {
    let pages: Int
    let seconds: Double
    /// Processor time of the whole process, the kernel's work for it included.
    let processorSeconds: Double
    /// Of batches where the subject reads in batches, of pages otherwise; sorted.
    let nanoseconds: [UInt32]

    var pagesPerSecond: Double { Double(pages) / seconds }
    var processorMicroseconds: Double { processorSeconds * 1e6 / Double(max(1, pages)) }

    func microseconds(_ percentile: Double) -> Double {
        guard !nanoseconds.isEmpty else { return 0 }
        let index = Int((Double(nanoseconds.count - 1) * percentile / 100).rounded())
        return Double(nanoseconds[index]) / 1000
    }

    /// Stops when the time is over or every page was read once, so that none is read warm.
    /// - Parameter run: Pages of one batch, if they shall be so many for every subject.
    init(
        _ subject: PageInSubject, _ order: [UInt32], depth: Int, seconds limit: Double,
        run: Int? = nil
    ) throws {
        let threads = subject.isBatched ? 1 : depth
        let batch = run ?? (subject.isBatched ? depth : 1)
        let readers = try (0..<threads).map { _ in try subject.reader(run: run ?? 1) }
        let work = PageInWork(order, batch: batch, seconds: limit)
        let processorStart = Self.processorSeconds()
        let start = ContinuousClock.now
        if threads == 1 {
            work.run(readers[0])
        } else {
            let group = DispatchGroup()
            for reader in readers {
                group.enter()
                let job = Job(body: { work.run(reader) })
                let thread = Thread {
                    job.body()
                    group.leave()
                }
                thread.stackSize = 256 << 10
                thread.start()
            }
            group.wait()
        }
        seconds = (ContinuousClock.now - start).inSeconds
        processorSeconds = Self.processorSeconds() - processorStart
        let result = work.result
        if let error = result.error { throw error }
        pages = result.pages
        nanoseconds = result.nanoseconds.sorted()
    }

    private static func processorSeconds() -> Double {
        Double(clock()) / Double(CLOCKS_PER_SEC)
    }
}

/// A thread's work, which it alone uses.
private struct Job: @unchecked Sendable {
    let body: () -> Void
}

/// Pages that threads take from one list.
private final class PageInWork: Sendable {
    struct Result: Sendable {
        var pages = 0
        var nanoseconds: [UInt32] = []
        var error: (any Error)?
    }

    private let order: [UInt32]
    private let batch: Int
    private let end: ContinuousClock.Instant
    private let next = Atomic(0)
    private let results = Mutex(Result())

    init(_ order: [UInt32], batch: Int, seconds: Double) {
        self.order = order
        self.batch = batch
        end = .now + .seconds(seconds)
    }

    var result: Result { results.withLock { $0 } }

    func run(_ reader: PageInSubject.Reader) {
        var mine = Result()
        var now = ContinuousClock.now
        // At least one batch, however late this thread was started.
        repeat {
            let first = next.add(batch, ordering: .relaxed).oldValue
            guard first + batch <= order.count else { break }
            do {
                try reader(order[first..<(first + batch)])
            } catch {
                mine.error = error
                break
            }
            let before = now
            now = .now
            mine.pages += batch
            mine.nanoseconds.append(UInt32(min(4e9, (now - before).inSeconds * 1e9)))
        } while now < end
        results.withLock { all in
            all.pages += mine.pages
            all.nanoseconds += mine.nanoseconds
            all.error = all.error ?? mine.error
        }
    }
}
