import LociBase

/// Pages whose fetch was asked for lately: by whom, and whether they were asked for since.
/// Direct-mapped; a page that another takes the place of is forgotten, so that what becomes of it
/// counts for nobody, and so is one that is older than `lifetime` accesses.
struct IssuedPages: Sendable {
    struct Entry: Sendable {
        var page: UInt64 = 0
        var time: UInt32 = 0
        var payer: UInt8 = 0
        var state = State.none
    }

    enum State: UInt8, Sendable { case none, open, used }

    private var entries: [Entry]
    private let lifetime: UInt32

    /// - Parameter count: a power of two.
    init(count: Int, lifetime: UInt32) {
        precondition(count > 0 && count & (count - 1) == 0)
        entries = Array(repeating: Entry(), count: count)
        self.lifetime = lifetime
    }

    var memoryBytes: Int { entries.count * MemoryLayout<Entry>.stride }

    func isOpen(_ page: UInt64, now: UInt32) -> Bool {
        let entry = entries[place(of: page)]
        return entry.page == page && entry.state == .open && now &- entry.time <= lifetime
    }

    mutating func insert(_ page: UInt64, payer: UInt8, now: UInt32) {
        entries[place(of: page)] = Entry(page: page, time: now, payer: payer, state: .open)
    }

    /// The page was asked for. Who had asked for its fetch, if it is the first time.
    mutating func use(_ page: UInt64) -> UInt8? {
        let place = place(of: page)
        guard entries[place].page == page, entries[place].state == .open else { return nil }
        entries[place].state = .used
        return entries[place].payer
    }

    /// Forgets a page.
    mutating func remove(_ page: UInt64) -> Entry? {
        let place = place(of: page)
        let entry = entries[place]
        guard entry.page == page, entry.state != .none else { return nil }
        entries[place].state = .none
        return entry
    }

    private func place(of page: UInt64) -> Int {
        Int(truncatingIfNeeded: mix64(page) >> 24) & (entries.count - 1)
    }
}
