import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire
import Testing

@testable import LociCluster

/// How wide addresses are, samples and reports.
@Suite struct CoordinatorTuningTests {
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
        var stage = CoordinatorStage.withLocations()
        // Nearest at 100.5 is 0.25 away, squared.
        func count(_ radius: Float, probes: UInt32 = 0) -> Int {
            var query = Query(collection: "points", k: 2, probes: probes)
            query.radius = radius
            let asked = stage.ask(.query(query), bulk: [Bytes(values: [Float(100.5)])])
            return asked.locations.count
        }
        #expect(count(1) == 2)
        #expect(count(8.9) == 2)
        #expect(count(9.1) == 4)
        #expect(count(25.1) == 6)
        #expect(count(1, probes: 5) == 5)
        #expect(count(0, probes: 5) == 5)
    }

    @Test func aQueryIsAsWideAsItsRecallWants() {
        var stage = CoordinatorStage.withLocations()
        let usual = stage.query().locations.count
        #expect(usual == SearchTuning().leastProbes)
        func count(_ recall: Float) -> Int { stage.query { $0.recall = recall }.locations.count }
        #expect(count(0.9) < count(0.95) && count(0.95) < count(0.99))

        store(
            &stage,
            [
                RecallSetting(recall: 0.9, probes: 3, radius: 1),
                RecallSetting(recall: 0.97, probes: 5, radius: 1),
            ])
        #expect([count(0.5), count(0.9), count(0.91), count(0.97)] == [3, 3, 5, 5])
        // No recall is named: at least the standard one.
        #expect(stage.query().locations.count == 5)
        #expect(count(0.99) >= 24)
        // What is said outright counts more.
        #expect(stage.query { $0.probes = 2 }.locations.count == 2)

        store(&stage, [])
        #expect(stage.query().locations.count == usual)
    }

    @Test func whatWasTunedSurvivesARestartAndGoesWithTheCollection() throws {
        var stage = CoordinatorStage.withLocations()
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

    @Test func aSampleComesFromPartitionsInProportion() {
        var stage = CoordinatorStage.withLocations()
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
        var stage = CoordinatorStage.withLocations()
        store(&stage, [RecallSetting(recall: 0.9, probes: 3, radius: 1)])
        _ = stage.query { $0.probes = 1 }
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
        var stage = CoordinatorStage.withLocations()
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
