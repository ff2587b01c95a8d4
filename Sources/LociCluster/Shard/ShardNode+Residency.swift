import LociBase
import LociModel
import LociTiering
import LociWire

/// Where pages lie, and whether they are sound.
extension ShardNode {
    // MARK: Residency

    mutating func survey(
        _ question: ShardResidency, _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        guard let worker = workers[question.partition],
            let field = worker.state.catalog.field(space: question.space)
        else { return refuse(asker, unknownSpace(question.space), into: &directives) }
        guard surveys.count < Limits.requestsInFlight else {
            return refuse(
                asker,
                LociError(
                    .resourceExhausted, "Shard \(settings.shard) is surveying enough already.",
                    advice: "Try again later."), into: &directives)
        }
        nextTask += 1
        surveys[nextTask] = asker
        directives.append(
            .survey(
                SurveyRequest(
                    number: nextTask, space: question.space, partition: question.partition,
                    pageBytes: field.pageBytes, extent: question.extent,
                    limit: ExtentResidency.perAnswer)))
    }

    /// Lays what is in memory over what storage has said.
    mutating func surveyed(
        _ request: SurveyRequest, _ result: Result<Survey, LociError>,
        into directives: inout [ShardDirective]
    ) {
        guard let asker = surveys.removeValue(forKey: request.number) else { return }
        switch result {
        case .failure(let error): refuse(asker, error, into: &directives)
        case .success(let survey):
            let (extents, next) = overlay(survey, request)
            answer(
                asker,
                .residencyAnswer(
                    ResidencyAnswer(
                        pageBytes: UInt32(request.pageBytes), partition: request.partition,
                        extent: next ?? 0, hasMore: next != nil,
                        receipt: finish(Receipt(), asker))),
                bulk: [ExtentResidency.encoded(extents)], into: &directives)
        }
    }

    /// Extents with pages in memory or on files, and where the next answer begins, if there is one.
    private func overlay(
        _ survey: Survey, _ request: SurveyRequest
    ) -> (extents: [ExtentResidency], next: UInt64?) {
        var extents: [UInt64: ExtentResidency] = [:]
        for each in survey.extents { extents[each.extent] = each }
        // Storage knows nothing of what lies behind its last extent if it has more.
        let end = survey.hasMore ? (survey.extents.last?.extent ?? request.extent) : .max
        for page in pages.resident(space: request.space, partition: request.partition) {
            let extent = ExtentAddress(of: page.address, pageBytes: request.pageBytes).number
            guard extent >= request.extent, extent <= end else { continue }
            var each =
                extents[extent]
                ?? ExtentResidency(partition: request.partition, extent: extent)
            if page.tier == .far { each.far += 1 } else { each.dram += 1 }
            extents[extent] = each
        }
        let sorted = extents.values.sorted { $0.extent < $1.extent }
        let fitting = Array(sorted.prefix(request.limit))
        guard survey.hasMore || sorted.count > fitting.count, let last = fitting.last else {
            return (fitting, nil)
        }
        return (fitting, last.extent + 1)
    }

    // MARK: Scrub

    mutating func scrub(
        _ scrub: Scrub, _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        if !scrub.isQuestion, scrubProgress?.isRunning != true {
            scrubProgress = ScrubProgress(isRunning: true)
            directives.append(.scrub(bytesPerSecond: scrub.bytesPerSecond))
        }
        guard let progress = scrubProgress else {
            return refuse(asker, noScrub, into: &directives)
        }
        if scrub.isQuestion, let failure = progress.failure {
            return refuse(asker, failure, into: &directives)
        }
        answer(
            asker,
            .scrubAnswer(
                ScrubAnswer(
                    shardsRunning: progress.isRunning ? 1 : 0,
                    pagesVerified: progress.pagesVerified,
                    pagesDamaged: progress.pagesDamaged,
                    receipt: finish(Receipt(), asker))),
            bulk: [
                DamagedPages.encoded(
                    Array(progress.damaged.prefix(DamagedPages.perAnswer)))
            ], into: &directives)
    }

    private var noScrub: LociError {
        LociError(
            .failedPrecondition,
            "Shard \(settings.shard) has not begun a scrub since it was started.",
            advice: "Start one: loci scrub")
    }

    // MARK: Vitals

    /// Fills in what storage has reported, and the tier of memory.
    func addStorage(to vitals: inout ShardVitals) {
        vitals.tiers = tierVitals.sorted { $0.tier < $1.tier }
        vitals.pagesVerified = storageVitals.pagesVerified
        vitals.pagesDamaged = storageVitals.pagesDamaged
        let far = pages.farVitals?.overflowBytes ?? 0
        vitals.overflowBytes = UInt64(pages.dramVitals.overflowBytes + far)
        vitals.isFull = storageVitals.isFull
    }

    private var tierVitals: [TierVitals] {
        var tiers = [TierVitals(.dram, pages.dramVitals)]
        tiers[0].dirtyBytes = storageVitals.writeBufferBytes
        if let far = pages.farVitals { tiers.append(TierVitals(.far, far)) }
        return tiers + storageVitals.tiers.filter { $0.tier > .far }
    }
}

extension TierVitals {
    fileprivate init(_ tier: Tier, _ memory: MemoryVitals) {
        self.init(tier)
        residentBytes = UInt64(memory.residentBytes)
        budgetBytes = UInt64(memory.budgetBytes)
        requests = memory.requests
        hits = memory.hits
        movedIn = memory.movedIn
        movedOut = memory.movedOut
        isEmulated = memory.isEmulated
    }
}
