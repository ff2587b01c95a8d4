import LociBase
import LociModel
import LociTiering

/// Pages that the shard or others expect to be needed, and that are not fetched yet.
///
/// Invariants:
/// - At most `most` of each source wait; when more come, the oldest goes.
/// - What was fetched and is still to be let go at its time is in `kept`, at most `mostKept`.
struct PageSuggestions: Sendable {
    struct Entry: Sendable {
        let need: PageNeed
        let until: Instant
    }

    static let most = 4096

    private var hinted = Line()
    private var guessed = Line()
    /// Fetched, or on their way.
    private var kept = Line()

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

    /// A page is fetched from now on. Returns one that is to be let go for want of memory for it.
    mutating func keep(_ entry: Entry) -> PageAddress? { kept.add(entry) }

    /// Whether the page's time is not up.
    func keeps(_ address: PageAddress) -> Bool { kept.contains(address) }

    /// A page that was fetched and whose time is up.
    mutating func takeOver(at now: Instant) -> PageAddress? {
        guard let first = kept.first, first.until <= now else { return nil }
        kept.removeFirst()
        return first.need.address
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
