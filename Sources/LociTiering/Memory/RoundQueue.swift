import LociModel

/// Requests that wait for room, first come first served.
struct RoundQueue: Sendable {
    struct Entry: Sendable {
        let waiter: UInt64
        let needs: [PageNeed]
        let slowest: Tier
    }

    private var entries: [Entry] = []
    private var start = 0
    /// Whether something has changed since the first one did not fit.
    var isWorthTrying = true

    var isEmpty: Bool { start == entries.count }
    var first: Entry? { isEmpty ? nil : entries[start] }

    mutating func append(_ entry: Entry) {
        if isEmpty { isWorthTrying = false }
        entries.append(entry)
    }

    mutating func removeFirst() {
        start += 1
        isWorthTrying = true
        if 2 * start >= entries.count {
            entries.removeFirst(start)
            start = 0
        }
    }
}
