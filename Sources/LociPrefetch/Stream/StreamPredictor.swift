import LociBase
public import LociModel

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
    private static let shadowCapacity = 256
    private static let issuedSets = 128
    /// Accesses after which a fetched page that nobody told about may be predicted again.
    private static let issuedLifetime: UInt32 = 4096

    let tuning: Tuning
    private var random: SeededRandom
    private var candidates: CandidateSet
    private var arbiter = PrefetchArbiter()
    private var governor: PrefetchGovernor
    private var book: ShadowBook
    private var issuedPages: IssuedPages

    private var sleep: SleepCycle
    /// A bit for each of the last pages, the youngest lowest: not there, or thanks to us.
    private var absences: UInt8 = 0
    private var now: UInt32 = 0
    private var counts = PrefetchReport(candidates: [])

    public init(tuning: Tuning = Tuning(), seed: UInt64 = 1) {
        precondition(tuning.isValid, "a predictor's tuning is out of range")
        self.tuning = tuning
        random = SeededRandom(seed: seed)
        candidates = CandidateSet(tuning.candidates)
        sleep = SleepCycle(tuning)
        governor = PrefetchGovernor(cost: Float(tuning.cost), mostDepth: tuning.mostDepth)
        book = ShadowBook(capacity: Self.shadowCapacity)
        issuedPages = IssuedPages(sets: Self.issuedSets, lifetime: Self.issuedLifetime)
    }

    public var memoryBytes: Int {
        MemoryLayout<Self>.size + candidates.memoryBytes + arbiter.memoryBytes
            + book.memoryBytes + issuedPages.memoryBytes
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
        candidates.enter(session)
        counts.accesses += 1
        switch sleep.advance(&random) {
        case .none: return settle(page, wasResident: wasResident)
        case .beginningSample: candidates.restart()
        case .awake, .sampling: break
        }
        // The same page once more is no step.
        guard candidates.context.length == 0 || page != candidates.context.page else { return }
        settle(page, wasResident: wasResident)
        candidates.learn(page)
        candidates.propose()
        judgeProposals()
        issue(into: &predictions)
        if tuning.isGoverned { sleep.sleepIfNothingPays(now: now, &random) }
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
            // Too early is wrong, even if the page is asked for soon.
            if let proposal = book.take(page) { judge(proposal, isRight: false) }
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
        report.isAsleep = sleep.isAsleep
        report.residentShare = Double(governor.residentShare)
        return report
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
        sleep.paid(now: now)
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
            candidates.learnNext(proposal.page, isRight: isRight)
        }
    }

    // MARK: - Issuing

    /// Judges the proposals, ranks them, and books those whose fate is of interest.
    private mutating func judgeProposals() {
        for index in candidates.proposals.indices {
            let proposal = candidates.proposals[index]
            let evidence = candidates.evidence(
                proposal, absences: absences,
                recentRight: governor.accounts[Int(proposal.payer)].recentRight)
            let probability = arbiter.probability(evidence, bucket: proposal.bucket)
            candidates.setProbability(probability, at: index)
            if isOfInterest(probability), !book.contains(proposal.page) {
                book.insert(
                    Proposal(
                        page: proposal.page, evidence: evidence, time: now,
                        bucket: proposal.bucket, payer: proposal.payer,
                        supporters: proposal.supporters))
            }
        }
        candidates.rank()
    }

    /// Issues the proposals that are worth it, best first, and what lies behind the best.
    private mutating func issue(into predictions: inout [UInt64]) {
        guard let best = candidates.proposals.first else { return }
        var room = tuning.mostPerAccess
        for index in candidates.proposals.indices where room > 0 {
            let proposal = candidates.proposals[index]
            guard isWorthy(proposal.probability) else { break }
            sleep.wake(now: now)
            room -= issue(proposal.page, payer: Int(proposal.payer), into: &predictions)
        }
        if room > 0 { follow(best, room: room, into: &predictions) }
    }

    /// Of proposals that are far from being worth a fetch only some are booked and learned from.
    /// Which ones depends on what is known of them, not on what comes of them, so that estimates
    /// stay unbiased.
    private mutating func isOfInterest(_ probability: Float) -> Bool {
        probability >= Float(tuning.cost) / 4 || random.next() & 3 == 0
    }

    private func isWorthy(_ probability: Float) -> Bool {
        !tuning.isGoverned || probability >= Float(tuning.cost)
    }

    /// How many pages this issued: 0 or 1.
    private mutating func issue(
        _ page: UInt64, payer: Int, reach: UInt8 = 0, into predictions: inout [UInt64]
    ) -> Int {
        if tuning.isGoverned {
            guard !issuedPages.isOpen(page, now: now), governor.pay(payer, now: now) else {
                return 0
            }
        } else {
            governor.lend(payer)
        }
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
        _ best: RankedProposal, room: Int, into predictions: inout [UInt64]
    ) {
        let payer = Int(best.payer)
        let depth = tuning.isGoverned ? governor.depth(of: payer) : tuning.mostPerAccess
        let isRun = payer == PrefetchCandidate.stride.rawValue
        var room = room
        var probability = best.probability
        var ahead = candidates.context
        ahead.advance(to: best.page)
        var steps = 1
        while steps < depth, room > 0 {
            steps += 1
            let page: UInt64
            if isRun, let run = candidates.run {
                page = ahead.page &+ run.step
                probability *= best.probability
            } else if let next = candidates.successor(of: ahead, by: arbiter) {
                page = next.page
                probability *= next.probability
            } else {
                return
            }
            guard isWorthy(probability), page != candidates.context.page else { return }
            ahead.advance(to: page)
            guard !predictions.contains(page), !issuedPages.isOpen(page, now: now) else {
                continue
            }
            let reach = PrefetchGovernor.reachClass(steps)
            let precision = governor.precision(ahead: reach, payer, expected: probability)
            guard isWorthy(precision) else { return }
            room -= issue(page, payer: payer, reach: reach, into: &predictions)
        }
    }
}
