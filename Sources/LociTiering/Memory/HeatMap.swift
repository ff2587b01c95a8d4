import LociBase
public import LociModel

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

    private var counters: [ExtentAddress: UInt8] = [:]
    private var uses: UInt64 = 0
    private var usesSinceHalving = 0

    public init() {}

    public var extentCount: Int { counters.count }

    /// Extents that are not cold, in no order.
    public var extents: some Sequence<(key: ExtentAddress, value: UInt8)> { counters }

    /// From 0, cold, to 255.
    public func heat(of extent: ExtentAddress) -> UInt8 { counters[extent] ?? 0 }

    public mutating func touch(_ extent: ExtentAddress) {
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
