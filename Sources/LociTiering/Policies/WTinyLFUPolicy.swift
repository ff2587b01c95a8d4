/// W-TinyLFU (Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy",
/// ACM ToS 2017, section 4): a window of recent pages, a main part in two segments (probation and
/// protected), and a sketch of frequencies. The oldest page of the window has to have come more
/// often than the oldest on probation to take its place; else it leaves itself.
///
/// Invariants:
/// - A resident slot is in exactly one of the three queues; its mark says in which.
/// - The protected segment holds at most four fifths of the main part's share.
public struct WTinyLFUPolicy: EvictionPolicy {
    private enum Part {
        static let window: UInt8 = 0
        static let probation: UInt8 = 1
        static let protected: UInt8 = 2
    }

    private var links: SlotLinks
    private var window = SlotQueue()
    private var probation = SlotQueue()
    private var protected = SlotQueue()
    private var parts: SlotMarks
    private var keys: [UInt64]
    private var sketch: FrequencySketch
    /// How many pages were resident when one last had to leave: what fits.
    private var fitting: Int

    public init(capacity: Int, seed: UInt64) {
        links = SlotLinks(capacity: capacity)
        parts = SlotMarks(capacity: capacity)
        keys = Array(repeating: 0, count: max(capacity, 1))
        sketch = FrequencySketch(capacity: capacity, seed: seed)
        fitting = max(capacity, 1)
    }

    public var count: Int { window.count + probation.count + protected.count }

    private var windowShare: Int { max(1, fitting / 100) }
    private var protectedShare: Int { (fitting - windowShare) * 4 / 5 }

    public mutating func insert(_ slot: Int32, key: UInt64) {
        sketch.add(key)
        parts.start(slot, with: Part.window)
        links.push(slot, onto: &window)
        if keys.count < links.slotCount {
            keys.append(contentsOf: repeatElement(0, count: links.slotCount - keys.count))
        }
        keys[Int(slot)] = key
        // While there is room nobody has to compete.
        if window.count > windowShare, count < fitting { admit(window.oldest) }
    }

    public mutating func touch(_ slot: Int32) {
        sketch.add(keys[Int(slot)])
        switch parts[slot] {
        case Part.window: links.renew(slot, in: &window)
        case Part.protected: links.renew(slot, in: &protected)
        default:
            links.unlink(slot, from: &probation)
            links.push(slot, onto: &protected)
            parts[slot] = Part.protected
            if protected.count > protectedShare { demote() }
        }
    }

    public mutating func victim(where isFree: (Int32) -> Bool) -> Int32? {
        fitting = max(count, 1)
        let candidate = window.count >= windowShare ? links.oldest(of: &window, where: isFree) : nil
        let incumbent =
            links.oldest(of: &probation, where: isFree)
            ?? links.oldest(of: &protected, where: isFree)
        guard let candidate else {
            guard let loser = incumbent ?? links.oldest(of: &window, where: isFree) else {
                return nil
            }
            remove(loser)
            return loser
        }
        guard let incumbent,
            sketch.estimate(keys[Int(candidate)]) > sketch.estimate(keys[Int(incumbent)])
        else {
            remove(candidate)
            return candidate
        }
        remove(incumbent)
        admit(candidate)
        return incumbent
    }

    public mutating func remove(_ slot: Int32) {
        switch parts[slot] {
        case Part.window: links.unlink(slot, from: &window)
        case Part.probation: links.unlink(slot, from: &probation)
        default: links.unlink(slot, from: &protected)
        }
        parts.end(slot)
    }

    /// From the window to probation.
    private mutating func admit(_ slot: Int32) {
        links.unlink(slot, from: &window)
        links.push(slot, onto: &probation)
        parts[slot] = Part.probation
    }

    /// From the protected segment to probation.
    private mutating func demote() {
        let slot = protected.oldest
        links.unlink(slot, from: &protected)
        links.push(slot, onto: &probation)
        parts[slot] = Part.probation
    }

    public func warmest(_ most: Int) -> [Int32] {
        links.warmest(most, of: [protected, window, probation]) { _ in 0 }
    }
}
