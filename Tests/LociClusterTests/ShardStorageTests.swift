import LociBase
import LociModel
import LociSearch
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// A shard's part of snapshots, surveys and scrubs.
@Suite struct ShardStorageTests {
    private struct Stage {
        var node: ShardNode
        var directives: [ShardDirective] = []
        var lsn: [PartitionIndex: LSN] = [0: 1, 1: 1]
        var now = Instant.zero
        private var request: UInt64 = 0
        private var sequence: UInt64 = 0
        private let field: FieldDefinition

        init() throws {
            let settings = ShardNode.Settings(
                clusterID: 9, shard: 0, incarnation: 1, partitions: 2, shards: 1,
                dram: .dram(budgetBytes: 16 << 20), checkpointLogBytes: .max)
            let states = (0..<2).map {
                PartitionState(
                    partition: PartitionIndex($0), partitions: 2, tuning: SearchTuning())
            }
            node = ShardNode(
                settings, recovered: states.map { ($0, 1, 0) }, stopwatch: { .zero })
            var catalog = Catalog()
            field = try catalog.createField(
                name: "cells", elementType: .raw, shape: [4096, 4096], pageBytes: 4096)
            _ = send(.hello(Hello(clusterID: 9, shard: 0, partitions: 2, shards: 1)))
            _ = send(.install(Install(version: catalog.version)), bulk: [catalog.encoded])
            commitAll()
        }

        @discardableResult
        mutating func send(_ body: Body, bulk: [Bytes] = [], sequence: UInt64 = 0) -> UInt64 {
            request += 1
            var header = Header(requestID: request)
            header.senderIncarnation = 1
            header.receiverIncarnation = 1
            header.sequence = sequence
            handle(.received(from: 1, Message(header, body, bulk: bulk)))
            return request
        }

        mutating func handle(_ event: ShardEvent) {
            node.handle(event, at: now, into: &directives)
        }

        /// Cell 0 lies on partition 0, cell 1024 (one stripe on) on partition 1.
        @discardableResult
        mutating func write(to partition: PartitionIndex) -> UInt64 {
            sequence += 1
            let cell = UInt64(partition) * UInt64(Layout.stripeBytes / 4096)
            return send(
                .shardWrite(ShardWrite(space: field.space, partition: partition)),
                bulk: [Bytes(values: [cell]), Bytes(zeros: 4096)], sequence: sequence)
        }

        /// Partitions whose groups wait to be durable.
        var committing: [PartitionIndex] {
            directives.compactMap { if case .commit(let each, _) = $0 { each } else { nil } }
        }

        mutating func commitAll() {
            while let index = directives.firstIndex(where: {
                if case .commit = $0 { true } else { false }
            }) {
                guard case .commit(let partition, let records) = directives.remove(at: index)
                else { return }
                lsn[partition]! += UInt64(records.count)
                handle(.committed(partition, .success(lsn[partition]!)))
            }
        }

        var cuts: [(SnapshotPlace, PartitionIndex, LSN)] {
            directives.compactMap {
                if case .snapshot(let place, let each, let lsn, _) = $0 {
                    (place, each, lsn)
                } else {
                    nil
                }
            }
        }

        /// Partitions whose checkpoints were ordered since this was asked last.
        mutating func takeCheckpoints() -> [PartitionIndex] {
            let ordered = directives.compactMap {
                if case .checkpoint(let each, _, _) = $0 { each } else { nil }
            }
            directives.removeAll { if case .checkpoint = $0 { true } else { false } }
            return ordered
        }

        func answer(to request: UInt64) -> Body? {
            for case .send(_, let message) in directives where message.header.requestID == request {
                return message.body
            }
            return nil
        }

        func bulk(of request: UInt64) -> [Bytes] {
            for case .send(_, let message) in directives where message.header.requestID == request {
                return message.bulk
            }
            return []
        }
    }

    private static let place = SnapshotPlace(name: "monday", id: 7)

    private func step(_ step: ShardSnapshot.Step, id: UInt64 = 7) -> Body {
        .shardSnapshot(ShardSnapshot(name: "monday", id: id, step: step))
    }

    @Test func aPartitionIsCutAfterWhatWasQueuedAndBeforeWhatComesNext() throws {
        var stage = try Stage()
        let before = stage.lsn[0]!
        stage.write(to: 0)
        stage.write(to: 0)
        let cut = stage.send(step(.cut))
        #expect(stage.cuts.map(\.1) == [1], "partition 0 still has writes to make durable")
        stage.commitAll()
        #expect(stage.cuts.map(\.1) == [1, 0])
        #expect(stage.cuts.last!.2 == before + 2, "both writes are in the copy")
        // What comes between the cut and its report waits, for both.
        let late = stage.write(to: 0)
        #expect(stage.committing.isEmpty && stage.answer(to: cut) == nil)
        stage.handle(.snapshotCut(Self.place, 1))
        #expect(stage.answer(to: cut) == nil)
        stage.handle(.snapshotCut(Self.place, 0))
        #expect(stage.answer(to: cut) == .acknowledged(Acknowledged(count: 0)))
        #expect(stage.committing == [0])
        stage.commitAll()
        #expect(stage.answer(to: late) != nil)
    }

    @Test func theEndIsAnsweredWithTheBytesOfAllPartitions() throws {
        for isAskedFirst in [true, false] {
            var stage = try Stage()
            stage.send(step(.cut))
            for partition in PartitionIndex(0)..<2 {
                stage.handle(.snapshotCut(Self.place, partition))
            }
            stage.handle(.snapshotDone(Self.place, 0, .success(30)))
            var finish: UInt64 = 0
            if isAskedFirst { finish = stage.send(step(.finish)) }
            #expect(stage.answer(to: finish) == nil)
            stage.handle(.snapshotDone(Self.place, 1, .success(12)))
            if !isAskedFirst { finish = stage.send(step(.finish)) }
            #expect(stage.answer(to: finish) == .acknowledged(Acknowledged(count: 42)))
        }
    }

    @Test func aFailureIsAnsweredAtOnceAndHoldsNothing() throws {
        var stage = try Stage()
        let cut = stage.send(step(.cut))
        let write = stage.write(to: 1)
        let error = LociError(.resourceExhausted, "The disk is full.")
        stage.handle(.snapshotDone(Self.place, 1, .failure(error)))
        #expect(stage.answer(to: cut) == .failure(error))
        stage.commitAll()
        #expect(stage.answer(to: write) != nil)
        let finish = stage.send(step(.finish))
        #expect(stage.answer(to: finish) == .failure(error))
    }

    @Test func anAbandonedSnapshotLetsWritesGoAndIgnoresWhatIsReportedOfIt() throws {
        var stage = try Stage()
        stage.send(step(.cut))
        let write = stage.write(to: 0)
        #expect(stage.committing.isEmpty)
        stage.send(step(.abandon, id: 6))
        #expect(stage.committing.isEmpty, "that is another snapshot")
        stage.send(step(.abandon))
        stage.commitAll()
        #expect(stage.answer(to: write) != nil)
        stage.handle(.snapshotDone(Self.place, 0, .success(1)))
        let finish = stage.send(step(.finish))
        guard case .failure(let error) = stage.answer(to: finish) else {
            Issue.record("an abandoned snapshot was finished")
            return
        }
        #expect(error.code == .failedPrecondition)
    }

    @Test func aSurveyAddsWhatIsInMemoryToWhatStorageSays() throws {
        var stage = try Stage()
        stage.send(.shardRead(ShardRead(space: 1)), bulk: [Bytes(values: [UInt64(0)])])
        let address = PageAddress(space: 1, partition: 0, page: 0)
        stage.handle(.pageArrived(address, .success(.loaded(Bytes(zeros: 4096), from: .ssd))))
        let asked = stage.send(
            .shardResidency(ShardResidency(space: 1, partition: 0, extent: 0)))
        let requests = stage.directives.compactMap {
            if case .survey(let request) = $0 { request } else { nil }
        }
        let request = try #require(requests.first)
        #expect(request.partition == 0 && request.pageBytes == 4096)
        var second = ExtentResidency(partition: 0, extent: 2)
        second.ssd = 9
        stage.handle(.surveyed(request, .success(Survey(extents: [second], hasMore: true))))
        var first = ExtentResidency(partition: 0, extent: 0)
        first.dram = 1
        #expect(ExtentResidency.decoded(stage.bulk(of: asked)[0]) == [first, second])
        guard case .residencyAnswer(let answer) = stage.answer(to: asked) else {
            Issue.record("no answer")
            return
        }
        #expect(answer.hasMore && answer.extent == 3)
    }

    @Test func aScrubRunsOnceAndItsProgressIsTold() throws {
        var stage = try Stage()
        stage.send(.scrub(Scrub(bytesPerSecond: 5)))
        stage.send(.scrub(Scrub(bytesPerSecond: 5)))
        let started = stage.directives.filter {
            if case .scrub(5) = $0 { true } else { false }
        }
        #expect(started.count == 1)
        let page = PageAddress(space: 1, partition: 1, page: 77)
        stage.handle(
            .scrubbed(
                ScrubProgress(pagesVerified: 10, pagesDamaged: 1, damaged: [page])))
        let asked = stage.send(.scrub(Scrub(isQuestion: true)))
        #expect(
            stage.answer(to: asked)
                == .scrubAnswer(ScrubAnswer(shardsRunning: 0, pagesVerified: 10, pagesDamaged: 1)))
        #expect(DamagedPages.decoded(stage.bulk(of: asked)[0]) == [page])
    }

    @Test func vitalsHoldWhatStorageReportsBesideTheTierOfMemory() throws {
        var stage = try Stage()
        var vitals = StorageVitals()
        var hdd = TierVitals(.hdd)
        hdd.movedIn = 3
        vitals.tiers = [hdd, TierVitals(.ssd)]
        vitals.isFull = true
        stage.handle(.storageReported(vitals))
        let asked = stage.send(.ping)
        guard case .pong(let pong) = stage.answer(to: asked) else {
            Issue.record("no pong")
            return
        }
        #expect(pong.vitals.tiers.map(\.tier) == [.dram, .ssd, .hdd])
        #expect(pong.vitals.tiers[0].budgetBytes == 16 << 20)
        #expect(pong.vitals.tiers[2].movedIn == 3 && pong.vitals.isFull)
    }

    @Test func aScrubThatThisStartOfTheShardDoesNotKnowIsNotReportedAsDone() throws {
        var stage = try Stage()
        let asked = stage.send(.scrub(Scrub(isQuestion: true)))
        guard case .failure(let error) = stage.answer(to: asked) else {
            Issue.record("a scrub that was never begun is reported")
            return
        }
        #expect(error.code == .failedPrecondition && error.message.contains("Shard 0"))
    }

    @Test func aCheckpointThatFoundNoSpaceIsTriedAgainWithoutAWrite() throws {
        var stage = try Stage()
        var catalog = Catalog()
        _ = try catalog.createField(
            name: "cells", elementType: .raw, shape: [4096, 4096], pageBytes: 4096)
        _ = catalog.dropField(named: "cells")
        stage.send(.install(Install(version: catalog.version)), bulk: [catalog.encoded])
        stage.commitAll()
        let first = stage.takeCheckpoints()
        #expect(Set(first) == [0, 1], "what was dropped gives its space back")
        stage.handle(.checkpointed(0, .success(0)))
        let full = LociError(.resourceExhausted, "The disk is full.")
        stage.handle(.checkpointed(1, .failure(full)))
        stage.send(.ping)
        #expect(stage.takeCheckpoints().isEmpty, "not at once")
        stage.now = stage.now.advanced(milliseconds: 1_000)
        stage.send(.ping)
        stage.send(.ping)
        #expect(stage.takeCheckpoints() == [1], "one at a time")
        stage.handle(.checkpointed(1, .success(0)))
        stage.now = stage.now.advanced(milliseconds: 5_000)
        stage.send(.ping)
        #expect(stage.takeCheckpoints().isEmpty)
    }
}
