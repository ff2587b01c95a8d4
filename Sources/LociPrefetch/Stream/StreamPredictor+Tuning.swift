extension StreamPredictor {
    public struct Tuning: Sendable {
        /// Who may propose pages.
        public var candidates = PrefetchCandidates.all
        /// Pages that one access may ask to have fetched.
        public var mostPerAccess = 4
        /// Pages ahead that a candidate may be.
        public var mostDepth = 16
        /// What fetching a page in vain costs, measured in what one fetched in time saves; from 0
        /// to 1. A page is fetched only if it is at least as likely to be asked for.
        public var cost = 0.5
        /// Accesses within which a predicted page has to come to count as right.
        public var window = 64
        /// False: all proposals are issued, best first, worth it or not.
        public var isGoverned = true
        /// Accesses without a fetched page that was used after which only samples of the stream
        /// are observed: `sampleLength` accesses in a row out of `samplePeriod`.
        public var sleepsAfter = 8192
        /// The same when a sample has just ended that.
        public var trialLength = 1024
        public var sampleLength = 32
        public var samplePeriod = 256

        public init() {}

        var isValid: Bool {
            mostPerAccess > 0 && mostDepth > 0 && (0...1).contains(cost) && window > 0
                && sampleLength > 0 && samplePeriod > sampleLength && sleepsAfter > 0
                && trialLength > 0
        }
    }
}
