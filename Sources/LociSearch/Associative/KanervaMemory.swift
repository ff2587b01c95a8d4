import Glibc
public import LociModel

/// Kanerva's sparse distributed memory (Kanerva, Sparse Distributed Memory, 1988) over binary
/// vectors: hard locations at random addresses, each with a counter for every bit. A write adds the
/// data to the counters of all locations within the radius of its address; a read adds these up and
/// takes the sign of each sum. Here are the parts that no counters are needed for: which locations
/// an address activates, and what sums of counters mean.
public enum KanervaMemory {
    /// The cells that hold a memory's counters, and the random choice of its locations.
    ///
    /// Invariants:
    /// - The addresses of the hard locations are a function of the seed; they are never stored.
    /// - Location i is cell i of a field of shape [locations, bits] of int8.
    public struct Definition: Hashable, Sendable {
        /// Bits of an address and of the data.
        public let bits: Int
        public let locations: UInt64
        /// The largest Hamming distance at which an address activates a location.
        public let radius: Int
        public let seed: UInt64

        /// Most bits of a memory.
        public static let largestBits = 8192
        /// Most hard locations: each access compares its address with all of them, and sums of
        /// this many counters still fit an int32.
        public static let largestLocations: UInt64 = 1 << 24
        /// Least bits: below, the random addresses are not sparse.
        public static let smallestBits = 8

        /// - Throws: INVALID_ARGUMENT with a sentence.
        public init(bits: Int, locations: UInt64, radius: Int, seed: UInt64) throws(LociError) {
            guard (Self.smallestBits...Self.largestBits).contains(bits) else {
                throw LociError(
                    .invalidArgument, "A memory of \(bits) bits is not possible.",
                    advice: "Choose \(Self.smallestBits) to \(Self.largestBits).")
            }
            guard (1...Self.largestLocations).contains(locations) else {
                throw LociError(
                    .invalidArgument, "A memory of \(locations) hard locations is not possible.",
                    advice: "Choose 1 to \(Self.largestLocations).")
            }
            guard (0...(bits / 2)).contains(radius) else {
                throw LociError(
                    .invalidArgument,
                    "A radius of \(radius) is not possible with \(bits) bits.",
                    advice: "Choose 0 to \(bits / 2): there, half of all locations are active.")
            }
            self.bits = bits
            self.locations = locations
            self.radius = radius
            self.seed = seed
        }

        /// The share of all addresses that activates a location: P(Bin(bits, 1/2) <= radius).
        public var activation: Double {
            KanervaMemory.activations(bits: bits).prefix(radius + 1).last ?? 0
        }

        /// How many locations an address activates, on average.
        public var expectedActive: Double { activation * Double(locations) }
    }

    /// The radius for about `items` patterns: that at which the share of active locations is
    /// nearest, by ratio, to (2 * locations * items)^(-1/3), where the signal of a stored pattern
    /// stands out most against the noise of the others (Kanerva 1988, chapter 6).
    public static func radius(bits: Int, locations: UInt64, items: UInt64) -> Int {
        precondition(bits > 0 && locations > 0)
        let share = -log(2 * Double(locations) * Double(max(items, 1))) / 3
        let distances = activations(bits: bits).map { abs(log($0) - share) }
        return distances.indices.min { distances[$0] < distances[$1] } ?? 0
    }

    /// P(Bin(bits, 1/2) <= radius) for each radius up to half of the bits.
    private static func activations(bits: Int) -> [Double] {
        var logarithm = -Double(bits) * log(2)
        var sum = 0.0
        return (0...(bits / 2)).map { radius in
            if radius > 0 { logarithm += log(Double(bits - radius + 1) / Double(radius)) }
            sum += exp(logarithm)
            return sum
        }
    }
}
