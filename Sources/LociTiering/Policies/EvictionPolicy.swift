/// Decides which page leaves the dram tier. It holds no bytes and looks no page up: its caller
/// names pages by *slots*, dense small integers of the caller's choice (places in a page table),
/// and decides when one has to leave. All entries weigh the same.
///
/// Contract:
/// - A slot is inserted once, and may be inserted again after it was chosen or removed.
/// - Memory is a few words for each slot up to the highest one used, plus what `capacity` implies
///   for ghosts and sketches. It is allocated when the policy is made and when a higher slot first
///   comes; hits allocate nothing.
/// - `touch`, `insert` and `remove` take constant time (a sketch is halved now and then), `victim`
///   amortised constant time while few pages are pinned.
/// - Decisions depend on the calls and on the seed alone.
///
/// The source of each algorithm stands at its type; `EvictionKind` lists them.
public protocol EvictionPolicy: Sendable {
    /// - Parameters:
    ///   - capacity: how many pages are expected to be resident: sizes ghosts, sketches, windows.
    ///     More or fewer may come; shares of queues follow what is really resident.
    ///   - seed: of the process, for the hashes of sketches, so that nobody can aim at collisions.
    init(capacity: Int, seed: UInt64)

    /// How many pages are resident.
    var count: Int { get }

    /// A page came into a free slot: a miss. `key` is a hash of its address, by which policies
    /// remember pages that left.
    mutating func insert(_ slot: Int32, key: UInt64)

    /// The page in the slot was used again: a hit.
    mutating func touch(_ slot: Int32)

    /// Chooses the page that leaves, and forgets it. A page for which `isFree` is false is pinned:
    /// it is passed over, and counts as just used where the policy keeps an order. Nil if all
    /// pages are pinned or there is none; finding that out looks at every page.
    ///
    /// Call it before the page that needs the room is inserted.
    mutating func victim(where isFree: (Int32) -> Bool) -> Int32?

    /// The page in the slot was dropped or became invalid. It is forgotten without a ghost.
    mutating func remove(_ slot: Int32)

    /// Resident slots, at most so many, roughly in the order in which they are worth keeping.
    /// Changes nothing; of very many pages some are not looked at.
    func warmest(_ most: Int) -> [Int32]
}

extension EvictionPolicy {
    /// Chooses the page that leaves when none is pinned.
    public mutating func victim() -> Int32? { victim { _ in true } }
}
