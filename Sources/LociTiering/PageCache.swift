public import LociBase
public import LociModel

/// The dram tier: copies of hot pages, within a budget. Pages in it are clean; the segment
/// files are their home, so evicting is forgetting.
///
/// Eviction is SIEVE (Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024): a queue in order of
/// arrival, one bit per page that a hit sets, and a hand that moves from old to new, clears bits
/// and evicts the first page whose bit is clear. Hits move nothing.
///
/// Invariants:
/// - `residentBytes <= budgetBytes`, or one page alone is larger than the budget and is not kept.
/// - `slots` holds each page once; `newest`, `oldest`, `newer`, `older` chain all used slots.
public struct PageCache: Sendable {
    private struct Slot {
        var address: PageAddress
        var bytes: Bytes
        var wasVisited: Bool
        var newer: Int
        var older: Int
    }

    private static let none = -1

    public let budgetBytes: Int
    public private(set) var residentBytes = 0
    public private(set) var requests: UInt64 = 0
    public private(set) var hits: UInt64 = 0

    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    private var places: [PageAddress: Int] = [:]
    private var newest = none
    private var oldest = none
    private var hand = none

    public init(budgetBytes: Int) { self.budgetBytes = budgetBytes }

    public var pageCount: Int { places.count }

    /// The page, if it is here. What is returned stays valid however long it is held.
    public mutating func lookup(_ address: PageAddress) -> Bytes? {
        requests += 1
        guard let place = places[address] else { return nil }
        hits += 1
        slots[place].wasVisited = true
        return slots[place].bytes
    }

    /// The page, if it is here, without counting as a use.
    public func peek(_ address: PageAddress) -> Bytes? { places[address].map { slots[$0].bytes } }

    public func contains(_ address: PageAddress) -> Bool { places[address] != nil }

    /// Keeps a copy of a page, evicting others until it fits.
    public mutating func insert(_ bytes: Bytes, at address: PageAddress) {
        if let place = places[address] { remove(slot: place) }
        guard bytes.count <= budgetBytes else { return }
        while residentBytes + bytes.count > budgetBytes { evict() }
        let slot = Slot(
            address: address, bytes: bytes, wasVisited: false, newer: Self.none, older: newest)
        let place = freeSlots.popLast() ?? slots.count
        if place == slots.count { slots.append(slot) } else { slots[place] = slot }
        if newest != Self.none { slots[newest].newer = place }
        newest = place
        if oldest == Self.none { oldest = place }
        places[address] = place
        residentBytes += bytes.count
    }

    /// Overwrites a part of a page if it is here.
    public mutating func patch(_ address: PageAddress, at offset: Int, with bytes: Bytes) {
        guard let place = places[address] else { return }
        slots[place].bytes.replace(at: offset, with: bytes)
    }

    /// Forgets every page that the predicate names.
    public mutating func removeAll(where matches: (PageAddress) -> Bool) {
        for (address, place) in places where matches(address) { remove(slot: place) }
    }

    private mutating func evict() {
        var place = hand == Self.none ? oldest : hand
        while slots[place].wasVisited {
            slots[place].wasVisited = false
            place = slots[place].newer == Self.none ? oldest : slots[place].newer
        }
        hand = place
        remove(slot: place)
    }

    private mutating func remove(slot place: Int) {
        let slot = slots[place]
        if hand == place { hand = slot.newer }
        if slot.newer == Self.none {
            newest = slot.older
        } else {
            slots[slot.newer].older = slot.older
        }
        if slot.older == Self.none {
            oldest = slot.newer
        } else {
            slots[slot.older].newer = slot.newer
        }
        places[slot.address] = nil
        residentBytes -= slot.bytes.count
        slots[place].bytes = Bytes()
        freeSlots.append(place)
    }
}
