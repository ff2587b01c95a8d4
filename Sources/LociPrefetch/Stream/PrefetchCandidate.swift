/// Who can propose a page.
public enum PrefetchCandidate: Int, CaseIterable, Sendable {
    case stride, lastSuccessor, markov1, markov2
    /// The page after; see `Neighbourhoods`.
    case next

    public var name: String {
        switch self {
        case .stride: "stride"
        case .lastSuccessor: "last"
        case .markov1: "markov1"
        case .markov2: "markov2"
        case .next: "next"
        }
    }
}

/// Several candidates.
public struct PrefetchCandidates: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public init(_ candidate: PrefetchCandidate) { rawValue = 1 << UInt8(candidate.rawValue) }

    public static let stride = PrefetchCandidates(.stride)
    public static let lastSuccessor = PrefetchCandidates(.lastSuccessor)
    public static let markov1 = PrefetchCandidates(.markov1)
    public static let markov2 = PrefetchCandidates(.markov2)
    public static let next = PrefetchCandidates(.next)
    public static let all: PrefetchCandidates = [
        .stride, .lastSuccessor, .markov1, .markov2, .next,
    ]
}
