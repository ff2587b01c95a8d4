import LociBase
import LociModel
import LociTiering

/// Who announces: those whose prefetches take turns.
struct PrefetchClient: Hashable, Sendable {
    let number: UInt64
    /// It talks to the shard itself; numbers of others are the coordinator's.
    let isDirect: Bool
}

/// Pages of one announcement, in its order, all different.
struct PrefetchBatch: Sendable {
    /// Nil: nobody asks how it stands.
    let ticket: UInt64?
    let client: PrefetchClient
    /// What has not begun by then is dropped, and what is kept is let go.
    let expires: Instant
    /// Not to be begun earlier.
    let begins: Instant
    var hasBegun = false
    /// Expired or given up: what it still refers to is let go of, page-ins under way excepted.
    var end: End?
    let needs: [PageNeed]
    /// Of `needs`: those before it have been looked for.
    var joined = 0
    /// Of `needs`: those before it have had their turn, or, after the end, were let go.
    var cursor = 0
    /// Pages whose want refers to this batch.
    var open = 0
    /// Pages that count as waiting; none after the end.
    var waiting: Int
    /// Whether it stands in the clients' turns.
    var isQueued = false
    /// Whether it stands among those that are beginning or ending.
    var isUnderWork = false

    init(
        ticket: UInt64?, client: PrefetchClient, expires: Instant, begins: Instant,
        needs: [PageNeed]
    ) {
        self.ticket = ticket
        self.client = client
        self.expires = expires
        self.begins = begins
        self.needs = needs
        waiting = needs.count
    }

    /// Whether no more of its pages will get a want.
    var isJoined: Bool { end != nil || joined == needs.count }

    enum End: Sendable {
        case expired
        case cancelled
    }
}

/// A page that was announced and whose story has not ended.
struct PrefetchWant: Sendable {
    enum State: Sendable {
        /// Its fetch has not begun.
        case waiting
        /// It is on its way, for this or for somebody else, since then.
        case loading(since: Instant)
        /// It is in memory, where the page table keeps it for its first use.
        case kept
    }

    let need: PageNeed
    var state: State
    /// The batch whose client's memory the page takes, on its way or kept.
    var charged: UInt64?
    private var first: UInt64?
    private var others: [UInt64] = []

    init(_ need: PageNeed, _ state: State, batch: UInt64) {
        self.need = need
        self.state = state
        first = batch
    }

    /// Who announced it.
    var batches: [UInt64] { (first.map { [$0] } ?? []) + others }
    var isWanted: Bool { first != nil }

    func isWanted(by batch: UInt64) -> Bool { first == batch || others.contains(batch) }

    mutating func add(_ batch: UInt64) { others.append(batch) }

    mutating func remove(_ batch: UInt64) {
        if first == batch { first = others.popLast() } else { others.removeAll { $0 == batch } }
    }
}
