import LociBase
import LociModel

/// The pages that one tier of memory holds. Flat: a page takes a slot of 40 bytes, 8 to 16 bytes
/// of the index, and what its eviction policy keeps.
///
/// Invariants:
/// - Each page has one slot; `index`, `policy` and the slots agree on which are used.
/// - All bytes lie in the arena's memory.
/// - A page that somebody else refers to is pinned: it is never chosen to leave, and a write makes
///   a new copy instead of changing it.
struct ResidentPages: Sendable {
    let arena: PageArena
    private var addresses: [PageAddress] = []
    /// Of each slot.
    private(set) var contents: [Bytes] = []
    /// Of each slot, the round that marked it last.
    private var marks: [UInt32] = []
    private var markRound: UInt32 = 0
    private var freeSlots: [Int32] = []
    private var index: PageIndex
    private var policy: any EvictionPolicy
    private(set) var bytes = 0

    private static let nothing = Bytes()
    /// For sizing what a policy remembers of pages that left.
    private static let expectedPageBytes = 16 << 10

    init(_ tier: MemoryTier) {
        arena = tier.arena
        index = PageIndex(seed: mix64(tier.seed ^ 0x1DE))
        policy = tier.eviction.make(
            capacity: max(16, tier.arena.budgetBytes / Self.expectedPageBytes), seed: tier.seed)
    }

    var count: Int { addresses.count - freeSlots.count }

    /// Addresses of one partition of a space, in no order.
    func addresses(space: SpaceID, partition: PartitionIndex) -> [PageAddress] {
        addresses.indices.lazy.filter { self.slot(of: addresses[$0]) == Int32($0) }
            .map { addresses[$0] }.filter { $0.space == space && $0.partition == partition }
    }

    func slot(of address: PageAddress) -> Int32? { index.slot(of: address, among: addresses) }

    func bytes(in slot: Int32) -> Bytes { contents[Int(slot)] }

    func hash(_ address: PageAddress) -> UInt64 { index.hash(address) }

    mutating func touch(_ slot: Int32) { policy.touch(slot) }

    func address(in slot: Int32) -> PageAddress { addresses[Int(slot)] }

    /// Begins to tell slots apart that have been seen from those that have not.
    mutating func beginMarking() {
        if markRound == .max {
            marks = marks.map { _ in 0 }
            markRound = 0
        }
        markRound += 1
        let new = addresses.count - marks.count
        if new > 0 { marks += [UInt32](repeating: 0, count: new) }
    }

    /// - Returns: Whether it was not marked yet since `beginMarking`.
    mutating func mark(_ slot: Int32) -> Bool {
        if marks[Int(slot)] == markRound { return false }
        marks[Int(slot)] = markRound
        return true
    }

    /// Keeps a page that is not here yet.
    mutating func insert(_ page: Bytes, at address: PageAddress) {
        let content = arena.adopt(page)
        let slot = freeSlots.popLast() ?? Int32(addresses.count)
        if Int(slot) == addresses.count {
            addresses.append(address)
            contents.append(content)
        } else {
            addresses[Int(slot)] = address
            contents[Int(slot)] = content
        }
        index.insert(slot, among: addresses)
        policy.insert(slot, key: index.hash(address))
        bytes += PageArena.frameBytes(for: content.count)
    }

    /// Forgets a page if it is here.
    mutating func remove(_ address: PageAddress) {
        guard let slot = slot(of: address) else { return }
        policy.remove(slot)
        free(slot)
    }

    /// A page that nobody refers to, chosen by the policy, and out of its sight; it keeps its slot
    /// until `free`. Nil if all are pinned.
    mutating func victim() -> (slot: Int32, address: PageAddress)? {
        var contents: [Bytes] = []
        swap(&contents, &self.contents)
        let chosen = policy.victim { contents[Int($0)].isOnlyReference() }
        swap(&contents, &self.contents)
        return chosen.map { ($0, addresses[Int($0)]) }
    }

    mutating func free(_ slot: Int32) {
        index.remove(addresses[Int(slot)], among: addresses)
        bytes -= PageArena.frameBytes(for: contents[Int(slot)].count)
        contents[Int(slot)] = Self.nothing
        freeSlots.append(slot)
    }

    enum Patched {
        case done, absent, isPinned
    }

    /// Overwrites a part of a page, unless somebody else refers to it.
    mutating func patch(_ address: PageAddress, at offset: Int, with part: Bytes) -> Patched {
        guard let slot = slot(of: address) else { return .absent }
        guard contents[Int(slot)].isOnlyReference() else { return .isPinned }
        contents[Int(slot)].replace(at: offset, with: part)
        return .done
    }

    /// Puts a changed copy in the place of a page that somebody else refers to.
    mutating func replace(_ address: PageAddress, at offset: Int, with part: Bytes) {
        guard let slot = slot(of: address) else { return }
        contents[Int(slot)] = arena.copy(contents[Int(slot)])
        contents[Int(slot)].replace(at: offset, with: part)
    }

    mutating func removeAll(where matches: (PageAddress) -> Bool) {
        for slot in addresses.indices where self.slot(of: addresses[slot]) == Int32(slot) {
            if matches(addresses[slot]) { remove(addresses[slot]) }
        }
    }
}
