import LociBase
import LociModel

/// A part of what a process publishes. Nil if there is nothing to be said any more.
struct PartUpdate: Equatable, Sendable {
    let part: UInt32
    let payload: Bytes?
}

/// Which page of a field a session read on another shard right after a page, for as many pages as
/// there is room for: what is worth keeping over a restart of the coordinator. The latest successor
/// counts; it is confirmed when it came twice in a row.
///
/// Invariants:
/// - At most `most` transitions; the place of one that was not seen again for a while is taken
///   (CLOCK). A transition keeps its part.
/// - At most `mostSessions` sessions are followed; at the bound all begin anew.
struct TransitionBook: Sendable {
    static let most = 4096
    static let perPart = 128
    static let mostSessions = 256
    static let timeToLive: UInt64 = 600_000_000
    /// Parts of one publication.
    private static let partsPerPublication = 8
    private static let format: UInt8 = 1

    struct From: Hashable, Sendable {
        let space: SpaceID
        let page: UInt64
    }

    struct Transition: Equatable, Sendable {
        let space: SpaceID
        let from: UInt64
        let to: UInt64
    }

    private struct Slot: Sendable {
        var from: From
        var to: UInt64
        /// How often it came in a row, less how often another did; 0 to 3.
        var count: UInt8
        var isUsed = false

        var isConfirmed: Bool { count >= 2 }
    }

    private struct Part: Sendable {
        var isChanged = false
        var publishedAt: Instant?
    }

    private struct Last: Sendable {
        let from: From
        let shard: ShardIndex
    }

    private var slots: [Slot] = []
    private var places: [From: Int] = [:]
    private var hand = 0
    private var parts = [Part](repeating: Part(), count: TransitionBook.most / perPart)
    private var sessions: [UInt64: Last] = [:]

    var count: Int { slots.count }

    /// A session reads a page that lives on the shard.
    mutating func note(page: UInt64, of space: SpaceID, on shard: ShardIndex, session: UInt64) {
        let from = From(space: space, page: page)
        let last = sessions[session]
        if last == nil, sessions.count >= Self.mostSessions { sessions.removeAll() }
        sessions[session] = Last(from: from, shard: shard)
        guard let last, last.shard != shard, last.from.space == space else { return }
        learn(last.from, page, count: 1)
    }

    /// What an earlier life had confirmed.
    mutating func remember(_ transition: Transition) {
        learn(From(space: transition.space, page: transition.from), transition.to, count: 2)
    }

    private mutating func learn(_ from: From, _ to: UInt64, count: UInt8) {
        guard let place = places[from] else { return insert(from, to, count) }
        let wasConfirmed = slots[place].isConfirmed
        slots[place].isUsed = true
        if slots[place].to == to {
            slots[place].count = min(slots[place].count + count, 3)
        } else if slots[place].count > 0 {
            slots[place].count -= 1
        } else {
            slots[place].to = to
            slots[place].count = count
        }
        if wasConfirmed != slots[place].isConfirmed {
            parts[place / Self.perPart].isChanged = true
        }
    }

    private mutating func insert(_ from: From, _ to: UInt64, _ count: UInt8) {
        let slot = Slot(from: from, to: to, count: count)
        let place: Int
        if slots.count < Self.most {
            place = slots.count
            slots.append(slot)
        } else {
            while slots[hand].isUsed {
                slots[hand].isUsed = false
                hand = (hand + 1) % Self.most
            }
            place = hand
            hand = (hand + 1) % Self.most
            places[slots[place].from] = nil
            if slots[place].isConfirmed { parts[place / Self.perPart].isChanged = true }
            slots[place] = slot
        }
        places[from] = place
        if slot.isConfirmed { parts[place / Self.perPart].isChanged = true }
    }

    // MARK: Publishing

    /// What is to be published now: parts that have changed, or that are half as old as they may
    /// become.
    mutating func follow(at now: Instant) -> [PartUpdate] {
        var updates: [PartUpdate] = []
        for part in parts.indices where updates.count < Self.partsPerPublication {
            let age = parts[part].publishedAt.map { now.microseconds(since: $0) } ?? 0
            guard parts[part].isChanged || age > Self.timeToLive / 2 else { continue }
            let first = part * Self.perPart
            let confirmed = slots[first..<min(first + Self.perPart, slots.count)]
                .filter(\.isConfirmed)
                .map { Transition(space: $0.from.space, from: $0.from.page, to: $0.to) }
            let wasPublished = parts[part].publishedAt != nil
            parts[part].isChanged = false
            parts[part].publishedAt = confirmed.isEmpty ? nil : now
            guard wasPublished || !confirmed.isEmpty else { continue }
            updates.append(
                PartUpdate(
                    part: UInt32(part),
                    payload: confirmed.isEmpty ? nil : Self.encoded(confirmed)))
        }
        return updates
    }

    /// At most 24 bytes each; so a part fits a gossip entry.
    static func encoded(_ transitions: [Transition]) -> Bytes {
        var bytes: [UInt8] = [format]
        for transition in transitions {
            PageRuns.append(UInt64(transition.space), to: &bytes)
            PageRuns.append(transition.from, to: &bytes)
            PageRuns.append(transition.to, to: &bytes)
        }
        return Bytes(bytes)
    }

    /// Reads foreign bytes.
    /// - Returns: nil for what `encoded` does not make, or more than fit a part.
    static func decoded(_ bytes: Bytes) -> [Transition]? {
        guard bytes.count > 1, bytes[0] == format else { return nil }
        var position = 1
        var transitions: [Transition] = []
        while position < bytes.count {
            guard transitions.count < perPart, let space = PageRuns.number(bytes, &position),
                let space = SpaceID(exactly: space),
                let from = PageRuns.number(bytes, &position),
                let to = PageRuns.number(bytes, &position)
            else { return nil }
            transitions.append(Transition(space: space, from: from, to: to))
        }
        return transitions
    }
}
