import LociBase
import LociModel
import LociTiering

/// Pages that the shard or others expect to be needed, and that are not fetched yet.
///
/// Invariants:
/// - At most `most` of each source wait; when more come, the oldest goes.
/// - What was fetched and is still to be let go at its time is in `kept`, at most `most`; when more
///   comes, what is to be let go first goes.
struct PageSuggestions: Sendable {
    struct Entry: Sendable {
        let need: PageNeed
        let until: Instant
    }

    static let most = 4096

    private var hinted = Line()
    private var guessed = Line()
    /// Fetched, or on their way.
    private var kept = Kept()

    var isEmpty: Bool { hinted.isEmpty && guessed.isEmpty && kept.isEmpty }

    /// Hinted pages that wait.
    var hintedCount: Int { hinted.count }

    /// Adds a page. Returns the one that had to go for it, or itself if it waits already.
    mutating func add(_ entry: Entry, _ source: PrefetchSource) -> PageAddress? {
        source == .hinted ? hinted.add(entry) : guessed.add(entry)
    }

    /// The next page of a source.
    func first(_ source: PrefetchSource) -> Entry? {
        source == .hinted ? hinted.first : guessed.first
    }

    mutating func removeFirst(_ source: PrefetchSource) {
        if source == .hinted { hinted.removeFirst() } else { guessed.removeFirst() }
    }

    /// A page is fetched from now on; one that is listed has the later of its times. Returns
    /// another that is to be let go, as too many are listed.
    mutating func keep(_ entry: Entry) -> PageAddress? {
        kept.add(entry.need.address, until: entry.until)
    }

    /// Whether the page's time is not up.
    func keeps(_ address: PageAddress) -> Bool { kept.contains(address) }

    /// A page that was fetched and whose time is up.
    mutating func takeOver(at now: Instant) -> PageAddress? {
        kept.takeFirst(before: now)
    }

    /// Pages and the time of each, whatever the order in which they came.
    ///
    /// Invariants:
    /// - `numbers` and `pages` have each page once, under its newest number. `times` has that
    ///   number; older ones are passed over.
    private struct Kept: Sendable {
        private var numbers: [PageAddress: UInt64] = [:]
        private var pages: [UInt64: (address: PageAddress, until: Instant)] = [:]
        private var times = InstantQueue()
        private var lastNumber: UInt64 = 0

        var isEmpty: Bool { pages.isEmpty }

        func contains(_ address: PageAddress) -> Bool { numbers[address] != nil }

        mutating func add(_ address: PageAddress, until: Instant) -> PageAddress? {
            if let number = numbers[address] {
                if pages[number]!.until >= until { return nil }
                pages[number] = nil
            }
            lastNumber += 1
            numbers[address] = lastNumber
            pages[lastNumber] = (address, until)
            times.add(lastNumber, at: until)
            if times.count > 2 * pages.count + 64 { times.removeAll { pages[$0] == nil } }
            return pages.count > PageSuggestions.most ? takeFirst(before: nil) : nil
        }

        /// The page whose time ends first, if it is up by then; whatever its time if that is nil.
        mutating func takeFirst(before limit: Instant?) -> PageAddress? {
            while let first = times.first {
                if let page = pages[first.number] {
                    if let limit, page.until > limit { return nil }
                    times.removeFirst()
                    pages[first.number] = nil
                    numbers[page.address] = nil
                    return page.address
                }
                times.removeFirst()
            }
            return nil
        }
    }

    /// A bounded queue of different pages.
    private struct Line: Sendable {
        private var entries: [Entry] = []
        private var start = 0
        private var waiting: Set<PageAddress> = []

        var isEmpty: Bool { start == entries.count }
        var count: Int { entries.count - start }
        var first: Entry? { isEmpty ? nil : entries[start] }

        func contains(_ address: PageAddress) -> Bool { waiting.contains(address) }

        mutating func add(_ entry: Entry) -> PageAddress? {
            guard waiting.insert(entry.need.address).inserted else { return entry.need.address }
            entries.append(entry)
            guard waiting.count > PageSuggestions.most else { return nil }
            let oldest = entries[start].need.address
            removeFirst()
            return oldest
        }

        mutating func removeFirst() {
            waiting.remove(entries[start].need.address)
            start += 1
            if 2 * start >= entries.count {
                entries.removeFirst(start)
                start = 0
            }
        }
    }
}
