import LociBase

/// Whether a stream is observed: always while awake, in samples while asleep. Samples begin at
/// random distances, so that no loop hides between them.
struct SleepCycle: Sendable {
    enum Attention: Sendable {
        case awake, sampling
        /// The first page of a sample: what came before it was not observed.
        case beginningSample
        case none
    }

    private let tuning: StreamPredictor.Tuning
    private(set) var isAsleep = false
    private var isSampling = false
    /// While asleep: accesses until the sample or the pause ends.
    private var remainder = 0
    /// When a fetched page was last used; shifted so that sleep comes sooner after a false alarm.
    private var lastPaid: UInt32 = 0

    init(_ tuning: StreamPredictor.Tuning) { self.tuning = tuning }

    /// One access on.
    mutating func advance(_ random: inout SeededRandom) -> Attention {
        guard isAsleep else { return .awake }
        remainder -= 1
        if remainder <= 0 {
            isSampling.toggle()
            remainder = isSampling ? tuning.sampleLength : pause(&random)
            if isSampling { return .beginningSample }
        }
        return isSampling ? .sampling : .none
    }

    /// A fetched page was used.
    mutating func paid(now: UInt32) { lastPaid = now }

    /// Something is worth fetching.
    mutating func wake(now: UInt32) {
        guard isAsleep else { return }
        isAsleep = false
        lastPaid = now &- UInt32(max(0, tuning.sleepsAfter - tuning.trialLength))
    }

    mutating func sleepIfNothingPays(now: UInt32, _ random: inout SeededRandom) {
        guard !isAsleep, now &- lastPaid > UInt32(tuning.sleepsAfter) else { return }
        isAsleep = true
        isSampling = false
        remainder = pause(&random)
    }

    private func pause(_ random: inout SeededRandom) -> Int {
        let mean = tuning.samplePeriod - tuning.sampleLength
        return mean / 2 + random.below(mean + 1)
    }
}
