/// First in, first out: hits change nothing. The baseline.
public struct FIFOPolicy: EvictionPolicy {
    private var links: SlotLinks
    private var queue = SlotQueue()

    public init(capacity: Int, seed: UInt64) { links = SlotLinks(capacity: capacity) }

    public var count: Int { queue.count }

    public mutating func insert(_ slot: Int32, key: UInt64) { links.push(slot, onto: &queue) }

    public mutating func touch(_ slot: Int32) {
        precondition(links.contains(slot), "only a resident slot can be used")
    }

    public mutating func victim(where isFree: (Int32) -> Bool) -> Int32? {
        guard let slot = links.oldest(of: &queue, where: isFree) else { return nil }
        remove(slot)
        return slot
    }

    public mutating func remove(_ slot: Int32) { links.unlink(slot, from: &queue) }

    public func warmest(_ most: Int) -> [Int32] {
        links.warmest(most, of: [queue]) { _ in 0 }
    }
}
