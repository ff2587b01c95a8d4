/// A kind of place for pages, from the fastest to the slowest.
public enum Tier: UInt8, CaseIterable, Comparable, Hashable, Sendable {
    case accelerator
    case dram
    case far
    case ssd
    case hdd
    case object

    public var name: String { String(describing: self) }

    public init?(named name: String) {
        guard let tier = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = tier
    }

    public static func < (left: Tier, right: Tier) -> Bool { left.rawValue < right.rawValue }
}

/// What one tier did for an answer.
///
/// A page that was needed counts once, in the tier that it came from: as a hit if it was in memory,
/// as soft if it came without a device (from far memory, or with somebody else's page-in), as hard
/// if a device was read for it. Pages that were not fetched because of `max-tier` count as skipped
/// and nothing else.
public struct TierCost: Equatable, Sendable {
    public var hits: UInt64 = 0
    public var soft: UInt64 = 0
    public var hard: UInt64 = 0
    public var skipped: UInt64 = 0
    /// Bytes that moved out of the tier.
    public var bytes: UInt64 = 0
    /// Microseconds from asking for the pages to having the last of them; of several page-ins at
    /// once the longest counts.
    public var waitMicroseconds: UInt64 = 0

    public init() {}

    public var pages: UInt64 { hits + soft + hard }
}

/// Costs for every tier.
public struct TierCosts: Equatable, Sendable {
    private var costs = [TierCost](repeating: TierCost(), count: Tier.allCases.count)

    public init() {}

    public subscript(tier: Tier) -> TierCost {
        get { costs[Int(tier.rawValue)] }
        set { costs[Int(tier.rawValue)] = newValue }
    }

    /// Pages that were needed and there.
    public var pages: UInt64 { costs.reduce(0) { $0 + $1.pages } }
    public var skipped: UInt64 { costs.reduce(0) { $0 + $1.skipped } }

    /// Work adds up; shards wait side by side, so of times the longest counts.
    public mutating func add(_ other: TierCosts) {
        for tier in Tier.allCases {
            self[tier].hits += other[tier].hits
            self[tier].soft += other[tier].soft
            self[tier].hard += other[tier].hard
            self[tier].skipped += other[tier].skipped
            self[tier].bytes += other[tier].bytes
            self[tier].waitMicroseconds = max(
                self[tier].waitMicroseconds, other[tier].waitMicroseconds)
        }
    }
}
