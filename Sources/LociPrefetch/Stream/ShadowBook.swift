import LociBase

/// A page that candidates expect soon, and what was known when they did.
struct Proposal: Sendable {
    var page: UInt64
    /// The arbiter's attributes; see `PrefetchArbiter`.
    var evidence: Evidence
    var time: UInt32
    /// Of the arbiter's record.
    var bucket: UInt8
    var payer: UInt8
    var supporters: UInt8
    /// Whether its fate is known, or will never be.
    var isClosed = false
}

/// Proposals whose fate is open, issued or not: that is how a candidate is judged that nobody
/// listens to. Bounded: the oldest proposal leaves without a judgement when there is no room, and
/// so does one whose place in the index another takes.
struct ShadowBook: Sendable {
    private static let places = 2048

    private var ring: [Proposal]
    private var index: [UInt16]
    private var head = 0
    private(set) var count = 0

    init(capacity: Int) {
        precondition(capacity > 0 && capacity < Int(UInt16.max))
        let none = Proposal(
            page: 0, evidence: Evidence(), time: 0, bucket: 0, payer: 0, supporters: 0,
            isClosed: true)
        ring = Array(repeating: none, count: capacity)
        index = Array(repeating: 0, count: Self.places)
    }

    var memoryBytes: Int {
        ring.count * MemoryLayout<Proposal>.stride + index.count * MemoryLayout<UInt16>.stride
    }

    func contains(_ page: UInt64) -> Bool { slot(of: page) != nil }

    /// The open proposal of a page, which is closed by this.
    mutating func take(_ page: UInt64) -> Proposal? {
        guard let slot = slot(of: page) else { return nil }
        ring[slot].isClosed = true
        return ring[slot]
    }

    /// The page must not be in the book.
    mutating func insert(_ proposal: Proposal) {
        if count == ring.count { removeOldest() }
        let slot = (head + count) % ring.count
        ring[slot] = proposal
        count += 1
        let place = Self.place(of: proposal.page)
        let former = Int(index[place]) - 1
        if former >= 0, former != slot, Self.place(of: ring[former].page) == place {
            ring[former].isClosed = true
        }
        index[place] = UInt16(slot + 1)
    }

    /// The oldest proposal that is open and older than `age`; nil if there is none. Call it until
    /// then.
    mutating func takeExpired(now: UInt32, age: UInt32) -> Proposal? {
        while count > 0, now &- ring[head].time > age {
            let oldest = ring[head]
            removeOldest()
            if !oldest.isClosed { return oldest }
        }
        return nil
    }

    private mutating func removeOldest() {
        ring[head].isClosed = true
        head = (head + 1) % ring.count
        count -= 1
    }

    private func slot(of page: UInt64) -> Int? {
        guard count > 0 else { return nil }
        let slot = Int(index[Self.place(of: page)]) - 1
        guard slot >= 0, ring[slot].page == page, !ring[slot].isClosed else { return nil }
        return slot
    }

    private static func place(of page: UInt64) -> Int {
        Int(truncatingIfNeeded: mix64(page) >> 32) & (places - 1)
    }
}
