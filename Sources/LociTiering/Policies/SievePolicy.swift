/// SIEVE (Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for
/// Web Caches", NSDI 2024, section 3): a queue in order of arrival, one bit per page that a hit
/// sets, and a hand that moves from old to new, clears bits and takes the first page whose bit is
/// clear. The hand stays where it was; hits move nothing.
///
/// Invariants:
/// - `hand` is a resident slot, or `none`: then it starts at the oldest.
public struct SievePolicy: EvictionPolicy {
    private static let isUnused: UInt8 = 0
    private static let isUsed: UInt8 = 1

    private var links: SlotLinks
    private var queue = SlotQueue()
    private var used: SlotMarks
    private var hand = SlotLinks.none

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
            let slot = hand == SlotLinks.none ? queue.oldest : hand
            if used[slot] == Self.isUnused, isFree(slot) {
                remove(slot)
                return slot
            }
            used[slot] = Self.isUnused
            hand = links.newer(than: slot)
        }
        return nil
    }

    public mutating func remove(_ slot: Int32) {
        if hand == slot { hand = links.newer(than: slot) }
        links.unlink(slot, from: &queue)
        used.end(slot)
    }

    public func warmest(_ most: Int) -> [Int32] {
        links.warmest(most, of: [queue]) { used[$0] }
    }
}
