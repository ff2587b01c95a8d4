public import LociModel

/// Why a page is fetched before anybody asks for it, the weightiest first.
public enum PrefetchSource: UInt8, CaseIterable, Comparable, Sendable {
    /// A client said that it will read the page.
    case told
    /// Another process expects it.
    case hinted
    /// The shard expects it.
    case guessed

    public static func < (left: PrefetchSource, right: PrefetchSource) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// What becomes of a wish to have a page early.
public enum EarlyFetch: Equatable, Sendable {
    /// It is in dram.
    case resident
    /// It is on its way already.
    case loading
    /// It was in far memory, and has moved up.
    case moved
    /// The caller has to order the page-in.
    case ordered
    /// The share of what is fetched early is used up: a page has to be used, or given up, first.
    case overShare
    /// Requests wait for room, or no page can leave.
    case noRoom
}

/// The end of what set a page apart: that it was fetched early and not yet used, or kept.
public struct EarlyEnd: Equatable, Sendable {
    public let address: PageAddress
    /// Who had it fetched; nil if it was there anyway.
    public let source: PrefetchSource?
    /// Nil if it was kept only, and is no longer. `used` without a source: a request moved it up
    /// from far memory.
    public let verdict: PrefetchOutcome?
}
