import LociBase
import LociModel

/// Expects the next pages of a stream from those before: several candidates propose, an arbiter
/// says how likely each page is, and a governor lets through what pays. For one class of streams
/// (a client's reads of a field, say); one object of at most 300,000 bytes for each.
///
/// Invariants:
/// - Memory is allocated when it is made, and after that only by splits of the arbiter's trees,
///   which are bounded and rare; all tables are bounded, the oldest or least proven give way.
/// - What was predicted depends on the calls and the seed alone.
/// - A page is not predicted again while its last prediction is open.
/// - A stream without pattern is not followed for long: after `sleepsAfter` accesses without a
///   fetched page that was used only samples of it are observed. One proposal in a sample that is
///   worth fetching ends that, so that a run is noticed within two sample periods; if nothing
///   comes of it within `trialLength` accesses, only samples are observed again.
///
/// Arbiter: see `PrefetchArbiter`, which learns from every proposal whose fate becomes known.
public struct StreamPredictor: Sendable {
    static let lastSuccessorLog2 = 14
    static let markovLog2 = 12
    private static let shadowCapacity = 256
    private static let issuedSets = 128
    /// Accesses after which a fetched page that nobody told about may be predicted again.
    private static let issuedLifetime: UInt32 = 4096

    let tuning: Tuning
    private var random: SeededRandom
    private var stride = StrideDetector()
    private var lastSuccessor: LastSuccessorTable
    private var markov1: MarkovTable
    private var markov2: MarkovTable
    private var neighbourhoods = Neighbourhoods()
    private var arbiter = PrefetchArbiter()
    private var governor: PrefetchGovernor
    private var book: ShadowBook
    private var issuedPages: IssuedPages

    private var sessions = StreamSessions()
    private var context = StreamContext()
    private var thirdStep: UInt64 = 0
    private var run: StrideDetector.Run?
    /// A bit for each of the last pages, the youngest lowest: not there, or thanks to us.
    private var absences: UInt8 = 0
    private var now: UInt32 = 0
    /// When a fetched page was last used, or later by as much as sleep is put off.
    private var lastPaid: UInt32 = 0
    /// While asleep: accesses until the sample or the pause ends.
    private var sampleRemainder = 0
    private var isSampling = true
    private var isAsleep = false
    private var proposals: [Ranked] = []
    private var counts = PrefetchReport(candidates: [])

    /// A proposal on its way to being issued.
    struct Ranked: Sendable {
        var page: UInt64
        var supporters: UInt8
        var payer: UInt8
        var confidence: UInt8
        /// Confidence of each candidate, four bits each; 4 where it does not propose the page.
        var confidences: UInt64
        var probability: Float
    }

    public init(tuning: Tuning = Tuning(), seed: UInt64 = 1) {
        precondition(tuning.isValid, "a predictor's tuning is out of range")
        self.tuning = tuning
        random = SeededRandom(seed: seed)
        lastSuccessor = LastSuccessorTable(entriesLog2: Self.lastSuccessorLog2)
        markov1 = MarkovTable(order: 1, entriesLog2: Self.markovLog2)
        markov2 = MarkovTable(order: 2, entriesLog2: Self.markovLog2)
        governor = PrefetchGovernor(cost: Float(tuning.cost), mostDepth: tuning.mostDepth)
        book = ShadowBook(capacity: Self.shadowCapacity)
        issuedPages = IssuedPages(sets: Self.issuedSets, lifetime: Self.issuedLifetime)
        proposals.reserveCapacity(PrefetchCandidate.allCases.count)
    }

    public var memoryBytes: Int {
        MemoryLayout<Self>.size + stride.memoryBytes + lastSuccessor.memoryBytes
            + markov1.memoryBytes + markov2.memoryBytes + arbiter.memoryBytes + book.memoryBytes
            + neighbourhoods.memoryBytes + issuedPages.memoryBytes + sessions.memoryBytes
            + proposals.capacity * MemoryLayout<Ranked>.stride
            + governor.accounts.capacity * MemoryLayout<PrefetchGovernor.Account>.stride
    }

    /// A page was asked for. Appends the pages that are worth fetching now, best first, distinct,
    /// at most `tuning.mostPerAccess`; none while silent.
    ///
    /// - Parameters:
    ///   - session: who reads: what one session reads next follows from what it read before.
    ///   - wasResident: whether it was there, be it thanks to this predictor.
    public mutating func observe(
        _ page: UInt64, session: UInt64, wasResident: Bool,
        into predictions: inout [UInt64]
    ) {
        enter(session)
        counts.accesses += 1
        if isAsleep, !isInSample() {
            return settle(page, wasResident: wasResident)
        }
        guard context.length == 0 || page != context.page else { return }
        settle(page, wasResident: wasResident)
        learn(page)
        propose()
        issue(into: &predictions)
        if tuning.isGoverned, !isAsleep, now &- lastPaid > UInt32(tuning.sleepsAfter) {
            fallAsleep()
        }
    }

    /// What became of a page that was fetched because of this predictor. `used` and `late` come
    /// after the page's `observe`; without them a page that is observed counts as used.
    public mutating func note(_ outcome: PrefetchOutcome, of page: UInt64) {
        switch outcome {
        case .used:
            settleIssued(page)
            if issuedPages.remove(page) == nil { counts.tally.used += 1 }
        case .late:
            settleIssued(page)
            counts.tally.late += 1
            guard let entry = issuedPages.remove(page) else { return }
            counts.tally.used -= 1
            governor.wasLate(Int(entry.payer))
        case .wasted:
            counts.tally.wasted += 1
            guard let entry = issuedPages.remove(page) else { return }
            governor.wasWasted(entry)
            if entry.state == .open { governor.learnLater(entry.payer, isRight: false) }
        case .dropped:
            counts.tally.dropped += 1
            guard let entry = issuedPages.remove(page), entry.state == .open else { return }
            counts.tally.issued -= 1
            governor.refund(Int(entry.payer))
            _ = book.take(page)
        }
    }

    public var report: PrefetchReport {
        var report = counts
        let issued = max(1, governor.accounts.reduce(0) { $0 + $1.issued })
        report.candidates = PrefetchCandidate.allCases.map { candidate in
            let account = governor.accounts[candidate.rawValue]
            var line = PrefetchReport.Candidate(candidate: candidate)
            line.issued = account.issued
            line.right = account.right
            line.wasted = account.wasted
            line.shareOfBudget = Double(account.issued) / Double(issued)
            line.scored = account.scored
            line.scoredRight = account.scoredRight
            line.isSilent = governor.isSilent(candidate.rawValue)
            line.depth = Double(account.depth)
            return line
        }
        report.isAsleep = isAsleep
        report.residentShare = Double(governor.residentShare)
        return report
    }

    // MARK: - Sessions

    private mutating func enter(_ session: UInt64) {
        guard session != sessions.current else { return }
        let standing = sessions.enter(
            session, leaving: .init(context: context, thirdStep: thirdStep))
        context = standing.context
        thirdStep = standing.thirdStep
    }

    // MARK: - Sleep

    private mutating func fallAsleep() {
        isAsleep = true
        isSampling = false
        sampleRemainder = pause()
    }

    private mutating func wake() {
        guard isAsleep else { return }
        isAsleep = false
        let rest = max(0, tuning.sleepsAfter - tuning.trialLength)
        lastPaid = now &- UInt32(rest)
    }

    private mutating func pause() -> Int {
        let mean = tuning.samplePeriod - tuning.sampleLength
        return mean / 2 + random.below(mean + 1)
    }

    /// Moves on through pause and sample. Samples begin at random distances, so that no loop
    /// hides between them.
    private mutating func isInSample() -> Bool {
        sampleRemainder -= 1
        if sampleRemainder <= 0 {
            isSampling.toggle()
            sampleRemainder = isSampling ? tuning.sampleLength : pause()
            if isSampling {
                context = StreamContext()
                sessions.forgetAll()
            }
        }
        return isSampling
    }

    // MARK: - What came of former proposals

    /// Judges the proposals of a page that was asked for, and those whose time is up.
    private mutating func settle(_ page: UInt64, wasResident: Bool) {
        now &+= 1
        let isOurs = settleIssued(page)
        if !isOurs, !wasResident { counts.misses += 1 }
        absences = absences << 1 | (isOurs || !wasResident ? 1 : 0)
        if let proposal = book.take(page), isOurs || !wasResident {
            judge(proposal, isRight: true)
        }
        while let expired = book.takeExpired(now: now, age: UInt32(tuning.window)) {
            judgeExpired(expired)
        }
    }

    /// A proposal did not come within the window.
    private mutating func judgeExpired(_ proposal: Proposal) {
        if let payer = issuedPages.payer(ofOpen: proposal.page) {
            // It was fetched and may still be used; as often as others were, it counts as right.
            let laterRight = governor.accounts[Int(payer)].laterRight
            judge(proposal, isRight: laterRight > 0 && Float(random.unit()) < laterRight)
        } else if governor.residentShare == 0 || Float(random.unit()) >= governor.residentShare {
            // Pages that are resident are fetched by nobody; of one that was not issued nobody
            // said whether it is. As many of these are left out as of the issued ones.
            judge(proposal, isRight: false)
        }
    }

    /// Whether a page was issued and has not been asked for since.
    @discardableResult
    private mutating func settleIssued(_ page: UInt64) -> Bool {
        guard let entry = issuedPages.use(page) else { return false }
        counts.tally.used += 1
        lastPaid = now
        governor.earn(entry)
        if now &- entry.time > UInt32(tuning.window) {
            governor.learnLater(entry.payer, isRight: true)
        }
        return true
    }

    private mutating func judge(_ proposal: Proposal, isRight: Bool) {
        arbiter.learn(proposal.evidence, bucket: proposal.bucket, isRight: isRight)
        governor.score(proposal.supporters, isRight: isRight)
        if proposal.supporters & PrefetchCandidates.next.rawValue != 0 {
            neighbourhoods.learn(proposal.page &- 1, isRight: isRight)
        }
    }

    // MARK: - Candidates

    private mutating func learn(_ page: UInt64) {
        if context.length > 0 { lastSuccessor.learn(context.page, isFollowedBy: page) }
        markov1.learn(context, isFollowedBy: page)
        markov2.learn(context, isFollowedBy: page)
        run = stride.observe(page)
        thirdStep = context.stepBefore
        context.advance(to: page)
    }

    /// Collects the distinct pages that candidates expect next, in `proposals`.
    private mutating func propose() {
        proposals.removeAll(keepingCapacity: true)
        if let run, run.isConfirmed {
            add(
                .stride,
                SuccessorGuess(
                    page: context.page &+ run.step, confidence: UInt8(min(run.length - 2, 3))))
        }
        add(.markov2, markov2.successor(of: context))
        add(.markov1, markov1.successor(of: context))
        add(.lastSuccessor, lastSuccessor.successor(of: context.page))
        add(.next, neighbourhoods.successor(of: context.page))
    }

    private mutating func add(_ candidate: PrefetchCandidate, _ guess: SuccessorGuess?) {
        guard let guess, guess.page != context.page,
            tuning.candidates.contains(PrefetchCandidates(candidate))
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
            Ranked(
                page: guess.page, supporters: bit, payer: UInt8(candidate.rawValue),
                confidence: guess.confidence, confidences: 0x4_4444 ^ mark, probability: 0))
    }

    private func evidence(_ proposal: Ranked) -> Evidence {
        var nominal = proposal.confidences
        nominal |= UInt64(proposal.supporters.nonzeroBitCount - 1) << 20
        nominal |= runClass << 24 | UInt64(absences & 3) << 28
        nominal |= Self.kind(context.step) << 32 | Self.kind(context.stepBefore) << 36
        nominal |= Self.kind(thirdStep) << 40
        let step = proposal.page &- context.page
        return Evidence(
            nominal: nominal, distance: Float(64 - min(step, 0 &- step).leadingZeroBitCount),
            recentRight: governor.accounts[Int(proposal.payer)].recentRight)
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

    // MARK: - Issuing

    /// Judges, books and issues the proposals, best first, and what lies behind the best.
    private mutating func issue(into predictions: inout [UInt64]) {
        for index in proposals.indices {
            let proposal = proposals[index]
            let evidence = evidence(proposal)
            let bucket = PrefetchArbiter.bucket(
                payer: Int(proposal.payer), confidence: Int(proposal.confidence),
                supporters: proposal.supporters.nonzeroBitCount)
            let probability = arbiter.probability(evidence, bucket: bucket)
            proposals[index].probability = probability
            if isOfInterest(probability), !book.contains(proposal.page) {
                book.insert(
                    Proposal(
                        page: proposal.page, evidence: evidence, time: now, bucket: bucket,
                        payer: proposal.payer, supporters: proposal.supporters))
            }
        }
        rank()
        var room = tuning.mostPerAccess
        for index in proposals.indices where room > 0 {
            let proposal = proposals[index]
            guard isWorthy(proposal.probability) else { break }
            wake()
            room -= issue(proposal.page, payer: Int(proposal.payer), into: &predictions)
        }
        if room > 0, let best = proposals.first { follow(best, room: room, into: &predictions) }
    }

    /// Of proposals that are far from being worth a fetch only some are booked and learned from.
    /// Which ones depends on what is known of them, not on what comes of them, so that estimates
    /// stay unbiased.
    private mutating func isOfInterest(_ probability: Float) -> Bool {
        probability >= Float(tuning.cost) / 4 || random.next() & 3 == 0
    }

    /// By insertion: there are five at most.
    private mutating func rank() {
        for index in proposals.indices.dropFirst() {
            var place = index
            while place > 0, proposals[place - 1].probability < proposals[place].probability {
                proposals.swapAt(place - 1, place)
                place -= 1
            }
        }
    }

    private func isWorthy(_ probability: Float) -> Bool {
        !tuning.isGoverned || probability >= Float(tuning.cost)
    }

    /// How many pages this issued: 0 or 1.
    private mutating func issue(
        _ page: UInt64, payer: Int, reach: UInt8 = 0, into predictions: inout [UInt64]
    ) -> Int {
        guard !issuedPages.isOpen(page, now: now) || !tuning.isGoverned,
            !tuning.isGoverned || governor.pay(payer, now: now)
        else { return 0 }
        predictions.append(page)
        let forgotten = issuedPages.insert(
            page, payer: UInt8(payer), reach: reach, now: now)
        if let forgotten { governor.learnLater(forgotten.payer, isRight: false) }
        counts.tally.issued += 1
        return 1
    }

    /// Goes on from the best proposal as if it had come, as far as the candidate's depth and
    /// the product of probabilities allow (as signature path prefetching does: Kim et al., "Path
    /// confidence based lookahead prefetching", MICRO 2016).
    private mutating func follow(
        _ best: Ranked, room: Int, into predictions: inout [UInt64]
    ) {
        let payer = Int(best.payer)
        let depth = tuning.isGoverned ? governor.depth(of: payer) : tuning.mostPerAccess
        var room = room
        var probability = best.probability
        var ahead = context
        ahead.advance(to: best.page)
        let isRun = payer == PrefetchCandidate.stride.rawValue
        var steps = 1
        while steps < depth, room > 0 {
            steps += 1
            guard let (page, likely) = isRun ? goOn(best) : successor(of: ahead) else { return }
            probability *= isRun ? best.probability : likely
            guard isWorthy(probability), page != context.page else { return }
            ahead.advance(to: page)
            guard !predictions.contains(page), !issuedPages.isOpen(page, now: now) else {
                continue
            }
            let reach = PrefetchGovernor.reachClass(steps)
            let precision = governor.precision(ahead: reach, payer, expected: probability)
            guard isWorthy(precision) else { return }
            room -= issue(page, payer: payer, reach: reach, into: &predictions)
        }

        func goOn(_ best: Ranked) -> (UInt64, Float)? {
            guard let run else { return nil }
            return (ahead.page &+ run.step, best.probability)
        }
    }

    /// What the tables expect after a page that has not come yet, by their record.
    private func successor(of ahead: StreamContext) -> (UInt64, Float)? {
        var best: (UInt64, Float)?
        func consider(_ candidate: PrefetchCandidate, _ guess: SuccessorGuess?) {
            guard let guess, tuning.candidates.contains(PrefetchCandidates(candidate)) else {
                return
            }
            let probability = arbiter.recordedProbability(
                PrefetchArbiter.bucket(
                    payer: candidate.rawValue, confidence: Int(guess.confidence), supporters: 1))
            if probability > best?.1 ?? 0 { best = (guess.page, probability) }
        }
        consider(.markov2, markov2.successor(of: ahead))
        consider(.markov1, markov1.successor(of: ahead))
        consider(.lastSuccessor, lastSuccessor.successor(of: ahead.page))
        consider(.next, neighbourhoods.successor(of: ahead.page))
        return best
    }
}

extension StreamPredictor { public var leaves: Int { arbiter.leafCount } }
