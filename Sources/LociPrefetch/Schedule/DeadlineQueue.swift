import LociBase

/// Objects by when their promotion is to begin. An entry whose object has moved on stays until it
/// comes first; its caller knows it by its use.
struct DeadlineQueue: Sendable {
    struct Entry: Comparable, Sendable {
        let object: UInt64
        let start: Instant
        let use: Instant

        /// By start, then by number, so that equal starts have one order.
        static func < (left: Entry, right: Entry) -> Bool {
            (left.start, left.object) < (right.start, right.object)
        }
    }

    private var heap = MinimumHeap<Entry>()

    var first: Entry? { heap.first }

    var count: Int { heap.count }

    mutating func removeAll() { heap.removeAll() }

    mutating func insert(_ object: UInt64, at start: Instant, use: Instant) {
        heap.insert(Entry(object: object, start: start, use: use))
    }

    mutating func removeFirst() { heap.removeFirst() }
}
