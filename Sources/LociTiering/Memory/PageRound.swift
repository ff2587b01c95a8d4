public import LociBase
public import LociModel

/// A page that a request lacks.
public struct PageNeed: Hashable, Sendable {
    public let address: PageAddress
    public let pageBytes: Int

    public init(address: PageAddress, pageBytes: Int) {
        self.address = address
        self.pageBytes = pageBytes
    }

    /// What it takes from a budget.
    var frameBytes: Int { PageArena.frameBytes(for: pageBytes) }
}

/// Pages that one request looks at together: those that it holds now, and those to come.
public struct PageRound: Sendable {
    /// A page that is here: `dram` if it was resident, `far` if it was there and has moved up.
    public struct Held: Sendable {
        public let address: PageAddress
        public let bytes: Bytes
        public let from: Tier
    }

    public internal(set) var held: [Held] = []
    /// Pages that the waiter will be told of, one by one.
    public internal(set) var missing = 0
    /// Those of them that the caller has to order.
    public internal(set) var loads: [PageNeed] = []
    /// Others of them that were ordered early and can wait no longer.
    public internal(set) var hastened: [PageAddress] = []
    /// Pages that lie in a slower tier than the request allows.
    public internal(set) var beyond: [(address: PageAddress, tier: Tier)] = []
}

/// What becomes of a request for a round.
public enum Admission: Sendable {
    case admitted(PageRound)
    /// There is no room now. The request holds nothing and stands in the queue.
    case waits
    /// There never will be: the pages take more than the budget.
    case tooLarge(neededBytes: Int)
}

/// Somebody who waited for a page that has come.
public struct PageWaiter: Equatable, Sendable {
    public let number: UInt64
    /// Whether the page-in was another's already.
    public let hasJoined: Bool
    let slowest: Tier
}

/// What one tier of memory has to say of itself.
public struct MemoryVitals: Sendable {
    public internal(set) var requests: UInt64 = 0
    public internal(set) var hits: UInt64 = 0
    public internal(set) var movedIn: UInt64 = 0
    public internal(set) var movedOut: UInt64 = 0
    /// Bytes of frames that are in use, whoever uses them.
    public internal(set) var residentBytes = 0
    public internal(set) var budgetBytes = 0
    /// Bytes that lie on the heap because the budget is full.
    public internal(set) var overflowBytes = 0
    public internal(set) var isEmulated = false

    /// Used, page-ins on their way not counted.
    mutating func measure(_ tier: MemoryTier) {
        residentBytes = tier.arena.usedBytes
        budgetBytes = tier.arena.budgetBytes
        overflowBytes = tier.arena.overflowBytes
        isEmulated = tier.isEmulated
    }
}
