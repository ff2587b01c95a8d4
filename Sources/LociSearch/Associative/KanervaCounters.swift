public import LociBase
import LociKernels
public import LociModel

/// The counters of one hard location: one int8 for each bit, from -127 to 127.
public enum KanervaCounters {
    /// The counters after these patterns were written, one after the other: each adds 1 where its
    /// bit is 1 and takes 1 where it is 0. A counter that has reached +-127 stays there.
    /// - Precondition: there is a counter for each bit.
    public static func adding(_ patterns: [BinaryVector], to counters: Bytes) -> Bytes {
        var values = counters.values(Int8.self)
        for pattern in patterns {
            precondition(pattern.count == values.count, "pattern and counters differ")
            Kernels.write(pattern.words, to: &values)
        }
        return Bytes(values: values)
    }
}

/// Sums of the counters of active locations, bit by bit. Sums of parts add up to exactly the sums
/// of the whole, in any order: 127 for each of the most locations that a memory has fits an int32.
public struct KanervaSums: Hashable, Sendable {
    public private(set) var values: [Int32]
    /// Locations that were added.
    public private(set) var active: UInt64 = 0

    public init(bits: Int) { values = [Int32](repeating: 0, count: bits) }

    /// As they arrive from another part.
    public init(values: [Int32], active: UInt64) {
        self.values = values
        self.active = active
    }

    /// Adds the counters of one active location, which start at byte `offset`.
    public mutating func add(_ counters: Bytes, at offset: Int = 0) {
        Kernels.addCounters(counters, at: offset, to: &values)
        active += 1
    }

    /// Adds what another part has summed.
    public mutating func merge(_ other: KanervaSums) {
        precondition(values.count == other.values.count, "sums of another length")
        for index in values.indices { values[index] &+= other.values[index] }
        active += other.active
    }

    /// Each bit is the sign of its sum. Where a sum is 0 the bit is random, but always the same for
    /// the same memory and address.
    public func pattern(of memory: MemoryDefinition, at address: BinaryVector)
        -> BinaryVector
    {
        precondition(values.count == memory.bits && address.count == memory.bits)
        var random = SeededRandom(
            seed: address.words.reduce(mix64(~memory.seed)) { mix64($0 ^ $1) })
        let ties = BinaryVector(random: memory.bits, using: &random)
        var pattern = BinaryVector(zeros: memory.bits)
        for bit in values.indices {
            pattern[bit] = values[bit] == 0 ? ties[bit] : values[bit] > 0
        }
        return pattern
    }
}
