public import LociBase
public import LociModel

/// Which pages are in memory, which are on their way, and who waits for them.
///
/// Invariants:
/// - A page is loaded once, however many wait for it.
/// - What was written while a page was on its way is laid over it when it arrives, so an old copy
///   from the file never hides a newer write.
public struct PageTable: Sendable {
    private struct Load {
        var waiters: [UInt64]
        var patches: [(offset: Int, bytes: Bytes)] = []
    }

    public private(set) var cache: PageCache
    private var loads: [PageAddress: Load] = [:]

    public init(budgetBytes: Int) { cache = PageCache(budgetBytes: budgetBytes) }

    public var loadsInFlight: Int { loads.count }

    public enum Outcome: Sendable {
        case resident(Bytes)
        /// Somebody asked before: the waiter is told with them.
        case onItsWay
        /// The caller has to order the load.
        case absent
    }

    /// Looks a page up; `waiter` is told by `arrived` if it is not here yet.
    public mutating func request(_ address: PageAddress, for waiter: UInt64) -> Outcome {
        if let bytes = cache.lookup(address) { return .resident(bytes) }
        if loads[address] != nil {
            loads[address]!.waiters.append(waiter)
            return .onItsWay
        }
        loads[address] = Load(waiters: [waiter])
        return .absent
    }

    /// A page came from its file. Returns it as it is now, and who waited for it.
    public mutating func arrived(_ address: PageAddress, _ bytes: Bytes) -> (Bytes, [UInt64]) {
        guard let load = loads.removeValue(forKey: address) else { return (bytes, []) }
        var current = bytes
        for patch in load.patches { current.replace(at: patch.offset, with: patch.bytes) }
        cache.insert(current, at: address)
        return (current, load.waiters)
    }

    /// A page could not be loaded. Returns who waited for it.
    public mutating func failed(_ address: PageAddress) -> [UInt64] {
        loads.removeValue(forKey: address)?.waiters ?? []
    }

    /// A write to a page: its copy in memory, or the one on its way, follows.
    public mutating func patch(_ address: PageAddress, at offset: Int, with bytes: Bytes) {
        cache.patch(address, at: offset, with: bytes)
        loads[address]?.patches.append((offset, bytes))
    }

    /// Forgets the pages of spaces that were dropped.
    public mutating func drop(spaces: Set<SpaceID>) {
        cache.removeAll { spaces.contains($0.space) }
    }
}
