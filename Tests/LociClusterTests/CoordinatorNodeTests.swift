import LociBase
import LociModel
import LociPlacement
import LociWire
import Testing

@testable import LociCluster

@Suite struct CoordinatorNodeTests {
    private static let createField = Body.createField(
        CreateField(name: "cells", elementType: .raw, shape: [4096, 4096]))
    private static let createPoints = Body.createCollection(
        CreateCollection(name: "points", dimension: 2, metric: .l2))
    private static let query = Body.query(Query(collection: "points", k: 1, isExact: true))
    private static let queryVector = [Bytes(values: [Float(1), 2])]

    private static func match(_ id: PointID, version: UInt64 = 1, score: Float) -> [Bytes] {
        [
            Bytes(values: [id]), Bytes(values: [version]), Bytes(values: [score]),
            Bytes(values: [UInt32(0)]), Bytes(), Bytes(),
        ]
    }

    @Test func whatDoesNotExistIsNotFound() {
        var stage = CoordinatorStage()
        let requests: [(Body, [Bytes])] = [
            (.readCells(ReadCells(field: "none", count: 1)), []),
            (.writeCells(WriteCells(field: "none", count: 1)), [Bytes([1])]),
            (.query(Query(collection: "none", k: 1)), Self.queryVector),
            (.count(Count(collection: "none")), []),
            (.dropField(DropField(name: "none")), []),
        ]
        for (body, bulk) in requests {
            let directives = stage.ask(body, bulk: bulk)
            #expect(directives.failure?.code == .notFound, "\(body)")
            #expect(directives.sent.isEmpty && directives.persists.isEmpty)
        }
        #expect(stage.node.operations.isEmpty)
    }

    @Test func aDefinitionIsAnsweredOnceItIsDurableAndInstalled() throws {
        var stage = CoordinatorStage()
        let started = stage.ask(Self.createField)
        #expect(started.replies.isEmpty && started.sent.isEmpty && started.persists.count == 1)
        #expect(stage.ask(.readCells(ReadCells(field: "cells", count: 1))).failure != nil)

        let durable = stage.handle(.persisted(started.persists[0].number, nil))
        #expect(durable.replies.isEmpty && durable.sent.map(\.shard) == [0, 1])
        let metadata = try ClusterMetadata(encoded: started.persists[0].bytes)
        for sent in durable.sent {
            #expect(try Catalog(encoded: sent.message.bulk[0]) == metadata.catalog)
        }
        let one = stage.reply(durable.sent[0], .acknowledged(Acknowledged(count: 1)))
        #expect(one.replies.isEmpty)
        let both = stage.reply(durable.sent[1], .acknowledged(Acknowledged(count: 1)))
        guard case .acknowledged(let done) = both.replies.first?.body else {
            Issue.record("no answer to the definition")
            return
        }
        #expect(done.receipt.isComplete && done.receipt.shardsAsked == 2)
        #expect(stage.ask(Self.createField).failure?.code == .alreadyExists)
    }

    @Test func aDefinitionThatCouldNotBeKeptDoesNotExist() {
        var stage = CoordinatorStage()
        let started = stage.ask(Self.createField)
        let error = LociError(.resourceExhausted, "The disk is full.")
        let failed = stage.handle(.persisted(started.persists[0].number, error))
        #expect(failed.failure == error && failed.sent.isEmpty)
        let read = stage.ask(.readCells(ReadCells(field: "cells", count: 1)))
        #expect(read.failure?.code == .notFound)
        #expect(stage.ask(Self.createField).persists.count == 1)
    }

    @Test func definitionsAreMadeOneAfterTheOther() throws {
        var stage = CoordinatorStage()
        let first = stage.ask(Self.createField)
        #expect(stage.ask(Self.createPoints).persists.isEmpty)
        let next = stage.handle(.persisted(first.persists[0].number, nil))
        #expect(next.persists.count == 1)
        let catalog = try ClusterMetadata(encoded: next.persists[0].bytes).catalog
        #expect(catalog.field(named: "cells") != nil)
        #expect(catalog.collection(named: "points") != nil)
    }

    @Test func cellsAreAskedForOnceAndAnsweredInOrder() {
        var stage = CoordinatorStage()
        stage.define(Self.createField)
        // Cells 0 to 1023 are one stripe: shard 0, then shard 1.
        let cells: [CellIndex] = [1030, 5, 5, 1030, 0]
        let asked = stage.ask(
            .readCells(ReadCells(field: "cells", count: 5, isScattered: true)),
            bulk: [Bytes(values: cells)])
        var answered: [CoordinatorDirective] = []
        var total = 0
        for sent in asked.sent {
            let parts = sent.message.bulk[0].values(CellIndex.self)
            total += parts.count
            let rows = parts.map { Bytes(values: Array(repeating: UInt32($0), count: 1024)) }
            answered = stage.reply(
                sent,
                .cells(
                    CellsAnswer(cellBytes: 4096, count: UInt64(parts.count), receipt: Receipt())),
                bulk: [Bytes.joined(rows)])
        }
        #expect(total == 3 && asked.sent.count == 2)
        let bytes = answered.replies.first?.bulk[0]
        let numbers = (0..<5).compactMap { bytes?.load(UInt32.self, at: $0 * 4096) }
        #expect(numbers == cells.map { UInt32($0) })
    }

    @Test func aQueryWithoutSomeShardIsDegradedAndSaysSo() {
        var stage = CoordinatorStage()
        stage.define(Self.createPoints)
        let asked = stage.ask(Self.query, bulk: Self.queryVector)
        #expect(asked.sent.count == 2)
        let lost = asked.sent[0]
        let none = stage.handle(
            .undeliverable(lost.shard, requestID: lost.message.header.requestID, nil))
        #expect(none.replies.isEmpty)
        let answered = stage.reply(
            asked.sent[1], .matches(MatchesAnswer(count: 1, receipt: Receipt())),
            bulk: Self.match(7, score: 3))
        guard case .matches(let matches) = answered.replies.first?.body else {
            Issue.record("no matches")
            return
        }
        #expect(matches.isDegraded && matches.count == 1 && !matches.isExhausted)
        #expect(matches.receipt.shardsAsked == 2 && matches.receipt.shardsAnswered == 1)
        #expect(!matches.receipt.isComplete)
    }

    @Test func ofTwoCopiesOfAPointTheNewerCounts() {
        var stage = CoordinatorStage()
        stage.define(Self.createPoints)
        let asked = stage.ask(Self.query, bulk: Self.queryVector)
        var answered: [CoordinatorDirective] = []
        for (sent, bulk) in zip(
            asked.sent, [Self.match(7, version: 2, score: 9), Self.match(7, version: 1, score: 1)])
        {
            answered = stage.reply(
                sent, .matches(MatchesAnswer(count: 1, receipt: Receipt())), bulk: bulk)
        }
        guard case .matches(let matches) = answered.replies.first?.body else {
            Issue.record("no matches")
            return
        }
        #expect(!matches.isDegraded && matches.receipt.isComplete)
        #expect(answered.replies[0].bulk[1].values(UInt64.self) == [2])
        #expect(answered.replies[0].bulk[2].values(Float.self) == [9])
    }

    @Test func aReadThatCannotBeDeliveredIsUnavailable() {
        var stage = CoordinatorStage()
        stage.define(Self.createField)
        let asked = stage.ask(.readCells(ReadCells(field: "cells", count: 1)))
        let answered = stage.handle(
            .undeliverable(0, requestID: asked.sent[0].message.header.requestID, nil))
        #expect(answered.failure?.code == .unavailable)
        let again = stage.handle(
            .undeliverable(0, requestID: asked.sent[0].message.header.requestID, nil))
        #expect(again.replies.isEmpty && stage.node.operations.isEmpty)
    }

    @Test func everyRequestIsAnsweredAtItsDeadline() {
        var stage = CoordinatorStage()
        stage.define(Self.createField)
        stage.define(Self.createPoints)
        let write = stage.ask(
            .writeCells(WriteCells(field: "cells", count: 1)), bulk: [Bytes(zeros: 4096)],
            deadlineMilliseconds: 300)
        let query = stage.ask(Self.query, bulk: Self.queryVector, deadlineMilliseconds: 300)
        _ = stage.reply(
            query.sent[1], .matches(MatchesAnswer(count: 1, receipt: Receipt())),
            bulk: Self.match(7, score: 3))
        stage.now = stage.now.advanced(milliseconds: 299)
        #expect(stage.handle(.tick).replies.isEmpty)
        stage.now = stage.now.advanced(milliseconds: 1)
        let answered = stage.handle(.tick)
        #expect(answered.replies.count == 2 && answered.failure?.code == .deadlineExceeded)
        guard case .matches(let matches) = answered.replies.last?.body else {
            Issue.record("the query has no answer")
            return
        }
        #expect(matches.isDegraded && matches.receipt.shardsAnswered == 1)
        let late = stage.reply(write.sent[0], .acknowledged(Acknowledged(count: 1)))
        #expect(late.replies.isEmpty && stage.node.operations.isEmpty)
        #expect(stage.node.awaited.isEmpty && stage.node.sequencesInFlight.isEmpty)
    }

    @Test func aSilentShardIsGivenUpWithinASecond() {
        var stage = CoordinatorStage()
        stage.define(Self.createPoints)
        let asked = stage.ask(Self.query, bulk: Self.queryVector, deadlineMilliseconds: 9000)
        var answered: [CoordinatorDirective] = []
        for _ in 0..<20 {
            stage.now = stage.now.advanced(milliseconds: 50)
            let pong = Pong(catalogVersion: 1, vitals: ShardVitals())
            stage.handle(.shard(1, stage.answer(0, .pong(pong), bulk: [Bytes()])))
            answered += stage.handle(.tick)
            if stage.now == Instant(nanoseconds: 1_300_000_000) {
                answered += stage.reply(
                    asked.sent[1], .matches(MatchesAnswer(count: 1, receipt: Receipt())),
                    bulk: Self.match(7, score: 3))
            }
        }
        guard case .matches(let matches) = answered.replies.first?.body else {
            Issue.record("no answer without the silent shard")
            return
        }
        #expect(matches.isDegraded && answered.replies.count == 1)
        #expect(!stage.node.sessions[0].isUp && stage.node.sessions[1].isUp)
        #expect(stage.ask(.count(Count(collection: "points"))).sent.map(\.shard) == [1])
    }

    @Test func aScrubIsNotReportedWithoutAShardThatCannotTellOfIt() throws {
        var stage = CoordinatorStage(shards: 2)
        let answer = Body.scrubAnswer(
            ScrubAnswer(shardsRunning: 0, pagesVerified: 7, pagesDamaged: 0))
        let asked = stage.ask(.scrub(Scrub(isQuestion: true)))
        #expect(stage.reply(asked.sent[0], answer, bulk: [Bytes()]).replies.isEmpty)
        let error = LociError(.failedPrecondition, "Shard 1 has not begun a scrub.")
        #expect(stage.reply(asked.sent[1], .failure(error)).failure == error)
        // One that is silent shows in the receipt.
        stage.node.sessions[1].isUp = false
        let partial = stage.ask(.scrub(Scrub(isQuestion: true)))
        let told = stage.reply(partial.sent[0], answer, bulk: [Bytes()])
        guard case .scrubAnswer(let report) = told.replies.first?.body else {
            Issue.record("no answer")
            return
        }
        #expect(report.pagesVerified == 7 && !report.receipt.isComplete)
    }
}
