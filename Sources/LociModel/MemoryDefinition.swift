public import LociBase

/// A sparse distributed memory over binary vectors (Kanerva 1988): its name, shape and place.
/// Immutable once created.
///
/// Invariants:
/// - The addresses of the hard locations follow from `seed` and are never stored.
/// - Their counters are the cells of `field`, one for each hard location, an int8 for each bit;
///   what was never written is zero.
public struct MemoryDefinition: Hashable, Sendable {
    public let space: SpaceID
    public let name: String
    /// Of an address, and of what is stored at it.
    public let bits: Int
    /// Hard locations.
    public let locations: UInt64
    /// Hard locations within so many bits of an address are active.
    public let radius: Int
    public let seed: UInt64
    /// The field that the counters are.
    public let field: FieldDefinition

    public static let mostBits = 8192
    /// Every one is compared with every address; and sums of this many counters fit an int32.
    public static let mostLocations: UInt64 = 1 << 24

    /// - Throws: INVALID_ARGUMENT with a sentence.
    public init(
        space: SpaceID, name: String, bits: Int, locations: UInt64, radius: Int, seed: UInt64
    ) throws(LociError) {
        try checkName(name)
        guard (1...Self.mostBits).contains(bits) else {
            throw LociError(
                .invalidArgument, "Vectors of \(bits) bits are not possible.",
                advice: "Choose 1 to \(Self.mostBits).")
        }
        guard (1...Self.mostLocations).contains(locations) else {
            throw LociError(
                .invalidArgument, "\(locations) hard locations are not possible.",
                advice: "Choose 1 to \(Self.mostLocations).")
        }
        guard (0...bits).contains(radius) else {
            throw LociError(
                .invalidArgument, "A radius of \(radius) bits is not possible.",
                advice: "Choose 0 to \(bits); such that a thousandth of the hard locations or "
                    + "somewhat more are active.")
        }
        self.space = space
        self.name = name
        self.bits = bits
        self.locations = locations
        self.radius = radius
        self.seed = seed
        field = try FieldDefinition(
            space: space, name: name, elementType: .int8, shape: [locations, UInt64(bits)])
    }

    /// Of an address, and of what is stored at it, packed.
    public var vectorBytes: Int { (bits + 7) / 8 }

    /// Vectors in one request: as many as fit an answer with the sums of their counters, and as can
    /// be compared with all hard locations in 2^27 words of 64 bits, some hundredths of a second;
    /// at least one. The client library splits what is more.
    public var vectorsPerRequest: Int {
        let words = Int(locations) * ((bits + 63) / 64)
        let bound = min(Limits.chunkBytes / (bits * 4), Self.comparedWords / words)
        return min(Limits.pointsPerRequest, max(1, bound))
    }

    private static let comparedWords = 1 << 27
}

extension FieldGeometry {
    /// Of a memory's counters. They go round-robin page by page, so that also a small memory lies
    /// on all partitions: each access touches hard locations everywhere.
    public init(_ memory: MemoryDefinition, partitions: Int) {
        self.init(memory.field, partitions: partitions, pagesPerStripe: 1)
    }
}
