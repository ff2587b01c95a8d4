import LociBase

/// Pages whose fetch was asked for lately: by whom, and whether they were asked for since. Sets of
/// four; in a full set the oldest is forgotten, so that what becomes of it counts for nobody, and
/// so is a page that is older than `lifetime` accesses.
struct IssuedPages: Sendable {
    struct Entry: Sendable {
        var page: UInt64 = 0
        var time: UInt32 = 0
        var payer: UInt8 = 0
        var state = State.none
        /// How far ahead it was; see `PrefetchGovernor.reachClass`.
        var reach: UInt8 = 0
    }

    enum State: UInt8, Sendable { case none, open, used }

    private static let ways = 4

    private var entries: [Entry]
    private let setMask: Int
    private let lifetime: UInt32

    /// - Parameter sets: a power of two; of four pages each.
    init(sets: Int, lifetime: UInt32) {
        precondition(sets > 0 && sets & (sets - 1) == 0)
        entries = Array(repeating: Entry(), count: sets * Self.ways)
        setMask = sets - 1
        self.lifetime = lifetime
    }

    var memoryBytes: Int { entries.count * MemoryLayout<Entry>.stride }

    /// Whose page it is, if it was not asked for since.
    func payer(ofOpen page: UInt64) -> UInt8? {
        guard let place = place(of: page), entries[place].state == .open else { return nil }
        return entries[place].payer
    }

    func isOpen(_ page: UInt64, now: UInt32) -> Bool {
        guard let place = place(of: page) else { return false }
        return entries[place].state == .open && now &- entries[place].time <= lifetime
    }

    /// - Returns: an open entry of another page that had to be forgotten for this.
    mutating func insert(
        _ page: UInt64, payer: UInt8, reach: UInt8, now: UInt32
    ) -> Entry? {
        let place = place(of: page) ?? placeToTake(for: page, now: now)
        let former = entries[place]
        defer {
            entries[place] = Entry(page: page, time: now, payer: payer, state: .open, reach: reach)
        }
        return former.state == .open && former.page != page ? former : nil
    }

    /// The page was asked for. Its entry, if it is the first time.
    mutating func use(_ page: UInt64) -> Entry? {
        guard let place = place(of: page), entries[place].state == .open else { return nil }
        entries[place].state = .used
        return entries[place]
    }

    /// Forgets a page.
    mutating func remove(_ page: UInt64) -> Entry? {
        guard let place = place(of: page) else { return nil }
        defer { entries[place].state = .none }
        return entries[place]
    }

    private func start(of page: UInt64) -> Int {
        (Int(truncatingIfNeeded: mix64(page) >> 24) & setMask) * Self.ways
    }

    private func place(of page: UInt64) -> Int? {
        let start = start(of: page)
        for place in start..<(start + Self.ways)
        where entries[place].page == page && entries[place].state != .none { return place }
        return nil
    }

    /// One without a page, else the oldest that was used, else the oldest.
    private func placeToTake(for page: UInt64, now: UInt32) -> Int {
        let start = start(of: page)
        var best = start
        var most: UInt64 = 0
        for place in start..<(start + Self.ways) {
            let age = UInt64(now &- entries[place].time)
            let weight: UInt64 =
                switch entries[place].state {
                case .none: 2 << 32
                case .used: 1 << 32
                case .open: 0
                }
            if weight + age >= most {
                most = weight + age
                best = place
            }
        }
        return best
    }
}
