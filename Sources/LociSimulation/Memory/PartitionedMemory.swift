import LociBase
import LociModel
import LociSearch

/// The counters of a sparse distributed memory as the shards of so many partitions keep them,
/// without pages, log and messages: what is active, what a write does to counters and how sums of
/// partitions become those of the memory is the code that shards and coordinator run.
///
/// Invariants:
/// - A partition finds its active hard locations by itself and only ever sees its own counters.
/// - What was never written is zero and takes no room.
struct PartitionedMemory {
    let definition: MemoryDefinition
    let partitions: Int
    /// Hard locations whose counters are kept; nil: all. A read of others finds zeros.
    private let kept: Set<CellIndex>?
    private var counters: [[CellIndex: Bytes]]

    init(_ definition: MemoryDefinition, partitions: Int = 1, kept: Set<CellIndex>? = nil) {
        precondition(partitions > 0)
        self.definition = definition
        self.partitions = partitions
        self.kept = kept
        counters = Array(repeating: [:], count: partitions)
    }

    /// Hard locations of a partition that an address activates, ascending.
    func active(_ address: BinaryVector, in partition: Int) -> [CellIndex] {
        var scan = ActivationScan(
            definition, of: address, partition: PartitionIndex(partition), of: partitions)
        var words = Int.max
        while !scan.isDone { scan.advance(words: &words, most: .max) }
        return scan.active
    }

    /// Stores a pattern at itself.
    mutating func write(_ pattern: BinaryVector) {
        let zeros = Bytes(zeros: definition.bits)
        for partition in 0..<partitions {
            for location in active(pattern, in: partition)
            where kept?.contains(location) ?? true {
                let old = counters[partition][location] ?? zeros
                counters[partition][location] = KanervaCounters.adding([pattern], to: old)
            }
        }
    }

    /// Of all partitions, merged.
    func sums(at address: BinaryVector) -> KanervaSums {
        let zeros = Bytes(zeros: definition.bits)
        var sums = KanervaSums(bits: definition.bits)
        for partition in 0..<partitions {
            var partial = KanervaSums(bits: definition.bits)
            for location in active(address, in: partition) {
                partial.add(counters[partition][location] ?? zeros)
            }
            sums.merge(partial)
        }
        return sums
    }
}

extension BinaryVector {
    /// With exactly so many bits turned over.
    func flipped(_ flips: Int, using random: inout SeededRandom) -> BinaryVector {
        var flipped = self
        for bit in (0..<count).shuffled(using: &random).prefix(flips) { flipped[bit].toggle() }
        return flipped
    }
}
