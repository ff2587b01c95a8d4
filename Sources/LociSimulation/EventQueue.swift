import LociBase

/// What happens next in virtual time: a binary heap, ordered by time, then by the order in which
/// things were planned, so that a run repeats exactly.
struct EventQueue<Event> {
    private struct Entry {
        let at: Instant
        let order: UInt64
        let event: Event

        func isBefore(_ other: Entry) -> Bool {
            (at, order) < (other.at, other.order)
        }
    }

    private var heap: [Entry] = []
    private var planned: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }

    mutating func plan(_ event: Event, at instant: Instant) {
        planned += 1
        heap.append(Entry(at: instant, order: planned, event: event))
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> (at: Instant, event: Event)? {
        guard let first = heap.first else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].isBefore(heap[least]) {
                least = child
            }
            if least == parent { break }
            heap.swapAt(parent, least)
            parent = least
        }
        return (first.at, first.event)
    }
}
