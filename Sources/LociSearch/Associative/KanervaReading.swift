/// Reading again and again at the address that the last reading gave, until it gives back its own
/// address, a fixed point, or the steps are used up. Holds no counters: whoever drives it sums
/// them.
public struct KanervaReading: Sendable {
    /// Most steps that make sense: a reading that converges does so in fewer.
    public static let largestSteps = 20
    public static let defaultSteps = 10

    public let definition: KanervaMemory.Definition
    /// Where to read next; the pattern, once this is finished.
    public private(set) var address: BinaryVector
    /// Readings so far.
    public private(set) var steps = 0
    public private(set) var isFixedPoint = false
    private let stepLimit: Int

    /// - Parameter steps: from 1; more than `largestSteps` are cut to it.
    public init(
        _ definition: KanervaMemory.Definition, at address: BinaryVector, steps: Int = defaultSteps
    ) {
        precondition(steps > 0 && address.count == definition.bits)
        self.definition = definition
        self.address = address
        stepLimit = min(steps, Self.largestSteps)
    }

    public var isFinished: Bool { isFixedPoint || steps == stepLimit }

    /// Takes the sums of all locations that `address` activates.
    public mutating func advance(_ sums: KanervaSums) {
        precondition(!isFinished)
        let pattern = sums.pattern(of: definition, at: address)
        isFixedPoint = pattern == address
        address = pattern
        steps += 1
    }
}
