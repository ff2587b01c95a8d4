/// What may be fetched before it is asked for.
public enum PrefetchChoice: String, CaseIterable, Sendable {
    /// What clients announce, what is guessed from what was read, and what processes tell each
    /// other.
    case on
    /// Only what clients announce.
    case told
    /// Nothing; who announces is told so.
    case off
}
