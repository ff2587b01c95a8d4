import LociBase

/// How long page-ins that nobody waits for take: a running mean and deviation, as for round trips
/// in Jacobson, "Congestion Avoidance and Control" (SIGCOMM 1988), appendix A.
struct PageInPace: Sendable {
    /// What is needed is to be there so much earlier.
    static let marginMicroseconds: UInt64 = 2000
    /// Page-ins that are under way at once, if nobody waits for others.
    static let together = 32
    /// The same while somebody waits for a page-in.
    static let togetherBesideOthers = 4

    private(set) var mean: UInt64 = 2000
    private(set) var deviation: UInt64 = 1000
    private static let longest: UInt64 = 10_000_000

    mutating func note(microseconds measured: UInt64) {
        let sample = min(measured, Self.longest)
        let error = sample > mean ? sample - mean : mean - sample
        mean = (7 * mean + sample) / 8
        deviation = (3 * deviation + error) / 4
    }

    /// How long before they are needed so many pages are to be asked for.
    func microseconds(forPages count: Int) -> UInt64 {
        let rounds = UInt64(1 + count / Self.together)
        return (mean + 4 * deviation) * rounds + Self.marginMicroseconds
    }
}
