import LociBase

/// What happens next in virtual time, ordered by time, then by the order in which things were
/// planned, so that a run repeats exactly.
struct EventQueue<Event> {
    private struct Entry: Comparable {
        let at: Instant
        let order: UInt64
        let event: Event

        static func == (left: Entry, right: Entry) -> Bool { left.order == right.order }

        static func < (left: Entry, right: Entry) -> Bool {
            (left.at, left.order) < (right.at, right.order)
        }
    }

    private var heap = MinimumHeap<Entry>()
    private var planned: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }

    mutating func plan(_ event: Event, at instant: Instant) {
        planned += 1
        heap.insert(Entry(at: instant, order: planned, event: event))
    }

    mutating func next() -> (at: Instant, event: Event)? {
        if heap.isEmpty { return nil }
        let first = heap.removeFirst()
        return (first.at, first.event)
    }
}
