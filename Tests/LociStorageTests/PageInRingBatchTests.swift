import Glibc
import LociBase
import Testing

@testable import LociStorage

@Suite("Reads on their way in a ring")
struct PageInRingBatchTests {
    private static let alignment = 4096

    /// What a device shall do with a read, and what must become of it then.
    private enum Fate: CaseIterable {
        case whole, inParts, interrupted, error, endsAligned, endsWithin, refused, busy
    }

    /// The answers that a read of so many bytes gets, and its outcome.
    private func script(
        _ fate: Fate, _ count: Int, _ random: inout SeededRandom
    ) -> (answers: [Int32], outcome: RingBatch.Outcome) {
        let blocks = count / Self.alignment
        let some = blocks > 1 ? (1 + random.below(blocks - 1)) * Self.alignment : 0
        let part = some > 0 ? [Int32(some)] : []
        switch fate {
        case .whole: return ([Int32(count)], .complete)
        case .inParts: return (part + [Int32(count - some)], .complete)
        case .interrupted: return ([-EINTR] + part + [-EINTR, Int32(count - some)], .complete)
        case .error: return (part + [-EIO], .failed(errno: EIO))
        case .endsAligned: return (part + [0], .continueBuffered(from: some))
        case .endsWithin: return (part + [Int32(100)], .continueBuffered(from: some + 100))
        case .refused: return (part + [-EINVAL], .continueBuffered(from: some))
        case .busy: return ([-EAGAIN], .continueBuffered(from: 0))
        }
    }

    @Test("Whatever the device answers, each read is asked for what it lacks and settled once")
    func settles() {
        for seed in 0..<300 {
            var random = SeededRandom(seed: UInt64(seed))
            let counts = (0..<random.below(40)).map { _ in
                (1 + random.below(8)) * Self.alignment
            }
            let scripts = counts.map {
                script(Fate.allCases.randomElement(using: &random)!, $0, &random)
            }
            var answers = scripts.map(\.answers)
            var there = counts.map { _ in 0 }
            var batch = RingBatch(counts: counts, alignment: Self.alignment)
            var onTheirWay: [RingBatch.Part] = []
            var steps = 0
            while batch.isWaiting || batch.onTheirWay > 0 {
                steps += 1
                if steps > 10_000 { break }
                if batch.isWaiting, onTheirWay.count < 8, random.chance(0.6) {
                    let part = batch.next()!
                    #expect(!onTheirWay.contains { $0.read == part.read })
                    #expect(part.done == there[part.read])
                    onTheirWay.append(part)
                } else if !onTheirWay.isEmpty {
                    let part = onTheirWay.remove(at: random.below(onTheirWay.count))
                    guard !answers[part.read].isEmpty else {
                        Issue.record("a settled read was asked for again")
                        return
                    }
                    let answer = answers[part.read].removeFirst()
                    there[part.read] += Int(max(0, answer))
                    batch.complete(part.read, answer)
                }
                #expect(batch.onTheirWay == onTheirWay.count)
            }
            #expect(steps <= 10_000 && batch.next() == nil)
            #expect(batch.outcomes == scripts.map(\.outcome))
            #expect(answers.allSatisfy { $0.isEmpty })
        }
    }
}
