import LociBase

/// Numbers that are due at instants: a binary heap, the earliest first, of equals the one that came
/// first.
struct InstantQueue: Sendable {
    struct Entry: Sendable {
        let at: Instant
        let order: UInt64
        let number: UInt64

        fileprivate func isBefore(_ other: Entry) -> Bool {
            (at, order) < (other.at, other.order)
        }
    }

    private var heap: [Entry] = []
    private var added: UInt64 = 0

    var count: Int { heap.count }
    var first: Entry? { heap.first }

    mutating func add(_ number: UInt64, at instant: Instant) {
        added += 1
        heap.append(Entry(at: instant, order: added, number: number))
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        sink(0)
    }

    /// Forgets numbers that are not wanted any more.
    mutating func removeAll(where isForgotten: (UInt64) -> Bool) {
        heap.removeAll { isForgotten($0.number) }
        for parent in (0..<(heap.count / 2)).reversed() { sink(parent) }
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].isBefore(heap[least]) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
