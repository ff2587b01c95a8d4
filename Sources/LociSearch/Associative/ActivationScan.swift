public import LociBase
public import LociModel

/// The search for those hard locations of a partition that an address activates, a part at a time,
/// so that whoever searches can do other things between two parts.
///
/// Invariants:
/// - `active` are all that are active before `next`, ascending.
/// - `next` is the first location of a row of pages, one page for each partition, or the end.
public struct ActivationScan: Sendable {
    private let memory: MemoryDefinition
    private let address: BinaryVector
    private let partition: PartitionIndex
    private let partitions: Int
    private var next: UInt64 = 0
    public private(set) var active: [CellIndex] = []

    /// - Precondition: the address has as many bits as the memory, and there is the partition.
    public init(
        _ memory: MemoryDefinition, of address: BinaryVector, partition: PartitionIndex,
        of partitions: Int
    ) {
        precondition(partition < partitions)
        self.memory = memory
        self.address = address
        self.partition = partition
        self.partitions = partitions
    }

    public var isDone: Bool { next == memory.locations }

    /// Compares until all locations have been compared, more than `most` are active, or there are
    /// no words left; takes what it has compared off `words`, in words of 64 bits, and something
    /// for the call itself. It goes a little below 0: rows are compared whole.
    public mutating func advance(words: inout Int, most: Int) {
        let wordsOfLocation = (memory.bits + 63) / 64
        let row = memory.locationsPerPage * UInt64(partitions)
        while !isDone, active.count <= most, words > 0 {
            // Few at a time: `active` goes beyond `most` by no more than these.
            let locations = min(Self.locationsAtOnce, words / wordsOfLocation)
            let rows = max(1, UInt64(locations) / memory.locationsPerPage)
            let end = min(memory.locations, next + rows * row)
            active += memory.activeLocations(
                of: address, partition: partition, of: partitions, within: next..<end)
            next = end
            words -= Int(rows * memory.locationsPerPage) * wordsOfLocation + Self.wordsOfCall
        }
    }

    /// Of the partition.
    private static let locationsAtOnce = 1 << 16
    /// About as many could be compared in the time that a call takes beside comparing.
    private static let wordsOfCall = 4096
}
