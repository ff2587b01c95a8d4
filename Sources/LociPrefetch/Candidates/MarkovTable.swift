import LociBase

/// The step that followed the last one or two steps: patterns that repeat at other places than
/// where they were learned. Where pages lie without order, two steps name a pair of pages, so that
/// order 1 remembers what followed a pair. Bounded; see `ConfidenceTable`.
public struct MarkovTable: Sendable {
    public let order: Int
    private var table: ConfidenceTable

    /// - Parameters:
    ///   - order: steps that make a context, 1 or 2.
    ///   - entriesLog2: from 2 to 16; an entry takes 10 bytes.
    public init(order: Int, entriesLog2: Int) {
        precondition(order == 1 || order == 2, "an order is 1 or 2")
        self.order = order
        table = ConfidenceTable(entriesLog2: entriesLog2)
    }

    public var memoryBytes: Int { table.memoryBytes }

    /// Nil if the table has nothing to say, or says that the stream stays where it is.
    public func successor(of context: StreamContext) -> SuccessorGuess? {
        guard context.length > order, let found = table.lookUp(hash(context)), found.value != 0
        else { return nil }
        return SuccessorGuess(page: context.page &+ found.value, confidence: found.confidence)
    }

    public mutating func learn(_ context: StreamContext, isFollowedBy next: UInt64) {
        guard context.length > order else { return }
        table.learn(hash(context), next &- context.page)
    }

    private func hash(_ context: StreamContext) -> UInt64 {
        order == 1 ? mix64(context.step) : mix64(mix64(context.step) &+ 3 &* context.stepBefore)
    }
}
