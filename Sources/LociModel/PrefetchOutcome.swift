/// What became of a page that was to be fetched before it was asked for. `PrefetchTally` counts
/// outcomes under the same names.
public enum PrefetchOutcome: Sendable, CaseIterable {
    /// It was there when it was asked for.
    case used
    /// It was still on its way when it was asked for.
    case late
    /// It left memory without having been asked for, or could not be fetched.
    case wasted
    /// It was not fetched: it was there already, or there was no room or no time.
    case dropped
}
