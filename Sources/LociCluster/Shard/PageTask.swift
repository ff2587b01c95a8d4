import LociBase
import LociModel
import LociTiering

/// A request that needs pages: it waits, as a value, until all of a round are in memory, looks at
/// them, lets them go and asks for the next.
///
/// Invariants:
/// - `held` pages stay valid while the task holds them, whatever the table evicts. A task that
///   waits for room holds none.
/// - `missing` pages are on their way; each arrival or failure takes one off.
/// - A page counts once in the receipt, however many rounds need it, unless it had to be read
///   again; one that was left out counts as skipped, once, even if an earlier round had it.
struct PageTask: Sendable {
    var kind: Kind
    /// The slowest tier that may be asked.
    var slowest: Tier
    var held: [PageAddress: Bytes] = [:]
    /// The tiers that held pages came from; empty unless somebody wants to know.
    private(set) var sources: [PageAddress: Tier] = [:]
    /// Pages of this round that lie in slower tiers.
    var beyond: [PageAddress: Tier] = [:]
    var missing = 0
    /// It could go on, but lets others have their turn first.
    var isPausing = false
    var failure: LociError?
    var receipt = Receipt()
    var restarts = 0
    private var counted: Set<PageAddress> = []
    private var skipped: Set<PageAddress> = []
    private var asked = Instant.zero
    private var waits = TierCosts()

    enum Kind: Sendable {
        case cells(CellsTask)
        case search(SearchTask)
        case points(PointsTask)
        case memoryRead(MemoryReadTask)
        case memoryWrite(MemoryWriteTask)
        case rewrite(RewriteTask)
        case reassign(ReassignTask)
        /// Its content is with the function that runs it.
        case running
    }

    init(_ kind: Kind, slowest: Tier) {
        self.kind = kind
        self.slowest = slowest
    }

    var asker: Asker? {
        switch kind {
        case .cells(let task): task.asker
        case .search(let task): task.asker
        case .points(let task): task.asker
        case .memoryRead(let task): task.asker
        case .memoryWrite, .rewrite, .reassign, .running: nil
        }
    }

    /// What a task looks at changes while its pages are on their way; one that had to start over so
    /// often is up against more memory pressure than it can win.
    private static let mostRestarts = 32

    /// What it has looked at so far has changed: notes that it starts over.
    mutating func restart() {
        restarts += 1
        if restarts > Self.mostRestarts { failure = failure ?? Self.overwhelmed }
    }

    /// Whether some round went without a page that it needed, so that the answer lacks something.
    var hasSkipped: Bool { !skipped.isEmpty }

    // MARK: Rounds

    private var wantsSources: Bool {
        if case .cells(let cells) = kind { !cells.tiers.isEmpty } else { false }
    }

    mutating func beginRound(at now: Instant) {
        held = [:]
        sources = [:]
        beyond = [:]
        asked = now
    }

    mutating func take(_ round: PageRound) {
        missing = round.missing
        let wantsSources = wantsSources
        for page in round.held {
            held[page.address] = page.bytes
            if wantsSources { sources[page.address] = page.from }
            guard counted.insert(page.address).inserted else { continue }
            receipt.pagesTouched += 1
            if page.from == .dram {
                receipt.tiers[.dram].hits += 1
                receipt.tiers[.dram].bytes += UInt64(page.bytes.count)
            } else {
                receipt.tiers[page.from].soft += 1
                receipt.tiers[page.from].bytes += UInt64(page.bytes.count)
            }
        }
        for page in round.beyond { skip(page.address, page.tier) }
    }

    /// A page that was in dram and is not held.
    mutating func noteUse(of page: Bytes) {
        receipt.pagesTouched += 1
        receipt.tiers[.dram].hits += 1
        receipt.tiers[.dram].bytes += UInt64(page.count)
    }

    /// A page that was waited for.
    mutating func take(
        _ address: PageAddress, _ bytes: Bytes, from tier: Tier, hasJoined: Bool, at now: Instant
    ) {
        missing -= 1
        held[address] = bytes
        if wantsSources { sources[address] = tier }
        counted.insert(address)
        receipt.pagesTouched += 1
        if hasJoined || tier < .ssd {
            receipt.tiers[tier].soft += 1
        } else {
            receipt.tiers[tier].hard += 1
            receipt.bytesRead += UInt64(bytes.count)
        }
        receipt.tiers[tier].bytes += UInt64(bytes.count)
        waits[tier].waitMicroseconds = now.microseconds(since: asked)
    }

    /// A page that was waited for lies beyond the slowest tier that is allowed.
    mutating func miss(_ address: PageAddress, in tier: Tier) {
        missing -= 1
        skip(address, tier)
    }

    private mutating func skip(_ address: PageAddress, _ tier: Tier) {
        beyond[address] = tier
        guard skipped.insert(address).inserted else { return }
        counted.insert(address)
        receipt.pagesTouched += 1
        receipt.tiers[tier].skipped += 1
    }

    /// All pages of the round are here.
    mutating func endWait() {
        for tier in Tier.allCases {
            receipt.tiers[tier].waitMicroseconds += waits[tier].waitMicroseconds
        }
        waits = TierCosts()
    }

    static let expired = LociError(
        .deadlineExceeded, "The request's time was up before its pages were there.",
        advice: "Allow more time with --deadline.")

    private static let overwhelmed = LociError(
        .resourceExhausted, "The pages of this request did not stay in memory long enough.",
        advice: "Give the shard a larger dram tier, or send fewer requests at once.")
}
