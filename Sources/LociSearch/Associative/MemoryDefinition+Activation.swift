import Glibc
import LociKernels
public import LociModel

// Kanerva's sparse distributed memory (Kanerva, Sparse Distributed Memory, 1988) over binary
// vectors: hard locations at random addresses, each with a counter for every bit. A write adds the
// data to the counters of all locations within the radius of its address; a read adds these up and
// takes the sign of each sum. Here are the parts that no counters are needed for: which locations
// an address activates, and how many.
extension MemoryDefinition {
    /// The address of a hard location.
    public func address(of location: UInt64) -> BinaryVector {
        BinaryVector(
            words: (0..<((bits + 63) / 64)).map {
                Kernels.locationWord(seed: seed, location: location, word: $0)
            }, count: bits)
    }

    /// The hard locations of a range that an address activates, ascending. Costs less than a
    /// nanosecond for each location of the range and 64 bits.
    public func activeLocations(
        of address: BinaryVector, in range: Range<UInt64>
    ) -> [UInt64] {
        activeLocations(of: address, in: CollectionOfOne(range))
    }

    /// The hard locations that an address activates of those whose counters lie in a partition,
    /// ascending.
    public func activeLocations(
        of address: BinaryVector, partition: UInt32, of partitions: Int
    ) -> [UInt64] {
        activeLocations(
            of: address, partition: partition, of: partitions, within: 0..<locations)
    }

    /// As before, of a range that begins with a row: the next page of every partition.
    func activeLocations(
        of address: BinaryVector, partition: UInt32, of partitions: Int, within range: Range<UInt64>
    ) -> [UInt64] {
        let row = locationsPerPage * UInt64(partitions)
        precondition(partition < partitions && range.lowerBound % row == 0)
        let starts = stride(
            from: range.lowerBound + UInt64(partition) * locationsPerPage, to: range.upperBound,
            by: Int(row))
        let ranges = starts.lazy.map { $0..<min($0 + locationsPerPage, range.upperBound) }
        return activeLocations(of: address, in: ranges)
    }

    /// Whose counters lie on one page.
    var locationsPerPage: UInt64 { UInt64(field.pageBytes / field.cellBytes) }

    private func activeLocations(
        of address: BinaryVector, in ranges: some Sequence<Range<UInt64>>
    ) -> [UInt64] {
        precondition(address.count == bits, "an address of another length")
        return Kernels.activeLocations(
            seed: seed, ranges: ranges, address: address.words, bits: bits, radius: radius)
    }

    /// The share of all addresses that activates a location: P(Bin(bits, 1/2) <= radius).
    public var activation: Double { Self.activations(bits: bits)[radius] }

    /// How many locations an address activates, on average.
    public var expectedActive: Double { activation * Double(locations) }

    /// The radius for about `items` patterns: that at which the share of active locations is
    /// nearest, by ratio, to (2 * locations * items)^(-1/3), where the signal of a stored pattern
    /// stands out most against the noise of the others (Kanerva 1988, chapter 6).
    public static func radius(bits: Int, locations: UInt64, items: UInt64) -> Int {
        precondition(bits > 0 && locations > 0)
        let share = -log(2 * Double(locations) * Double(max(items, 1))) / 3
        let distances = activations(bits: bits).map { abs(log($0) - share) }
        return distances.indices.min { distances[$0] < distances[$1] } ?? 0
    }

    /// The largest radius at which an address activates no more locations than so many on average;
    /// nil if it is more at any.
    public func largestRadius(mostActive: Double) -> Int? {
        Self.activations(bits: bits).lastIndex { $0 * Double(locations) <= mostActive }
    }

    /// P(Bin(bits, 1/2) <= radius) for each radius.
    private static func activations(bits: Int) -> [Double] {
        var logarithm = -Double(bits) * log(2)
        var sum = 0.0
        return (0...bits).map { radius in
            if radius > 0 { logarithm += log(Double(bits - radius + 1) / Double(radius)) }
            sum += exp(logarithm)
            return min(sum, 1)
        }
    }
}
