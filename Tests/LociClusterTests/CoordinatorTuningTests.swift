import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire
import Testing

@testable import LociCluster

/// How wide addresses are, filters, samples and reports.
@Suite struct CoordinatorTuningTests {
    private static let create = Body.createCollection(
        CreateCollection(name: "points", dimension: 1, metric: .l2))

    /// A coordinator that knows 600 hard locations at 0, 1, 2 ... on two partitions in turn, and
    /// 6,000 points.
    private func stage() -> CoordinatorStage {
        var stage = CoordinatorStage()
        stage.define(Self.create)
        let space = stage.node.metadata.catalog.collections[0].space
        for number in 0..<600 {
            stage.node.collections[space]!.locations.insert(
                LocationKey(
                    partition: PartitionIndex(number % 2), location: LocationID(number / 2)),
                generation: 1, centroid: [Float(number)])
        }
        for partition in stage.node.collections[space]!.following.indices {
            stage.node.collections[space]!.following[partition].isHeard = true
            stage.node.collections[space]!.following[partition].points = partition < 2 ? 3000 : 0
        }
        stage.node.collections[space]!.learning = .resting(points: 6000)
        stage.node.collections[space]!.placement = 1
        return stage
    }

    private func locations(_ directives: [CoordinatorDirective]) -> [LocationID] {
        directives.sent.flatMap { sent in
            let pairs = sent.message.bulk[1].values(UInt32.self)
            return stride(from: 1, to: pairs.count, by: 2).map { pairs[$0] }
        }
    }

    private func ask(
        _ stage: inout CoordinatorStage, _ change: (inout Query) -> Void
    ) -> [CoordinatorDirective] {
        var query = Query(collection: "points", k: 2)
        change(&query)
        return stage.ask(.query(query), bulk: [Bytes(values: [Float(100)])])
    }

    private func store(_ stage: inout CoordinatorStage, _ tuning: [RecallSetting]) {
        let started = stage.ask(.storeTuning(StoreTuning(collection: "points", tuning: tuning)))
        #expect(started.replies.isEmpty, "not durable yet")
        let stored = stage.handle(.persisted(started.persists[0].number, nil))
        guard case .acknowledged? = stored.replies.first?.body else {
            Issue.record("the tuning was not acknowledged")
            return
        }
        #expect(stored.sent.isEmpty)
    }

    @Test func aRadiusIsAFactorOfTheSquaredDistance() {
        var stage = stage()
        // Nearest at 100.5 is 0.25 away, squared.
        func count(_ radius: Float, probes: UInt32 = 0) -> Int {
            var query = Query(collection: "points", k: 2, probes: probes)
            query.radius = radius
            let asked = stage.ask(.query(query), bulk: [Bytes(values: [Float(100.5)])])
            return locations(asked).count
        }
        #expect(count(1) == 2)
        #expect(count(8.9) == 2)
        #expect(count(9.1) == 4)
        #expect(count(25.1) == 6)
        #expect(count(1, probes: 5) == 5)
        #expect(count(0, probes: 5) == 5)
    }

    @Test func aQueryIsAsWideAsItsRecallWants() {
        var stage = stage()
        let usual = locations(ask(&stage) { _ in }).count
        #expect(usual == SearchTuning().leastProbes)
        func count(_ recall: Float) -> Int { locations(ask(&stage) { $0.recall = recall }).count }
        #expect(count(0.9) < count(0.95) && count(0.95) < count(0.99))

        store(
            &stage,
            [
                RecallSetting(recall: 0.9, probes: 3, radius: 1),
                RecallSetting(recall: 0.97, probes: 5, radius: 1),
            ])
        #expect([count(0.5), count(0.9), count(0.91), count(0.97)] == [3, 3, 5, 5])
        // No recall is named: at least the standard one.
        #expect(locations(ask(&stage) { _ in }).count == 5)
        #expect(count(0.99) >= 24)
        // What is said outright counts more.
        #expect(locations(ask(&stage) { $0.probes = 2 }).count == 2)

        store(&stage, [])
        #expect(locations(ask(&stage) { _ in }).count == usual)
    }

    @Test func whatWasTunedSurvivesARestartAndGoesWithTheCollection() throws {
        var stage = stage()
        let tuning = [RecallSetting(recall: 0.9, probes: 3, radius: 1.25)]
        let started = stage.ask(.storeTuning(StoreTuning(collection: "points", tuning: tuning)))
        let space = stage.node.metadata.catalog.collections[0].space
        let kept = try ClusterMetadata(encoded: started.persists[0].bytes)
        #expect(kept.tuning == [space: tuning])
        _ = stage.handle(.persisted(started.persists[0].number, nil))
        let dropped = stage.ask(.dropCollection(DropCollection(name: "points")))
        #expect(try ClusterMetadata(encoded: dropped.persists[0].bytes).tuning.isEmpty)

        var without = CoordinatorStage()
        let none = without.ask(.storeTuning(StoreTuning(collection: "none", tuning: tuning)))
        #expect(none.failure?.code == .notFound)
    }

    private func matches(
        _ ids: [PointID], passed: UInt64, whole: [PartitionIndex] = []
    ) -> (Body, [Bytes]) {
        (
            .matches(
                MatchesAnswer(
                    count: UInt32(ids.count), receipt: Receipt(), passed: passed,
                    wholePartitions: whole)),
            [
                Bytes(values: ids), Bytes(values: ids.map { _ in UInt64(1) }),
                Bytes(values: ids.map { Float($0) }), Bytes(zeros: ids.count * 4), Bytes(), Bytes(),
            ]
        )
    }

    /// Answers all parts of a round alike, each with so many points that passed.
    private func answer(
        _ stage: inout CoordinatorStage, _ asked: [CoordinatorDirective], ids: Int, passed: UInt64,
        whole: [PartitionIndex] = []
    ) -> [CoordinatorDirective] {
        var last: [CoordinatorDirective] = []
        for (index, sent) in asked.sent.enumerated() {
            let ids = (0..<ids).map { PointID(index * 100 + $0) }
            let here = whole.filter { stage.node.metadata.map.shard(of: $0) == sent.shard }
            let (body, bulk) = matches(ids, passed: passed, whole: here)
            last = stage.reply(sent, body, bulk: bulk)
        }
        return last
    }

    @Test func aFilterTravelsInCanonicalFormAndAWrongOneIsRefused() throws {
        var stage = stage()
        let asked = ask(&stage) { $0.filter = "  year>=2024   AND topic='sport'" }
        #expect(!asked.sent.isEmpty)
        for sent in asked.sent {
            guard case .shardQuery(let query) = sent.message.body else {
                Issue.record("no query")
                return
            }
            #expect(query.filter == "year >= 2024 and topic = \"sport\"")
        }
        let wrong = ask(&stage) { $0.filter = "year >=" }
        #expect(wrong.failure?.code == .invalidArgument && wrong.sent.isEmpty)
    }

    @Test func aFilterWidensUntilEnoughPointsHavePassed() {
        var stage = stage()
        // Of 8 hard locations only 2 points pass, where 16 are wanted: ten times as many are asked.
        let first = ask(&stage) { $0.filter = "a = 1" }
        #expect(locations(first).count == 8)
        let second = answer(&stage, first, ids: 1, passed: 1)
        #expect(locations(second).count == 80)
        let third = answer(&stage, second, ids: 2, passed: 8)
        guard case .matches(let matches)? = third.replies.first?.body else {
            Issue.record("enough have passed")
            return
        }
        #expect(matches.count == 2 && !matches.isExhausted && matches.passed == 16)
    }

    @Test func aShardThatDoesNotCountWhatPassedIsTakenAtItsMatches() {
        var stage = stage()
        let first = ask(&stage) { $0.filter = "a = 1" }
        let over = answer(&stage, first, ids: 2, passed: 0)
        guard case .matches(let matches)? = over.replies.first?.body else {
            Issue.record("k points were found")
            return
        }
        #expect(matches.count == 2 && !matches.isExhausted)
    }

    @Test func aFilterThatFewPassEndsWithAllHardLocations() {
        var stage = stage()
        var asked = ask(&stage) { $0.filter = "a = 1" }
        var rounds = 0
        while asked.replies.isEmpty, rounds < 10 {
            rounds += 1
            asked = answer(&stage, asked, ids: 0, passed: 0)
            if locations(asked).contains(ShardQuery.everyLocation) { break }
        }
        #expect(rounds < 4)
        #expect(locations(asked) == Array(repeating: ShardQuery.everyLocation, count: 4))
        let over = answer(&stage, asked, ids: 0, passed: 0)
        guard case .matches(let matches)? = over.replies.first?.body else {
            Issue.record("all were asked")
            return
        }
        #expect(matches.isExhausted && matches.count == 0 && !matches.isDegraded)
    }

    private func partitions(_ directives: [CoordinatorDirective]) -> Set<PartitionIndex> {
        Set(
            directives.sent.flatMap { sent in
                let pairs = sent.message.bulk[1].values(UInt32.self)
                return stride(from: 0, to: pairs.count, by: 2).map { pairs[$0] }
            })
    }

    private func selectiveShares(_ directives: [CoordinatorDirective]) -> Set<Float> {
        Set(
            directives.sent.compactMap { sent in
                guard case .shardQuery(let query) = sent.message.body else { return nil }
                return query.selectiveShare
            })
    }

    /// A partition that compared all points that pass does not know of the others: they are asked
    /// in one more round, and that is the last.
    @Test func aSelectiveFilterAsksAllOtherPartitionsOnce() {
        var stage = stage()
        let first = ask(&stage) { $0.filter = "a = 1" }
        #expect(partitions(first) == [0, 1])
        let share = selectiveShares(first).first!
        #expect(selectiveShares(first).count == 1 && share > 0 && share < 0.2)
        let second = answer(&stage, first, ids: 1, passed: 1, whole: [0])
        #expect(partitions(second) == [1, 2, 3])
        #expect(Set(locations(second)) == [ShardQuery.ownChoice])
        #expect(selectiveShares(second) == [min(1, 4 * share)])
        let over = answer(&stage, second, ids: 1, passed: 1, whole: [1, 2])
        guard case .matches(let matches)? = over.replies.first?.body else {
            Issue.record("k points were found, and all partitions were asked")
            return
        }
        #expect(matches.count == 2 && !matches.isExhausted && matches.passed == 4)
        #expect(matches.receipt.rounds == 2 && matches.wholePartitions.isEmpty)
        // Without a filter nothing is.
        #expect(selectiveShares(ask(&stage) { _ in }) == [0])
    }

    /// Fewer than k may only be answered when no point that passes can be anywhere else.
    @Test func aSelectiveFilterIsExhaustedWhenEveryPartitionWasLookedAtAsAWhole() {
        for isScanned in [false, true] {
            var stage = stage()
            let first = ask(&stage) { $0.filter = "a = 1" }
            let second = answer(&stage, first, ids: 0, passed: 0, whole: [0, 1])
            #expect(partitions(second) == [2, 3])
            var over = answer(
                &stage, second, ids: 0, passed: 0, whole: isScanned ? [2] : [2, 3])
            if isScanned {
                #expect(over.replies.isEmpty && partitions(over) == [3])
                #expect(locations(over) == [ShardQuery.everyLocation])
                over = answer(&stage, over, ids: 1, passed: 1, whole: [3])
            }
            guard case .matches(let matches)? = over.replies.first?.body else {
                Issue.record("all were asked")
                continue
            }
            #expect(matches.isExhausted && matches.count == (isScanned ? 1 : 0))
            #expect(matches.receipt.rounds == (isScanned ? 3 : 2))
        }
    }

    /// A shard that names partitions that do not exist does not end a query early.
    @Test func partitionsThatDoNotExistDoNotCountAsLookedAt() {
        var stage = stage()
        let first = ask(&stage) { $0.filter = "a = 1" }
        var next: [CoordinatorDirective] = []
        for sent in first.sent {
            let (body, bulk) = matches([], passed: 0, whole: [7, 8, 9, 10])
            next = stage.reply(sent, body, bulk: bulk)
        }
        #expect(next.replies.isEmpty && !next.sent.isEmpty)
    }

    @Test func aSampleComesFromPartitionsInProportion() {
        var stage = stage()
        let space = stage.node.metadata.catalog.collections[0].space
        stage.node.collections[space]!.following[1].points = 1000
        let asked = stage.ask(
            .scroll(Scroll(collection: "points", limit: 40, withVector: true, sampleSeed: 9)))
        var limits: [PartitionIndex: UInt32] = [:]
        for sent in asked.sent {
            guard case .shardScroll(let scroll) = sent.message.body else { continue }
            #expect(scroll.sampleSeed != 0 && scroll.idsOnly && scroll.withVector)
            limits[scroll.partition] = scroll.limit
        }
        #expect(limits == [0: 38, 1: 13])
        var over: [CoordinatorDirective] = []
        for (index, sent) in asked.sent.enumerated() {
            let ids = (0..<40).map { PointID(index * 20 + $0) }
            over = stage.reply(
                sent, .points(PointsAnswer(count: 40, receipt: Receipt(), hasMore: true)),
                bulk: [
                    Bytes(values: ids), Bytes(zeros: 320), Bytes(zeros: 160), Bytes(),
                    Bytes(zeros: 160),
                ])
        }
        guard case .points(let points)? = over.replies.first?.body else {
            Issue.record("no sample")
            return
        }
        let ids = over.replies[0].bulk[0].values(PointID.self)
        #expect(points.count == 40 && Set(ids).count == 40 && !points.hasMore)
        #expect(ids.contains { $0 >= 40 } && ids != ids.sorted())
    }

    @Test func aReportAddsUpWhatShardsSay() {
        var stage = stage()
        store(&stage, [RecallSetting(recall: 0.9, probes: 3, radius: 1)])
        _ = ask(&stage) { $0.probes = 1 }
        let asked = stage.ask(.collectionInfo(CollectionInfo(collection: "points")))
        #expect(asked.sent.count == 2)
        var over: [CoordinatorDirective] = []
        for (index, sent) in asked.sent.enumerated() {
            var part = CollectionReport()
            part.points = UInt64(index) + 5
            part.shards = 1
            part.count(postingOf: 3)
            part.tiers = [TierBytes(tier: .ssd, bytes: 10)]
            part.receipt.pagesTouched = 2
            over = stage.reply(sent, .collectionReport(part))
        }
        guard case .collectionReport(let report)? = over.replies.first?.body else {
            Issue.record("no report")
            return
        }
        #expect(report.points == 11 && report.shards == 2 && report.longestPosting == 3)
        #expect(report.postingLengths == [0, 2])
        #expect(report.tiers == [TierBytes(tier: .ssd, bytes: 20)])
        #expect(report.receipt.isComplete && report.receipt.pagesTouched == 4)
        #expect(report.recallEstimate == 0.9 && report.tuning.count == 1)
        #expect(report.meanPartitions == 1 && !report.isUnroutable && report.generation == 1)
    }

    @Test func aReportWithoutSomeShardShowsIt() {
        var stage = stage()
        let asked = stage.ask(.collectionInfo(CollectionInfo(collection: "points")))
        _ = stage.handle(
            .undeliverable(
                asked.sent[0].shard, requestID: asked.sent[0].message.header.requestID, nil))
        let over = stage.reply(asked.sent[1], .collectionReport(CollectionReport()))
        guard case .collectionReport(let report)? = over.replies.first?.body else {
            Issue.record("no report")
            return
        }
        #expect(!report.receipt.isComplete && report.receipt.shardsAnswered == 1)
    }
}
