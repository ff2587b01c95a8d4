import LociBase
import LociModel

/// The pages that one tier of memory holds. Flat: a page takes a slot of 40 bytes, 8 to 16 bytes
/// of the index, and what its eviction policy keeps.
///
/// Invariants:
/// - Each page has one slot; `index` and the slots agree on which are used; a page is either the
///   `policy`'s or set aside.
/// - All bytes lie in the arena's memory.
/// - A page that somebody else refers to is pinned: it is never chosen to leave, and a write makes
///   a new copy instead of changing it.
struct ResidentPages: Sendable {
    let arena: PageArena
    private(set) var addresses: [PageAddress] = []
    /// Of each slot.
    private(set) var contents: [Bytes] = []
    /// Of each slot, the round that marked it last.
    private var marks: [UInt32] = []
    private var markRound: UInt32 = 1
    private var freeSlots: [Int32] = []
    private var index: PageIndex
    private var policy: any EvictionPolicy
    private var setAside = SetAside()
    /// What ended since somebody took them.
    var ends: [EarlyEnd] = []
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

    mutating func touch(_ slot: Int32) {
        if setAside.isUsual(slot) { policy.touch(slot) } else { useFirst(slot) }
    }

    func address(in slot: Int32) -> PageAddress { addresses[Int(slot)] }

    /// Begins to tell slots apart that have been seen from those that have not.
    mutating func beginMarking() {
        if markRound == .max {
            marks = marks.map { _ in 0 }
            markRound = 1
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

    /// Follows which pages are the warmest: takes those out of the lists that are not among them
    /// any more, other than such as stand aside, and returns those that are in none of the lists.
    mutating func followWarmth(_ most: Int, _ lists: inout [[PageAddress]]) -> [PageAddress] {
        let warmest = policy.warmest(most)
        beginMarking()
        for slot in warmest { _ = mark(slot) }
        let isWarm = markRound
        beginMarking()
        // A new beginning, when numbers have run out, forgets which are warm: nothing is listed.
        for index in lists.indices {
            lists[index].removeAll { address in
                guard let slot = slot(of: address),
                    marks[Int(slot)] == isWarm || !setAside.isUsual(slot)
                else { return true }
                return !mark(slot)
            }
        }
        return warmest.filter { mark($0) }.map { addresses[Int($0)] }
    }

    /// Keeps a page that is not here yet. One that was fetched early stands aside until its first
    /// use: for the policy it comes only then, so that it counts like a page that was asked for
    /// once.
    mutating func insert(
        _ page: Bytes, at address: PageAddress, for source: PrefetchSource? = nil,
        isFromFar: Bool = false
    ) {
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
        if let source {
            var standing = SetAside.Standing()
            standing.place = .kept(source)
            standing.unproven = source
            standing.isFromFar = isFromFar
            setAside.move(slot, frameBytes(slot), to: standing)
        } else {
            policy.insert(slot, key: index.hash(address))
        }
        bytes += PageArena.frameBytes(for: content.count)
    }

    /// Forgets a page if it is here.
    mutating func remove(_ address: PageAddress) {
        guard let slot = slot(of: address) else { return }
        if setAside.isUsual(slot) { policy.remove(slot) } else { endUnused(slot) }
        free(slot)
    }

    /// A page that has to go, and keeps its slot until `free`.
    struct Victim: Sendable {
        let slot: Int32
        let address: PageAddress
        /// Nobody has used it, and it did not come from the tier below.
        let isWorthless: Bool
    }

    /// A page that nobody refers to: one of those that leave first, else whichever the policy
    /// chooses, else, if that is allowed, one that is kept for its first use. Nil if all are
    /// pinned.
    mutating func victim(amongKept: Bool) -> Victim? {
        var contents: [Bytes] = []
        swap(&contents, &self.contents)
        let isFree = { (slot: Int32) in contents[Int(slot)].isOnlyReference() }
        var aside = setAside.firstLeaving(where: isFree)
        let chosen = aside == nil ? policy.victim(where: isFree) : nil
        if amongKept, aside == nil, chosen == nil { aside = setAside.leastKept(where: isFree) }
        swap(&contents, &self.contents)
        if let chosen {
            return Victim(slot: chosen, address: addresses[Int(chosen)], isWorthless: false)
        }
        return aside.map { slot in
            let standing = setAside[slot]
            endUnused(slot)
            return Victim(
                slot: slot, address: addresses[Int(slot)],
                isWorthless: standing.unproven != nil && !standing.isFromFar)
        }
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

    // MARK: Pages that are set aside

    func keptBytes(for source: PrefetchSource) -> Int {
        setAside.keptBytes[Int(source.rawValue)]
    }

    func oldestKept(for source: PrefetchSource) -> PageAddress? {
        setAside.oldestKept(for: source).map { addresses[Int($0)] }
    }

    func isKept(_ slot: Int32) -> Bool {
        if case .kept = setAside[slot].place { true } else { false }
    }

    /// Keeps a page that is here for its next use.
    mutating func keep(_ slot: Int32, for source: PrefetchSource) {
        var standing = setAside[slot]
        if standing.place == .usual { policy.remove(slot) }
        standing.place = .kept(source)
        setAside.move(slot, frameBytes(slot), to: standing)
    }

    /// Ends the keeping of a page. One that nobody has used leaves first; another stands where it
    /// was worth keeping before.
    mutating func unkeep(_ slot: Int32) {
        guard isKept(slot) else { return }
        if setAside[slot].unproven != nil { return letLeave(slot) }
        setAside.move(slot, frameBytes(slot), to: SetAside.Standing())
        welcomeBack(slot)
    }

    /// Makes a page one of those that leave first, until it is used again.
    mutating func letLeave(_ slot: Int32) {
        var standing = setAside[slot]
        if standing.place == .usual { policy.remove(slot) }
        standing.place = .leaving
        setAside.move(slot, frameBytes(slot), to: standing)
    }

    /// The first use of a page since it was set aside.
    private mutating func useFirst(_ slot: Int32) {
        let standing = setAside[slot]
        setAside.move(slot, frameBytes(slot), to: SetAside.Standing())
        if case .kept = standing.place, standing.unproven == nil {
            welcomeBack(slot)
        } else {
            policy.insert(slot, key: index.hash(addresses[Int(slot)]))
        }
        ends.append(
            EarlyEnd(
                address: addresses[Int(slot)], source: standing.unproven,
                verdict: standing.unproven == nil ? nil : .used))
    }

    /// A page that had been asked for before it was kept comes back to the policy as one that was
    /// used again.
    private mutating func welcomeBack(_ slot: Int32) {
        policy.insert(slot, key: index.hash(addresses[Int(slot)]))
        policy.touch(slot)
        policy.touch(slot)
    }

    /// A page that was set aside goes.
    private mutating func endUnused(_ slot: Int32) {
        let standing = setAside[slot]
        setAside.move(slot, frameBytes(slot), to: SetAside.Standing())
        ends.append(
            EarlyEnd(
                address: addresses[Int(slot)], source: standing.unproven,
                verdict: standing.unproven == nil ? nil : .wasted))
    }

    private func frameBytes(_ slot: Int32) -> Int {
        PageArena.frameBytes(for: contents[Int(slot)].count)
    }
}
