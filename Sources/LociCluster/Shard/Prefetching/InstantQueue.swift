import LociBase

/// Numbers that are due at instants, the earliest first, of equals the one that came first.
struct InstantQueue: Sendable {
    struct Entry: Comparable, Sendable {
        let at: Instant
        let order: UInt64
        let number: UInt64

        static func < (left: Entry, right: Entry) -> Bool {
            (left.at, left.order) < (right.at, right.order)
        }
    }

    private var heap = MinimumHeap<Entry>()
    private var added: UInt64 = 0

    var count: Int { heap.count }
    var first: Entry? { heap.first }

    mutating func add(_ number: UInt64, at instant: Instant) {
        added += 1
        heap.insert(Entry(at: instant, order: added, number: number))
    }

    mutating func removeFirst() { heap.removeFirst() }

    /// Forgets numbers that are not wanted any more.
    mutating func removeAll(where isForgotten: (UInt64) -> Bool) {
        heap.removeAll { isForgotten($0.number) }
    }
}
