public import LociModel

/// Reading again and again at the address that the last reading gave, until it gives back its own
/// address, a fixed point, or the steps are used up: 10 are enough for what converges at all. Holds
/// no counters: whoever drives it sums them.
public struct KanervaReading: Sendable {
    public let memory: MemoryDefinition
    /// Where to read next; the pattern, once this is finished.
    public private(set) var address: BinaryVector
    /// Readings so far.
    public private(set) var steps = 0
    /// The last reading gave back its own address.
    public private(set) var isFixedPoint = false
    /// Hard locations that the last reading activated.
    public private(set) var active: UInt64 = 0
    private let stepLimit: Int

    public init(_ memory: MemoryDefinition, at address: BinaryVector, steps: Int) {
        precondition(steps > 0 && address.count == memory.bits)
        self.memory = memory
        self.address = address
        stepLimit = steps
    }

    public var isFinished: Bool { isFixedPoint || steps == stepLimit }

    /// Takes the sums of all locations that `address` activates.
    public mutating func advance(_ sums: KanervaSums) {
        precondition(!isFinished)
        let pattern = sums.pattern(of: memory, at: address)
        isFixedPoint = pattern == address
        address = pattern
        active = sums.active
        steps += 1
    }
}
