/// S3-FIFO (Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023, algorithm
/// 1): a small queue for pages that are new, a main queue for pages that were used again, and a
/// ghost queue with the keys of pages that left from the small one. Most pages are used once; they
/// pass through the small queue without disturbing the main one.
///
/// Invariants:
/// - A resident slot is in exactly one of `small` and `main`; its mark says which, and how often it
///   was used since it came there (0 to 3).
/// - The small queue gives while it holds a tenth of what is resident or more, else the main one.
public struct S3FIFOPolicy: EvictionPolicy {
    private static let mostUses: UInt8 = 3
    private static let isInMain: UInt8 = 4
    /// A page of the small queue with more uses than this goes to the main queue.
    private static let usesOfNewPage: UInt8 = 1
    /// The small queue's share of what is resident is one part in this many.
    private static let smallShare = 10

    private var links: SlotLinks
    private var small = SlotQueue()
    private var main = SlotQueue()
    private var marks: SlotMarks
    private var keys: [UInt64]
    private var ghosts: GhostQueue

    public init(capacity: Int, seed: UInt64) {
        links = SlotLinks(capacity: capacity)
        marks = SlotMarks(capacity: capacity)
        keys = Array(repeating: 0, count: max(capacity, 1))
        ghosts = GhostQueue(capacity: capacity - capacity / Self.smallShare, seed: seed)
    }

    public var count: Int { small.count + main.count }

    public mutating func insert(_ slot: Int32, key: UInt64) {
        let isKnown = ghosts.take(key)
        marks.start(slot, with: isKnown ? Self.isInMain : 0)
        if isKnown {
            links.push(slot, onto: &main)
        } else {
            links.push(slot, onto: &small)
        }
        if keys.count < links.slotCount {
            keys.append(contentsOf: repeatElement(0, count: links.slotCount - keys.count))
        }
        keys[Int(slot)] = key
    }

    public mutating func touch(_ slot: Int32) {
        let mark = marks[slot]
        if mark & Self.mostUses != Self.mostUses { marks[slot] = mark + 1 }
    }

    public mutating func victim(where isFree: (Int32) -> Bool) -> Int32? {
        if small.count >= max(1, count / Self.smallShare) {
            return leaveSmall(isFree) ?? leaveMain(isFree)
        }
        return leaveMain(isFree) ?? leaveSmall(isFree)
    }

    public mutating func remove(_ slot: Int32) {
        if marks[slot] & Self.isInMain != 0 {
            links.unlink(slot, from: &main)
        } else {
            links.unlink(slot, from: &small)
        }
        marks.end(slot)
    }

    /// The oldest page of the small queue without a second use. Older ones that have it go to the
    /// main queue; when that leaves the small queue short, the main one gives.
    private mutating func leaveSmall(_ isFree: (Int32) -> Bool) -> Int32? {
        for _ in 0..<small.count {
            let slot = small.oldest
            if marks[slot] > Self.usesOfNewPage {
                links.unlink(slot, from: &small)
                links.push(slot, onto: &main)
                marks[slot] = Self.isInMain
            } else if isFree(slot) {
                ghosts.insert(keys[Int(slot)])
                remove(slot)
                return slot
            } else {
                links.renew(slot, in: &small)
            }
        }
        return nil
    }

    /// The oldest page of the main queue without uses. Older ones lose one each.
    private mutating func leaveMain(_ isFree: (Int32) -> Bool) -> Int32? {
        // A page is seen with 3, 2, 1 and 0 uses; who is seen without and stays is pinned.
        for _ in 0..<(main.count * (Int(Self.mostUses) + 1)) {
            let slot = main.oldest
            let mark = marks[slot]
            if mark == Self.isInMain, isFree(slot) {
                remove(slot)
                return slot
            }
            if mark != Self.isInMain { marks[slot] = mark - 1 }
            links.renew(slot, in: &main)
        }
        return nil
    }

    /// By uses; of as many uses those of the main queue first.
    public func warmest(_ most: Int) -> [Int32] {
        links.warmest(most, of: [main, small]) { slot in
            (marks[slot] & Self.mostUses) << 1 | (marks[slot] & Self.isInMain) >> 2
        }
    }
}
