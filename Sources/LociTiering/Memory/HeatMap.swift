public import LociBase
public import LociModel

/// 1 MiB of a partition's pages: what moves between tiers.
public struct Extent: Hashable, Comparable, Sendable {
    public static let byteCount = 1 << 20

    public let space: SpaceID
    public let partition: PartitionIndex
    public let number: UInt64

    public init(space: SpaceID, partition: PartitionIndex, number: UInt64) {
        self.space = space
        self.partition = partition
        self.number = number
    }

    /// The extent that a page begins in.
    public init(of page: PageAddress, pageBytes: Int) {
        self.init(
            space: page.space, partition: page.partition,
            number: page.page * UInt64(pageBytes) / UInt64(Self.byteCount))
    }

    init(_ need: PageNeed) { self.init(of: need.address, pageBytes: need.pageBytes) }

    public static func < (left: Extent, right: Extent) -> Bool {
        (left.space, left.partition, left.number) < (right.space, right.partition, right.number)
    }
}

/// How often extents are used, with old uses counting less: the frequency by which pages move
/// between tiers. A counter is the logarithm of a count: from 5 on it grows by chance, the less
/// probably the higher it stands, as in Redis ("Using Redis as an LRU cache", LFU mode). Chance is
/// a hash of the number of uses, so the same uses lead to the same heat. A copy costs nothing until
/// one of the two changes.
///
/// Invariants:
/// - No counter is 0, and there are at most `mostExtents`.
/// - All counters are halved after ten times as many uses as there are extents, and when there are
///   too many extents.
public struct HeatMap: Sendable {
    /// Beyond it all counters are halved until some are gone.
    public static let mostExtents = 1 << 20
    private static let exactUpTo: UInt8 = 5
    /// A million uses bring a counter near its end.
    private static let slowness = 10
    private static let fewestUsesBetweenHalvings = 1000

    private var counters: [Extent: UInt8] = [:]
    private var uses: UInt64 = 0
    private var usesSinceHalving = 0

    public init() {}

    public var extentCount: Int { counters.count }

    /// Extents that are not cold, in no order.
    public var extents: some Sequence<(key: Extent, value: UInt8)> { counters }

    /// From 0, cold, to 255.
    public func heat(of extent: Extent) -> UInt8 { counters[extent] ?? 0 }

    public mutating func touch(_ extent: Extent) {
        uses += 1
        usesSinceHalving += 1
        Self.grow(&counters[extent, default: 0], chance: mix64(uses))
        if usesSinceHalving > max(10 * counters.count, Self.fewestUsesBetweenHalvings) { halve() }
        while counters.count > Self.mostExtents { halve() }
    }

    private static func grow(_ counter: inout UInt8, chance: UInt64) {
        guard counter >= exactUpTo else {
            counter += 1
            return
        }
        let odds = UInt64(counter - exactUpTo) * UInt64(slowness) + 1
        if counter < .max, chance % odds == 0 { counter += 1 }
    }

    private mutating func halve() {
        usesSinceHalving = 0
        counters = counters.compactMapValues { $0 < 2 ? nil : $0 / 2 }
    }
}
