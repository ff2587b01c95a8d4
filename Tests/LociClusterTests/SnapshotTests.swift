import LociBase
import LociModel
import LociPlacement
import LociWire
import Testing

@testable import LociCluster

/// The coordinator's part of snapshots: what waits, what goes on, and what is visible when.
@Suite struct SnapshotTests {
    private static let create = Body.createSnapshot(CreateSnapshot(name: "monday"))
    private static let write = Body.writeCells(WriteCells(field: "cells", count: 1))
    private static let cell = [Bytes(zeros: 4096)]

    private func stage() -> CoordinatorStage {
        var stage = CoordinatorStage(shards: 2)
        stage.define(
            .createField(CreateField(name: "cells", elementType: .raw, shape: [4096, 4096])))
        for shard in 0..<2 { stage.node.sessions[shard].catalogVersion = 1 }
        return stage
    }

    private func prepared(_ stage: inout CoordinatorStage) throws -> [CoordinatorDirective] {
        let place = try #require(stage.ask(Self.create).snapshots.prepared.first)
        return stage.handle(.snapshotPrepared(place, .success(1_000)))
    }

    private func acknowledge(
        _ stage: inout CoordinatorStage, _ sent: [Sent], count: UInt64 = 0
    ) -> [CoordinatorDirective] {
        sent.flatMap { stage.reply($0, .acknowledged(Acknowledged(count: count))) }
    }

    @Test func aSnapshotIsVisibleOnlyAfterEveryStep() throws {
        var stage = stage()
        let cut = try prepared(&stage)
        #expect(cut.sent.map(\.shard) == [0, 1] && cut.steps == [.cut, .cut])
        let first = stage.reply(cut.sent[0], .acknowledged(Acknowledged(count: 0)))
        #expect(first.isEmpty)
        let copying = stage.reply(cut.sent[1], .acknowledged(Acknowledged(count: 0)))
        #expect(copying.steps == [.finish, .finish] && copying.snapshots.published.isEmpty)
        let publishing = acknowledge(&stage, copying.sent, count: 50)
        let manifest = try #require(publishing.snapshots.published.first)
        #expect(publishing.replies.isEmpty)
        #expect(manifest.bytes == 100 && manifest.unixSeconds == 1_000)
        #expect(manifest.partitions == 4 && manifest.shards == 2)
        #expect(try SnapshotManifest(encoded: manifest.encoded) == manifest)
        let done = stage.handle(.snapshotPublished(manifest.place, nil))
        guard case .acknowledged(let answer) = done.replies.first?.body else {
            Issue.record("no answer")
            return
        }
        #expect(answer.count == 100)
        #expect(stage.node.operations.isEmpty && stage.node.activeSnapshot == nil)
        // The next one may come.
        #expect(stage.ask(Self.create).snapshots.prepared.count == 1)
    }

    @Test func thePointComesWhenNoMutationIsUnderWayAndNewOnesWaitForIt() throws {
        var stage = stage()
        let early = stage.ask(Self.write, bulk: Self.cell)
        #expect(early.sent.count == 1)
        let preparing = try prepared(&stage)
        #expect(preparing.sent.isEmpty, "a write is under way")
        let late = stage.ask(Self.write, bulk: Self.cell)
        #expect(late.sent.isEmpty && late.replies.isEmpty, "a new write waits")
        let read = stage.ask(.readCells(ReadCells(field: "cells", count: 1)))
        #expect(read.sent.count == 1, "reads go on")
        let cut = stage.reply(early.sent[0], .acknowledged(Acknowledged(count: 1)))
        #expect(cut.replies.count == 1 && cut.steps == [.cut, .cut])
        let copying = acknowledge(&stage, cut.sent)
        let writes = copying.sent.filter {
            if case .shardWrite = $0.message.body { true } else { false }
        }
        #expect(writes.count == 1, "what waited goes on while shards copy")
        #expect(copying.steps == [.finish, .finish])
        #expect(stage.ask(Self.write, bulk: Self.cell).sent.count == 1)
    }

    @Test func definitionsWaitForThePointToo() throws {
        var stage = stage()
        let cut = try prepared(&stage)
        let drop = Body.dropField(DropField(name: "cells"))
        #expect(stage.ask(drop).persists.isEmpty)
        #expect(acknowledge(&stage, cut.sent).persists.count == 1)
    }

    @Test func theCatalogOfTheSnapshotIsThatOfThePoint() throws {
        var stage = stage()
        let cut = try prepared(&stage)
        let copying = acknowledge(&stage, cut.sent)
        let dropped = stage.ask(.dropField(DropField(name: "cells")))
        stage.handle(.persisted(dropped.persists[0].number, nil))
        #expect(stage.node.metadata.catalog.fields.isEmpty)
        let publishing = acknowledge(
            &stage,
            copying.sent.filter { if case .shardSnapshot = $0.message.body { true } else { false } }
        )
        let files = try #require(publishing.snapshots.files.first)
        let metadata = try #require(files.first { $0.name == CoordinatorRecovery.metadataName })
        #expect(try ClusterMetadata(encoded: metadata.content).catalog.fields.count == 1)
    }

    @Test(arguments: [SnapshotOperation.Phase.cutting, .copying])
    func aShardThatFailsEndsTheSnapshotAtOnceAndWritesGoOn(
        phase: SnapshotOperation.Phase
    ) throws {
        var stage = stage()
        var directives = try prepared(&stage)
        if phase == .copying { directives = acknowledge(&stage, directives.sent) }
        let held = stage.ask(Self.write, bulk: Self.cell)
        #expect(held.sent.isEmpty == (phase == .cutting))
        let error = LociError(.resourceExhausted, "The disk is full.")
        let ended = stage.reply(directives.sent[1], .failure(error))
        let failure = try #require(ended.failure)
        #expect(failure.code == .resourceExhausted)
        #expect(failure.message == "The snapshot 'monday' was abandoned: The disk is full.")
        #expect(ended.snapshots.discarded.count == 1 && ended.snapshots.published.isEmpty)
        #expect(ended.steps == [.abandon, .abandon])
        let writes = ended.sent.filter {
            if case .shardWrite = $0.message.body { true } else { false }
        }
        #expect(writes.count == (phase == .cutting ? 1 : 0))
        #expect(!stage.node.isHolding && stage.node.activeSnapshot == nil)
        // What the other shard says comes too late to matter.
        let late = stage.reply(directives.sent[0], .acknowledged(Acknowledged(count: 5)))
        #expect(late.snapshots.published.isEmpty && late.replies.isEmpty)
    }

    /// A connection may break and heal within the time after which a shard counts as lost.
    @Test func aLostAnswerDoesNotHoldTheSnapshotUpForEver() throws {
        var stage = stage()
        let cut = try prepared(&stage)
        let copying = acknowledge(&stage, cut.sent)
        func tick(milliseconds: UInt64) -> [CoordinatorDirective] {
            stage.now = stage.now.advanced(milliseconds: milliseconds)
            for shard in 0..<2 { stage.node.sessions[shard].lastHeard = stage.now }
            return stage.handle(.tick)
        }
        #expect(tick(milliseconds: 500).steps.isEmpty)
        let both = tick(milliseconds: 500)
        try #require(both.steps == [.finish, .finish] && both.sent.map(\.shard) == [0, 1])
        // The answers to the first question and to the second one come both.
        #expect(acknowledge(&stage, [copying.sent[0], both.sent[0]], count: 30).isEmpty)
        #expect(tick(milliseconds: 500).steps.isEmpty)
        let one = tick(milliseconds: 500)
        #expect(one.steps == [.finish] && one.sent.map(\.shard) == [1])
        let publishing = acknowledge(&stage, one.sent, count: 12)
        let manifest = try #require(publishing.snapshots.published.first)
        #expect(manifest.bytes == 42, "each part counts once")
        let late = acknowledge(&stage, [copying.sent[1], both.sent[1]], count: 12)
        #expect(late.isEmpty && tick(milliseconds: 5_000).steps.isEmpty)
        #expect(stage.handle(.snapshotPublished(manifest.place, nil)).replies.count == 1)
        #expect(stage.node.operations.isEmpty)
    }

    @Test func whatWaitsForThePointIsBoundedInBytesAndLeavesRoomForReads() throws {
        var stage = stage()
        _ = stage.ask(Self.write, bulk: Self.cell, deadlineMilliseconds: 60_000)
        #expect(try prepared(&stage).sent.isEmpty, "a write is under way")
        let large = Body.writeCells(WriteCells(field: "cells", count: 256))
        let cells = [Bytes(zeros: 256 * 4096)]
        for _ in 0..<64 {
            #expect(stage.ask(large, bulk: cells, deadlineMilliseconds: 100).replies.isEmpty)
        }
        #expect(stage.node.heldBytes == Limits.waitingMutationBytes)
        #expect(stage.ask(Self.write, bulk: Self.cell).failure?.code == .resourceExhausted)
        #expect(stage.ask(.readCells(ReadCells(field: "cells", count: 1))).sent.count == 1)
        // Those whose time is up make room.
        stage.now = stage.now.advanced(milliseconds: 200)
        #expect(stage.handle(.tick).replies.count == 64)
        #expect(stage.node.heldBytes == 0 && stage.node.held.isEmpty)
        let drop = Body.dropField(DropField(name: "none"))
        for _ in 0..<Limits.requestsInFlight { #expect(stage.ask(drop).replies.isEmpty) }
        #expect(stage.ask(drop).failure?.code == .resourceExhausted)
        #expect(stage.ask(.readCells(ReadCells(field: "cells", count: 1))).sent.count == 1)
    }

    @Test func aMutationThatDoesNotEndCostsTheSnapshotAndNotTheWriters() throws {
        var stage = stage()
        _ = stage.ask(Self.write, bulk: Self.cell, deadlineMilliseconds: 60_000)
        #expect(try prepared(&stage).sent.isEmpty)
        let held = stage.ask(Self.write, bulk: Self.cell, deadlineMilliseconds: 60_000)
        #expect(held.sent.isEmpty)
        stage.now = stage.now.advanced(milliseconds: SnapshotPolicy.holdMilliseconds)
        // Shards are heard, so that only the snapshot is late.
        for shard in 0..<2 { stage.node.sessions[shard].lastHeard = stage.now }
        let ended = stage.handle(.tick)
        #expect(ended.failure?.code == .deadlineExceeded)
        #expect(ended.failure?.message.contains("was abandoned") == true)
        #expect(
            ended.sent.contains { if case .shardWrite = $0.message.body { true } else { false } })
    }

    @Test func aHeldWriteKeepsItsDeadline() throws {
        var stage = stage()
        _ = stage.ask(Self.write, bulk: Self.cell, deadlineMilliseconds: 60_000)
        _ = try prepared(&stage)
        _ = stage.ask(Self.write, bulk: Self.cell, deadlineMilliseconds: 100)
        stage.now = stage.now.advanced(milliseconds: 200)
        #expect(stage.handle(.tick).failure?.code == .deadlineExceeded)
    }

    @Test func aSecondSnapshotAndOneWithoutAllShardsAreRefused() throws {
        var stage = stage()
        _ = stage.ask(Self.create)
        #expect(stage.ask(Self.create).failure?.code == .resourceExhausted)
        var other = self.stage()
        other.node.sessions[1].isUp = false
        #expect(other.ask(Self.create).failure?.code == .unavailable)
        #expect(other.ask(Self.create).snapshots.prepared.isEmpty)
    }

    @Test func aFolderThatComesTooLateIsRemoved() throws {
        var stage = stage()
        let place = try #require(stage.ask(Self.create).snapshots.prepared.first)
        stage.now = stage.now.advanced(milliseconds: 6_000)
        for shard in 0..<2 { stage.node.sessions[shard].lastHeard = stage.now }
        #expect(stage.handle(.tick).failure?.code == .deadlineExceeded)
        let late = stage.handle(.snapshotPrepared(place, .success(1)))
        #expect(late.snapshots.discarded == [place] && late.sent.isEmpty)
    }

    /// Random orders of answers, failures, writes and ticks: whatever happens, at no time does a
    /// write go out between the point's begin and its end, a snapshot is published only if every
    /// shard has taken both steps, and in the end nothing is held.
    @Test(arguments: 0..<60)
    func whateverHappensThePointIsConsistentAndNothingStaysHeld(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var stage = stage()
        var open: [Sent] = []
        var place: SnapshotPlace?
        var finished: Set<ShardIndex> = []
        var published = false
        func take(_ directives: [CoordinatorDirective]) {
            let hasCut = directives.steps.contains(.cut)
            for sent in directives.sent {
                if case .shardWrite = sent.message.body {
                    #expect(!stage.node.isHolding, "a write passes the point")
                }
                if case .shardSnapshot(let step) = sent.message.body, step.step == .abandon {
                    continue
                }
                open.append(sent)
            }
            if hasCut {
                #expect(
                    !open.contains { if case .shardWrite = $0.message.body { true } else { false } }
                )
            }
            if let prepared = directives.snapshots.prepared.first { place = prepared }
            if !directives.snapshots.published.isEmpty {
                #expect(finished == [0, 1])
                published = true
            }
        }
        take(stage.ask(Self.create))
        for _ in 0..<40 {
            switch random.below(8) {
            case 0...1: take(stage.ask(Self.write, bulk: Self.cell, deadlineMilliseconds: 60_000))
            case 2:
                if let waiting = place {
                    place = nil
                    take(stage.handle(.snapshotPrepared(waiting, .success(1))))
                }
            case 3:
                stage.now = stage.now.advanced(milliseconds: 20)
                for shard in 0..<2 { stage.node.sessions[shard].lastHeard = stage.now }
                take(stage.handle(.tick))
            default:
                guard !open.isEmpty else { continue }
                let sent = open.remove(at: random.below(open.count))
                if random.chance(0.05) {
                    take(stage.reply(sent, .failure(LociError(.unavailable, "Gone."))))
                    continue
                }
                if case .shardSnapshot(let step) = sent.message.body, step.step == .finish {
                    finished.insert(sent.shard)
                }
                take(stage.reply(sent, .acknowledged(Acknowledged(count: 1))))
            }
        }
        if let waiting = place { take(stage.handle(.snapshotPrepared(waiting, .success(1)))) }
        while !open.isEmpty {
            let sent = open.removeFirst()
            if case .shardSnapshot(let step) = sent.message.body, step.step == .finish {
                finished.insert(sent.shard)
            }
            take(stage.reply(sent, .acknowledged(Acknowledged(count: 1))))
        }
        #expect(!stage.node.isHolding && stage.node.held.isEmpty)
        let expected = published ? 1 : 0
        #expect(stage.node.operations.count == expected, "only the publishing is under way")
    }
}

extension [CoordinatorDirective] {
    var steps: [ShardSnapshot.Step] {
        sent.compactMap {
            if case .shardSnapshot(let step) = $0.message.body { step.step } else { nil }
        }
    }

    struct Snapshots {
        var prepared: [SnapshotPlace] = []
        var published: [SnapshotManifest] = []
        var files: [[SnapshotFile]] = []
        var discarded: [SnapshotPlace] = []
    }

    var snapshots: Snapshots {
        var result = Snapshots()
        for directive in self {
            switch directive {
            case .prepareSnapshot(let place): result.prepared.append(place)
            case .publishSnapshot(let manifest, let files):
                result.published.append(manifest)
                result.files.append(files)
            case .discardSnapshot(let place): result.discarded.append(place)
            default: break
            }
        }
        return result
    }
}
