/// A page that candidates propose, on its way to being issued.
struct RankedProposal: Sendable {
    var page: UInt64
    /// A bit for each candidate.
    var supporters: UInt8
    /// The surest of them.
    var payer: UInt8
    var confidence: UInt8
    /// Confidence of each candidate, four bits each; 4 where it does not propose the page.
    var confidences: UInt64
    var probability: Float

    var bucket: UInt8 {
        PrefetchArbiter.bucket(
            payer: Int(payer), confidence: Int(confidence),
            supporters: supporters.nonzeroBitCount)
    }
}

/// The candidates of one stream, and where the stream stands.
///
/// Invariants:
/// - Proposals are distinct pages, at most one for each candidate, none the page it stands at.
struct CandidateSet: Sendable {
    static let lastSuccessorLog2 = 14
    static let markovLog2 = 12
    private static let nobody: UInt64 = 0x4_4444

    private let allowed: PrefetchCandidates
    private var stride = StrideDetector()
    private var lastSuccessor = LastSuccessorTable(entriesLog2: lastSuccessorLog2)
    private var markov1 = MarkovTable(order: 1, entriesLog2: markovLog2)
    private var markov2 = MarkovTable(order: 2, entriesLog2: markovLog2)
    private var neighbourhoods = Neighbourhoods()
    private var sessions = StreamSessions()
    private(set) var context = StreamContext()
    private var thirdStep: UInt64 = 0
    private(set) var run: StrideDetector.Run?
    /// By probability once they are ranked.
    private(set) var proposals: [RankedProposal] = []

    init(_ allowed: PrefetchCandidates) {
        self.allowed = allowed
        proposals.reserveCapacity(PrefetchCandidate.allCases.count)
    }

    var memoryBytes: Int {
        stride.memoryBytes + lastSuccessor.memoryBytes + markov1.memoryBytes
            + markov2.memoryBytes + neighbourhoods.memoryBytes + sessions.memoryBytes
            + proposals.capacity * MemoryLayout<RankedProposal>.stride
    }

    /// What follows is read by this session.
    mutating func enter(_ session: UInt64) {
        guard session != sessions.current else { return }
        let standing = sessions.enter(
            session, leaving: .init(context: context, thirdStep: thirdStep))
        context = standing.context
        thirdStep = standing.thirdStep
    }

    /// The stream was not observed for a while.
    mutating func restart() {
        context = StreamContext()
        sessions.forgetAll()
    }

    mutating func learn(_ page: UInt64) {
        if context.length > 0 { lastSuccessor.learn(context.page, isFollowedBy: page) }
        markov1.learn(context, isFollowedBy: page)
        markov2.learn(context, isFollowedBy: page)
        run = stride.observe(page)
        thirdStep = context.stepBefore
        context.advance(to: page)
    }

    /// What came of a proposal of `next`.
    mutating func learnNext(_ page: UInt64, isRight: Bool) {
        neighbourhoods.learn(page &- 1, isRight: isRight)
    }

    /// Collects the pages that candidates expect next.
    mutating func propose() {
        proposals.removeAll(keepingCapacity: true)
        if let run, run.isConfirmed {
            let confidence = UInt8(min(run.length - StrideDetector.confirmation, 3))
            add(.stride, SuccessorGuess(page: context.page &+ run.step, confidence: confidence))
        }
        add(.markov2, markov2.successor(of: context))
        add(.markov1, markov1.successor(of: context))
        add(.lastSuccessor, lastSuccessor.successor(of: context.page))
        add(.next, neighbourhoods.successor(of: context.page))
    }

    private mutating func add(_ candidate: PrefetchCandidate, _ guess: SuccessorGuess?) {
        guard let guess, guess.page != context.page,
            allowed.contains(PrefetchCandidates(candidate))
        else { return }
        let bit = PrefetchCandidates(candidate).rawValue
        let mark = (UInt64(guess.confidence) ^ 4) << UInt64(4 * candidate.rawValue)
        for index in proposals.indices where proposals[index].page == guess.page {
            proposals[index].supporters |= bit
            proposals[index].confidences ^= mark
            if guess.confidence > proposals[index].confidence {
                proposals[index].confidence = guess.confidence
                proposals[index].payer = UInt8(candidate.rawValue)
            }
            return
        }
        proposals.append(
            RankedProposal(
                page: guess.page, supporters: bit, payer: UInt8(candidate.rawValue),
                confidence: guess.confidence, confidences: Self.nobody ^ mark, probability: 0))
    }

    mutating func setProbability(_ probability: Float, at index: Int) {
        proposals[index].probability = probability
    }

    /// Best first, by insertion: there are five at most.
    mutating func rank() {
        for index in proposals.indices.dropFirst() {
            var place = index
            while place > 0, proposals[place - 1].probability < proposals[place].probability {
                proposals.swapAt(place - 1, place)
                place -= 1
            }
        }
    }

    /// - Parameters:
    ///   - absences: whether the last two pages were not there by chance, the last one lowest.
    ///   - recentRight: how often the payer was right lately.
    func evidence(
        _ proposal: RankedProposal, absences: UInt8, recentRight: Float
    ) -> Evidence {
        var nominal = proposal.confidences
        nominal |= UInt64(proposal.supporters.nonzeroBitCount - 1) << 20
        nominal |= runClass << 24 | UInt64(absences & 3) << 28
        nominal |= Self.kind(context.step) << 32 | Self.kind(context.stepBefore) << 36
        nominal |= Self.kind(thirdStep) << 40
        let step = proposal.page &- context.page
        return Evidence(
            nominal: nominal, distance: Float(64 - min(step, 0 &- step).leadingZeroBitCount),
            recentRight: recentRight)
    }

    private var runClass: UInt64 {
        guard let run else { return 0 }
        switch run.length {
        case 1: return run.step == 1 ? 1 : 0
        case 2: return 2
        case ...7: return 3
        default: return 4
        }
    }

    /// Steps by kind: none or one on, one back, and by their number of bits.
    private static func kind(_ step: UInt64) -> UInt64 {
        let size = 64 - min(step, 0 &- step).leadingZeroBitCount
        switch size {
        case 0, 1: return step == UInt64.max ? 1 : 0
        case ...3: return 2
        case ...6: return 3
        case ...10: return 4
        case ...16: return 5
        case ...24: return 6
        default: return 7
        }
    }

    /// What the tables expect after a page that has not come yet, and how often guesses like it
    /// were right.
    func successor(
        of ahead: StreamContext, by arbiter: borrowing PrefetchArbiter
    ) -> (page: UInt64, probability: Float)? {
        let guesses: InlineArray<4, SuccessorGuess?> = [
            markov2.successor(of: ahead), markov1.successor(of: ahead),
            lastSuccessor.successor(of: ahead.page), neighbourhoods.successor(of: ahead.page),
        ]
        let candidates: InlineArray<4, PrefetchCandidate> = [
            .markov2, .markov1, .lastSuccessor, .next,
        ]
        var best: (page: UInt64, probability: Float)?
        for index in guesses.indices {
            let candidate = candidates[index]
            guard let guess = guesses[index], allowed.contains(PrefetchCandidates(candidate))
            else { continue }
            let probability = arbiter.recordedProbability(
                PrefetchArbiter.bucket(
                    payer: candidate.rawValue, confidence: Int(guess.confidence), supporters: 1))
            if probability > best?.probability ?? 0 { best = (guess.page, probability) }
        }
        return best
    }
}
