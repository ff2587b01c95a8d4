import LociBase

/// The page that followed a page the last time: the cheapest memory of a stream that repeats
/// itself in any order of pages. Bounded; see `ConfidenceTable`.
public struct LastSuccessorTable: Sendable {
    private var table: ConfidenceTable

    /// - Parameter entriesLog2: from 2 to 16; an entry takes 10 bytes.
    public init(entriesLog2: Int) { table = ConfidenceTable(entriesLog2: entriesLog2) }

    public var memoryBytes: Int { table.memoryBytes }

    public func successor(of page: UInt64) -> SuccessorGuess? {
        guard let found = table.lookUp(mix64(page)) else { return nil }
        return SuccessorGuess(page: found.value, confidence: found.confidence)
    }

    public mutating func learn(_ page: UInt64, isFollowedBy next: UInt64) {
        table.learn(mix64(page), next)
    }
}
