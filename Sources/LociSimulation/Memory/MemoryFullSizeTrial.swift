import LociBase
public import LociModel
import LociSearch

/// Kanerva's memory of a million hard locations of 1,000 bits with 10,000 patterns (Sparse
/// Distributed Memory, 1988): what one reading leaves of the noise it starts with, and
/// how much of an address's active locations another activates, by its distance.
///
/// Invariants:
/// - Every pattern goes through the activation of all hard locations. Counters are only kept of
///   those that one of the readings activates, a fifth of all with 24 at each distance: a reading
///   sees the same sums as if all were kept.
public struct MemoryFullSizeTrial: Sendable {
    public var locations: UInt64
    public var stored: Int
    /// Readings at each distance; each starts near another pattern.
    public var probes: Int
    /// Pairs of addresses at each distance.
    public var pairs: Int
    public var seed: UInt64

    public static let bits = 1000
    /// 0.107 % of the locations are active.
    public static let radius = 451

    public init(
        locations: UInt64 = 1_000_000, stored: Int = 10_000, probes: Int = 24, pairs: Int = 200,
        seed: UInt64 = 1
    ) {
        precondition(probes > 1 && pairs > 1 && stored >= probes)
        self.locations = locations
        self.stored = stored
        self.probes = probes
        self.pairs = pairs
        self.seed = seed
    }

    /// What has begun, and how much of it is done.
    public enum Progress: Sendable {
        case pairs(Int)
        case stored(Int)
    }

    /// - Parameter progress: Hears of each pair, and of each hundredth pattern.
    /// - Throws: INVALID_ARGUMENT if a memory has no so many locations.
    public func run(
        progress: (Progress) -> Void = { _ in }
    ) throws(LociError) -> MemoryFullSizeReport {
        var random = SeededRandom(seed: mix64(seed))
        let definition = try MemoryDefinition(
            space: 1, name: "memory", bits: Self.bits, locations: locations, radius: Self.radius,
            seed: random.next())
        let overlaps = overlaps(definition, &random, progress)
        return MemoryFullSizeReport(
            locations: locations, stored: stored, expectedActive: definition.expectedActive,
            active: overlaps.active, overlaps: overlaps.byDistance,
            readings: readings(definition, &random, progress))
    }

    private func overlaps(
        _ definition: MemoryDefinition, _ random: inout SeededRandom,
        _ progress: (Progress) -> Void
    ) -> (active: Figure, byDistance: [MemoryFullSizeReport.Overlap]) {
        let memory = PartitionedMemory(definition)
        let distances = MemoryFullSizeReport.knownOverlaps.map(\.distance)
        var shares = [[Double]](repeating: [], count: distances.count)
        var counts: [Double] = []
        for pair in 0..<pairs {
            progress(.pairs(pair))
            let address = BinaryVector(random: Self.bits, using: &random)
            let active = Set(memory.active(address, in: 0))
            counts.append(Double(active.count))
            for (index, distance) in distances.enumerated() {
                let other = memory.active(address.flipped(distance, using: &random), in: 0)
                let shared = other.count { active.contains($0) }
                // Of the expected number: a ratio of two chances would lean to one side.
                shares[index].append(Double(shared) / definition.expectedActive)
            }
        }
        let overlaps = zip(MemoryFullSizeReport.knownOverlaps, shares).map {
            MemoryFullSizeReport.Overlap(
                distance: $0.distance, share: Figure($1), reference: $0.share,
                counted: definition.expectedActive * Double(pairs))
        }
        return (Figure(counts), overlaps)
    }

    private func readings(
        _ definition: MemoryDefinition, _ random: inout SeededRandom,
        _ progress: (Progress) -> Void
    ) -> [MemoryFullSizeReport.Reading] {
        let patterns = (0..<stored).map { _ in BinaryVector(random: Self.bits, using: &random) }
        let known = MemoryFullSizeReport.knownReadings
        let starts = known.map { reading in
            patterns.shuffled(using: &random).prefix(probes).map { pattern in
                (pattern, pattern.flipped(reading.distance, using: &random))
            }
        }
        let all = PartitionedMemory(definition)
        let kept = Set(starts.joined().flatMap { all.active($0.1, in: 0) })
        var memory = PartitionedMemory(definition, kept: kept)
        for (index, pattern) in patterns.enumerated() {
            if index.isMultiple(of: 100) { progress(.stored(index)) }
            memory.write(pattern)
        }
        return zip(known, starts).map { known, starts in
            let wrong = starts.map { pattern, start in
                var reading = KanervaReading(definition, at: start, steps: 1)
                reading.advance(memory.sums(at: start))
                return Double(reading.address.distance(to: pattern))
            }
            return MemoryFullSizeReport.Reading(
                distance: known.distance, wrong: Figure(wrong), reference: known.wrong,
                referenceDeviation: known.deviation)
        }
    }
}

/// Mean and standard deviation of some numbers.
public struct Figure: Sendable {
    public let mean: Double
    public let deviation: Double
    /// Standard deviation of the mean.
    public let error: Double

    init(_ values: [Double]) {
        precondition(values.count > 1)
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        self.mean = mean
        deviation = (squares / (count - 1)).squareRoot()
        error = deviation / count.squareRoot()
    }
}
