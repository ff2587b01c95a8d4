/// A queue of slots in order of arrival. Its links lie in a `SlotLinks`, which several queues share
/// when a slot is in one of them at a time.
struct SlotQueue: Sendable {
    var newest = SlotLinks.none
    var oldest = SlotLinks.none
    var count = 0
}

/// The links of queues over dense small integers: flat, so that joining and leaving a queue
/// allocates nothing.
///
/// Invariants:
/// - A slot is in at most one queue. In none, its `older` is `absent`.
/// - From a queue's `oldest` along `newer` one meets its `count` slots and ends at `newest`.
struct SlotLinks: Sendable {
    private struct Link: Sendable {
        var newer: Int32
        var older: Int32
    }

    /// No slot: the end of a queue.
    static let none: Int32 = -1
    private static let absent: Int32 = -2
    private static let unlinked = Link(newer: none, older: absent)

    private var links: [Link]

    init(capacity: Int) { links = Array(repeating: Self.unlinked, count: max(capacity, 1)) }

    /// How many slots have a place for links.
    var slotCount: Int { links.count }

    func contains(_ slot: Int32) -> Bool {
        slot >= 0 && Int(slot) < links.count && links[Int(slot)].older != Self.absent
    }

    /// The next younger slot of the same queue, or `none`.
    func newer(than slot: Int32) -> Int32 { links[Int(slot)].newer }

    /// The next older slot of the same queue, or `none`.
    func older(than slot: Int32) -> Int32 { links[Int(slot)].older }

    /// Makes the slot the newest of the queue.
    mutating func push(_ slot: Int32, onto queue: inout SlotQueue) {
        precondition(slot >= 0, "slots are not negative")
        let place = Int(slot)
        if place >= links.count {
            let missing = max(place + 1, links.count * 2) - links.count
            links.append(contentsOf: repeatElement(Self.unlinked, count: missing))
        }
        precondition(links[place].older == Self.absent, "a slot is inserted once")
        links[place] = Link(newer: Self.none, older: queue.newest)
        if queue.newest == Self.none {
            queue.oldest = slot
        } else {
            links[Int(queue.newest)].newer = slot
        }
        queue.newest = slot
        queue.count += 1
    }

    /// Takes the slot out of the queue in which it is.
    mutating func unlink(_ slot: Int32, from queue: inout SlotQueue) {
        let link = links[Int(slot)]
        precondition(link.older != Self.absent, "only a resident slot can be used or removed")
        if link.newer == Self.none {
            queue.newest = link.older
        } else {
            links[Int(link.newer)].older = link.older
        }
        if link.older == Self.none {
            queue.oldest = link.newer
        } else {
            links[Int(link.older)].newer = link.newer
        }
        links[Int(slot)] = Self.unlinked
        queue.count -= 1
    }

    /// Makes a slot of the queue its newest.
    mutating func renew(_ slot: Int32, in queue: inout SlotQueue) {
        guard slot != queue.newest else { return }
        unlink(slot, from: &queue)
        push(slot, onto: &queue)
    }

    /// Slots of the queues by their warmth, which is 0 to 7, the warmest first; of one warmth those
    /// of the first queue first, from new to old. Looks at twice as many at most.
    func warmest(
        _ most: Int, of queues: [SlotQueue], warmth: (Int32) -> UInt8
    ) -> [Int32] {
        var byWarmth = [[Int32]](repeating: [], count: 8)
        var left = 2 * most
        for queue in queues {
            var slot = queue.newest
            while slot != Self.none, left > 0 {
                left -= 1
                byWarmth[Int(warmth(slot) & 7)].append(slot)
                slot = older(than: slot)
            }
        }
        return Array(byWarmth.reversed().joined().prefix(most))
    }

    /// The oldest slot that is free; pinned ones that are older become the newest.
    mutating func oldest(of queue: inout SlotQueue, where isFree: (Int32) -> Bool) -> Int32? {
        for _ in 0..<queue.count {
            let slot = queue.oldest
            if isFree(slot) { return slot }
            renew(slot, in: &queue)
        }
        return nil
    }
}
