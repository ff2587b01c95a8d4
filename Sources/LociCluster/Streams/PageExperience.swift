import LociBase

/// Whether pages were in their shard's memory when they were read last, so that no hint is sent for
/// one that is there anyway: a hint is a message, and costs on both sides what a page-in costs.
///
/// A page that was never read, or was not there, is worth a hint. One that was there without a hint
/// is not, until it is found missing. Of those that are there thanks to hints, one hint in
/// `probeInterval` is left out, to see whether the page would have been there without.
///
/// Invariants:
/// - Direct-mapped, `places` pages; a page whose place another takes is as if it was never read.
struct PageExperience: Sendable {
    private enum State: UInt8, Sendable {
        case unknown, missing, resident, hinted
        /// A hint was left out on purpose, and its page was not read since.
        case probed
    }

    private struct Entry: Sendable {
        var page: UInt64 = 0
        var space: SpaceID = 0
        var state = State.unknown
    }

    private static let places = 1 << 14
    static let probeInterval: UInt64 = 8

    private var entries = [Entry](repeating: Entry(), count: places)
    private var hints: UInt64 = 0

    /// Whether the page was there without a hint when it was read last.
    func isResident(_ page: UInt64, of space: SpaceID) -> Bool {
        state(entries[place(page, space)], page, space) == .resident
    }

    /// Whether to send a hint for a page that is expected; it counts as sent.
    mutating func takesHint(_ page: UInt64, of space: SpaceID) -> Bool {
        let place = place(page, space)
        switch state(entries[place], page, space) {
        case .resident, .probed: return false
        case .unknown, .missing: break
        case .hinted:
            hints += 1
            if hints % Self.probeInterval == 0 {
                entries[place].state = .probed
                return false
            }
        }
        entries[place] = Entry(page: page, space: space, state: .hinted)
        return true
    }

    /// A read has found a page in memory, or not.
    mutating func note(_ page: UInt64, of space: SpaceID, wasResident: Bool) {
        let place = place(page, space)
        let before = state(entries[place], page, space)
        let after: State = wasResident ? (before == .hinted ? .hinted : .resident) : .missing
        entries[place] = Entry(page: page, space: space, state: after)
    }

    private func state(_ entry: Entry, _ page: UInt64, _ space: SpaceID) -> State {
        entry.page == page && entry.space == space ? entry.state : .unknown
    }

    private func place(_ page: UInt64, _ space: SpaceID) -> Int {
        Int(truncatingIfNeeded: mix64(page ^ UInt64(space) << 40) >> 20) & (Self.places - 1)
    }
}
