import LociBase
import LociModel
import LociTiering

/// Which pages a shard says are its warmest, in parts that are published one by one. A page keeps
/// its part as long as it is warm, so that few parts change; new ones fill the gaps from the first
/// part on, so that the first parts are those of lasting warmth.
///
/// Invariants:
/// - At most `mostParts` parts of at most `pagesPerPart` pages: 14,400 pages. Of a larger memory it
///   is the warmest ones.
/// - A part's encoding fits a gossip entry.
struct PublishedHeat: Sendable {
    static let mostParts = 16
    static let pagesPerPart = 900
    static let payloadBytes = 4096
    static let mostPages = mostParts * pagesPerPart

    private struct Part: Sendable {
        /// Fewer than `pagesPerPart` when they lie too far apart for the payload.
        var capacity = PublishedHeat.pagesPerPart
        /// Pages that came and went since it was published.
        var changes = 0
        var publishedAt: Instant?
    }

    private var parts: [Part] = []
    private(set) var lists: [[PageAddress]] = []

    /// Takes over what an earlier life had published of a part, to go on from there.
    mutating func adopt(_ pages: [PageAddress], part: Int) {
        guard part < Self.mostParts else { return }
        while parts.count <= part {
            parts.append(Part())
            lists.append([])
        }
        guard parts[part].publishedAt == nil else { return }
        lists[part] = pages
        parts[part].changes = pages.count
    }

    /// Follows the table. Returns what is to be published: parts of which an eighth has changed, or
    /// that were published longer ago than `renewal`; at most `most`.
    mutating func follow(
        _ pages: inout PageTable, most: Int, renewalMicroseconds: UInt64, at now: Instant,
        where isWanted: (PageAddress) -> Bool
    ) -> [PartUpdate] {
        let before = lists.map(\.count)
        let new = pages.followWarmth(most: Self.mostPages, &lists)
        for part in parts.indices { parts[part].changes += before[part] - lists[part].count }
        place(new.filter(isWanted))
        var updates: [PartUpdate] = []
        for part in parts.indices where updates.count < most {
            let age = parts[part].publishedAt.map { now.microseconds(since: $0) }
            let isDue = parts[part].changes > 0 && age == nil || age ?? 0 > renewalMicroseconds
            guard isDue || parts[part].changes > lists[part].count / 8 else { continue }
            updates.append(update(part, at: now))
        }
        return updates
    }

    private mutating func place(_ new: [PageAddress]) {
        var part = 0
        for page in new {
            while part < parts.count, lists[part].count >= parts[part].capacity { part += 1 }
            if part == Self.mostParts { return }
            if part == parts.count {
                parts.append(Part())
                lists.append([])
            }
            lists[part].append(page)
            parts[part].changes += 1
        }
    }

    private mutating func update(_ part: Int, at now: Instant) -> PartUpdate {
        parts[part].changes = 0
        parts[part].publishedAt = lists[part].isEmpty ? nil : now
        if lists[part].isEmpty { return PartUpdate(part: UInt32(part), payload: nil) }
        var payload = PageRuns.encoded(lists[part])
        while payload.count > Self.payloadBytes {
            lists[part].removeLast(lists[part].count / 8 + 1)
            parts[part].capacity = max(lists[part].count, 1)
            payload = PageRuns.encoded(lists[part])
        }
        return PartUpdate(part: UInt32(part), payload: payload)
    }
}
