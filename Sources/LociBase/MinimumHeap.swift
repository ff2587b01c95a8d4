/// Elements of which the least comes first: a binary heap. Adding and removing take logarithmic
/// time. Of elements that compare equal any may come first.
public struct MinimumHeap<Element: Comparable> {
    private var elements: [Element] = []

    public init() {}

    public var count: Int { elements.count }
    public var isEmpty: Bool { elements.isEmpty }
    public var first: Element? { elements.first }

    public mutating func insert(_ element: Element) {
        elements.append(element)
        var child = elements.count - 1
        while child > 0, elements[child] < elements[(child - 1) / 2] {
            elements.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// - Precondition: There is one.
    @discardableResult public mutating func removeFirst() -> Element {
        elements.swapAt(0, elements.count - 1)
        let first = elements.removeLast()
        sink(0)
        return first
    }

    /// In linear time.
    public mutating func removeAll(where isForgotten: (Element) -> Bool) {
        elements.removeAll(where: isForgotten)
        for parent in (0..<(elements.count / 2)).reversed() { sink(parent) }
    }

    public mutating func removeAll() { elements.removeAll(keepingCapacity: true) }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < elements.count && elements[child] < elements[least] {
                least = child
            }
            if least == parent { return }
            elements.swapAt(parent, least)
            parent = least
        }
    }
}

extension MinimumHeap: Sendable where Element: Sendable {}
