/// What a location may cost at most to be of interest, as far as is known: the smaller of the
/// `most`-th smallest cost, and of the larger of the `least`-th and `factor` times the smallest.
///
/// Invariants:
/// - `value` never grows.
/// - Costs above `value` change nothing, and nor does what is no number.
struct CostCeiling {
    private(set) var value: Float = .infinity
    private let factor: Float
    private var mostSmallest: SmallestCosts
    private var leastSmallest: SmallestCosts
    private var smallest: Float = .infinity

    /// - Parameter factor: Of the smallest cost, which is then not negative; infinity for no bound.
    init(most: Int, least: Int, factor: Float) {
        self.factor = factor
        mostSmallest = SmallestCosts(limit: most)
        leastSmallest = SmallestCosts(limit: factor < .infinity ? least : 1)
    }

    mutating func insert(_ cost: Float) {
        guard cost < value else { return }
        mostSmallest.insert(cost)
        value = min(value, mostSmallest.largest)
        guard factor < .infinity else { return }
        smallest = min(smallest, cost)
        leastSmallest.insert(cost)
        value = min(value, max(factor * max(0, smallest), leastSmallest.largest))
    }
}

/// The smallest of many costs: a binary heap with the largest on top.
private struct SmallestCosts {
    let limit: Int
    private var heap: [Float] = []

    init(limit: Int) {
        self.limit = limit
        if limit > 1 { heap.reserveCapacity(min(limit, 64)) }
    }

    /// The largest that is kept, once there are as many as wanted; infinity until then.
    private(set) var largest: Float = .infinity

    mutating func insert(_ cost: Float) {
        guard cost < largest else { return }
        guard limit > 1 else {
            largest = cost
            return
        }
        if heap.count < limit {
            heap.append(cost)
            siftUp(cost)
        } else {
            siftDown(cost)
        }
        if heap.count == limit { largest = heap[0] }
    }

    private mutating func siftUp(_ cost: Float) {
        var child = heap.count - 1
        while child > 0, heap[(child - 1) / 2] < cost {
            heap[child] = heap[(child - 1) / 2]
            child = (child - 1) / 2
        }
        heap[child] = cost
    }

    /// Puts a cost in the place of the largest.
    private mutating func siftDown(_ cost: Float) {
        var parent = 0
        while 2 * parent + 1 < heap.count {
            var child = 2 * parent + 1
            if child + 1 < heap.count, heap[child + 1] > heap[child] { child += 1 }
            if heap[child] <= cost { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = cost
    }
}
