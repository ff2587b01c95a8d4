import LociBase

/// Objects by when their promotion is to begin: a binary heap. An entry whose object has moved on
/// stays until it comes first; its caller knows it by its use.
struct DeadlineQueue: Sendable {
    struct Entry: Sendable {
        let object: UInt64
        let start: Instant
        let use: Instant
    }

    private var heap: [Entry] = []

    var first: Entry? { heap.first }

    var count: Int { heap.count }

    mutating func removeAll() { heap.removeAll(keepingCapacity: true) }

    mutating func insert(_ object: UInt64, at start: Instant, use: Instant) {
        heap.append(Entry(object: object, start: start, use: use))
        var child = heap.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && isBefore(child, least) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    /// By start, then by number, so that equal starts have one order.
    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        let (a, b) = (heap[left], heap[right])
        return a.start != b.start ? a.start < b.start : a.object < b.object
    }
}
