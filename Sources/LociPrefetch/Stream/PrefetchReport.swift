public import LociModel

/// What a predictor did, and what came of it.
public struct PrefetchReport: Equatable, Sendable {
    public struct Candidate: Equatable, Sendable {
        public let candidate: PrefetchCandidate
        /// Pages that were fetched on its word; one that several proposed counts for the surest.
        public var issued: UInt64 = 0
        /// Of these, those that were asked for.
        public var right: UInt64 = 0
        /// Its pages whose fate is known to be in vain.
        public var wasted: UInt64 = 0
        /// Its part of all that was issued.
        public var shareOfBudget = 0.0
        /// What it would have fetched: proposals that were scored, issued or not, and those of
        /// them that came within the window.
        public var scored: UInt64 = 0
        public var scoredRight: UInt64 = 0
        /// Whether it has spent its credit, so that it is asked only now and then.
        public var isSilent = false
        /// How many pages ahead it fetches at most.
        public var depth = 0.0

        /// Share of its proposals that came, whether they were issued or not; 0 if none is known.
        public var shadowPrecision: Double {
            scored == 0 ? 0 : Double(scoredRight) / Double(scored)
        }
    }

    /// By `PrefetchCandidate.rawValue`.
    public var candidates: [Candidate]
    /// Pages asked for, and how many of these were not there and had not been predicted.
    public var accesses: UInt64 = 0
    public var misses: UInt64 = 0
    public var tally = PrefetchTally()
    /// Whether only a sample of the stream is observed.
    public var isAsleep = false
    /// Share of the predictions that were found to be there already.
    public var residentShare = 0.0

    /// Share of fetched pages of known fate that were asked for; 1 if none is known.
    public var precision: Double { tally.precision }

    /// Share of the pages that were asked for and were not there by chance that were predicted; 0
    /// if there were none.
    public var coverage: Double {
        let predicted = tally.used + tally.late
        return predicted == 0 ? 0 : Double(predicted) / Double(predicted + misses)
    }

    /// Misses that prefetching may have caused, at most and as a share of accesses: every page
    /// fetched in vain took the place of one that might have been asked for.
    public var pollution: Double {
        accesses == 0 ? 0 : Double(tally.wasted) / Double(accesses)
    }

    /// Bytes fetched for each byte of the pages that were asked for; infinite if none was.
    public var bytesPerUsedByte: Double {
        let known = tally.used + tally.late + tally.wasted
        let used = tally.used + tally.late
        if known == 0 { return 1 }
        return used == 0 ? .infinity : Double(known) / Double(used)
    }
}
