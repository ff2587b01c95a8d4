/// The k best of a stream of candidates: a binary heap with the worst on top, so that most
/// candidates cost one comparison.
public struct TopK<Candidate: Sendable>: Sendable {
    public let limit: Int
    @usableFromInline let isBetter: @Sendable (Candidate, Candidate) -> Bool
    @usableFromInline var heap: [Candidate] = []

    @inlinable public init(
        _ limit: Int, by isBetter: @escaping @Sendable (Candidate, Candidate) -> Bool
    ) {
        precondition(limit > 0)
        self.limit = limit
        self.isBetter = isBetter
        heap.reserveCapacity(min(limit, 1024))
    }

    @inlinable public var count: Int { heap.count }

    /// The worst that is kept, once k are.
    @inlinable public var worst: Candidate? { heap.count == limit ? heap[0] : nil }

    @inlinable public mutating func insert(_ candidate: Candidate) {
        if heap.count < limit {
            heap.append(candidate)
            siftUp()
        } else if isBetter(candidate, heap[0]) {
            heap[0] = candidate
            siftDown()
        }
    }

    /// Best first.
    @inlinable public var sorted: [Candidate] { heap.sorted(by: isBetter) }

    @inlinable mutating func siftUp() {
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard isBetter(heap[parent], heap[child]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    @inlinable mutating func siftDown() {
        var parent = 0
        while true {
            var worst = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && isBetter(heap[worst], heap[child]) {
                worst = child
            }
            if worst == parent { return }
            heap.swapAt(parent, worst)
            parent = worst
        }
    }
}
