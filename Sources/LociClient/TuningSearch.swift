public import LociModel

/// What a width of addresses reached on a sample, and what that cost.
public struct MeasuredSetting: Equatable, Sendable {
    /// With the recall that was measured.
    public let setting: RecallSetting
    /// Means over the queries.
    public let codesScanned: Double
    public let vectorsCompared: Double
    public let locationsActive: Double
    public let shardsAsked: Double

    public init(
        setting: RecallSetting, codesScanned: Double, vectorsCompared: Double,
        locationsActive: Double = 0, shardsAsked: Double = 0
    ) {
        self.setting = setting
        self.codesScanned = codesScanned
        self.vectorsCompared = vectorsCompared
        self.locationsActive = locationsActive
        self.shardsAsked = shardsAsked
    }

    /// Codes scanned, and vectors compared at so many codes each.
    public func cost(vectorInCodes: Double) -> Double {
        codesScanned + vectorInCodes * vectorsCompared
    }
}

/// The search for the cheapest width of addresses that reaches a recall.
///
/// Invariants:
/// - Both recall and cost grow with the radius and with the least number of hard locations: so for
///   each number the smallest radius that serves is found by bisection, and no greater number is
///   tried once its smallest radius costs more than the best so far.
/// - Each setting is measured once.
struct TuningSearch {
    static let probes: [UInt32] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    static let radii: [Float] = [
        1, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2, 2.5, 3, 4, 6, 10,
    ]

    /// Inner products have no radius.
    let hasRadius: Bool
    let vectorInCodes: Double
    /// In the order in which they were measured.
    private(set) var measured: [MeasuredSetting] = []

    typealias Measure =
        (_ probes: UInt32, _ radius: Float) async throws(LociError) -> MeasuredSetting

    init(hasRadius: Bool, vectorInCodes: Double) {
        self.hasRadius = hasRadius
        self.vectorInCodes = vectorInCodes
    }

    /// - Returns: Nil if nothing reaches the recall.
    mutating func cheapest(
        reaching recall: Float, _ measure: Measure
    ) async throws(LociError) -> MeasuredSetting? {
        let radii = hasRadius ? Self.radii : [1]
        var best: MeasuredSetting?
        for probes in Self.probes {
            let narrowest = try await take(probes, radii[0], measure)
            if let best, cost(narrowest) >= cost(best) { break }
            if narrowest.setting.recall >= recall {
                best = narrowest
                break
            }
            let widest = try await take(probes, radii.last!, measure)
            guard widest.setting.recall >= recall else { continue }
            // The first is too narrow, the last wide enough.
            var low = 0
            var high = radii.count - 1
            while high - low > 1 {
                let middle = (low + high) / 2
                let tried = try await take(probes, radii[middle], measure)
                if tried.setting.recall >= recall { high = middle } else { low = middle }
            }
            let found = try await take(probes, radii[high], measure)
            if best.map({ cost(found) < cost($0) }) ?? true { best = found }
        }
        return best
    }

    private func cost(_ setting: MeasuredSetting) -> Double {
        setting.cost(vectorInCodes: vectorInCodes)
    }

    private mutating func take(
        _ probes: UInt32, _ radius: Float, _ measure: Measure
    ) async throws(LociError) -> MeasuredSetting {
        let known = measured.first {
            $0.setting.probes == probes && $0.setting.radius == radius
        }
        if let known { return known }
        let new = try await measure(probes, radius)
        measured.append(new)
        return new
    }
}
