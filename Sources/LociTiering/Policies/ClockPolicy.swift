/// CLOCK, or second chance (Corbató, "A Paging Experiment with the Multics System", 1968), with
/// one bit: a hit sets it; the oldest page leaves if its bit is clear, else it loses the bit and
/// becomes the newest.
public struct ClockPolicy: EvictionPolicy {
    private static let isUnused: UInt8 = 0
    private static let isUsed: UInt8 = 1

    private var links: SlotLinks
    private var queue = SlotQueue()
    private var used: SlotMarks

    public init(capacity: Int, seed: UInt64) {
        links = SlotLinks(capacity: capacity)
        used = SlotMarks(capacity: capacity)
    }

    public var count: Int { queue.count }

    public mutating func insert(_ slot: Int32, key: UInt64) {
        used.start(slot, with: Self.isUnused)
        links.push(slot, onto: &queue)
    }

    public mutating func touch(_ slot: Int32) {
        if used[slot] != Self.isUsed { used[slot] = Self.isUsed }
    }

    public mutating func victim(where isFree: (Int32) -> Bool) -> Int32? {
        // One round clears the bits, the second finds a page, unless all are pinned.
        for _ in 0..<(2 * queue.count) {
            let slot = queue.oldest
            if used[slot] == Self.isUnused, isFree(slot) {
                remove(slot)
                return slot
            }
            used[slot] = Self.isUnused
            links.renew(slot, in: &queue)
        }
        return nil
    }

    public mutating func remove(_ slot: Int32) {
        links.unlink(slot, from: &queue)
        used.end(slot)
    }

    public func warmest(_ most: Int) -> [Int32] {
        links.warmest(most, of: [queue]) { used[$0] }
    }
}
