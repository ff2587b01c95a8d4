import Glibc

/// The reads of a batch that a ring works on, without the ring: which to hand over next, and what
/// becomes of each.
///
/// Invariants:
/// - A read is waiting, on its way, or settled; the batch is done when all are settled.
struct RingBatch {
    /// A part of a read that the ring shall do.
    struct Part: Equatable {
        /// The read's index in the batch.
        let read: Int
        /// Bytes of the read that are there already.
        let done: Int
    }

    enum Outcome: Equatable {
        case complete
        /// The rest is to be read by pread through the page cache, which knows no alignment, waits
        /// for what it needs, and tells the end of a file.
        case continueBuffered(from: Int)
        case failed(errno: Int32)
    }

    /// nil while a read is not settled.
    private(set) var outcomes: [Outcome?]
    private(set) var onTheirWay = 0
    private let counts: [Int]
    private let alignment: Int
    private var done: [Int]
    private var fresh = 0
    private var again: [Int] = []

    /// - Parameter counts: Bytes of each read.
    init(counts: [Int], alignment: Int) {
        self.counts = counts
        self.alignment = alignment
        outcomes = Array(repeating: nil, count: counts.count)
        done = Array(repeating: 0, count: counts.count)
    }

    var isWaiting: Bool { fresh < counts.count || !again.isEmpty }

    /// The next part to hand over, or nil if none waits.
    mutating func next() -> Part? {
        guard isWaiting else { return nil }
        let read: Int
        if let index = again.popLast() {
            read = index
        } else {
            read = fresh
            fresh += 1
        }
        onTheirWay += 1
        return Part(read: read, done: done[read])
    }

    /// - Parameter result: Bytes that were read, or a negative errno.
    mutating func complete(_ read: Int, _ result: Int32) {
        precondition(outcomes[read] == nil && onTheirWay > 0)
        onTheirWay -= 1
        switch result {
        case -EINTR:
            again.append(read)
        case -EINVAL, -EAGAIN:
            outcomes[read] = .continueBuffered(from: done[read])
        case ..<0:
            outcomes[read] = .failed(errno: -result)
        default:
            done[read] += Int(result)
            if done[read] == counts[read] {
                outcomes[read] = .complete
            } else if result == 0 || done[read] % alignment != 0 {
                outcomes[read] = .continueBuffered(from: done[read])
            } else {
                again.append(read)
            }
        }
    }
}
