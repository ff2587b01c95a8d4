import LociBase
import LociModel
import LociPlacement
import LociWire
import Testing

@testable import LociCluster

/// Reads of cells by a coordinator of two shards with two partitions each.
@Suite struct PartialReadTests {
    private static let cellBytes = 4096
    /// 1024 cells fill a stripe; stripes go to shards 0, 1, 0, 1.
    private static let create = Body.createField(
        CreateField(
            name: "rows", elementType: .raw, shape: [4096, UInt64(cellBytes)], pageBytes: 4096))
    private static let cells: [CellIndex] = [5, 1030, 5, 2050, 3080, 1031, 1030, 7]
    private static let named = [Bytes(values: cells)]
    private static let onShard1: [UInt32] = [1, 4, 5, 6]

    private static func stage() -> CoordinatorStage {
        var stage = CoordinatorStage()
        stage.define(create)
        return stage
    }

    private static func read(
        tiers: Bool = false, partial: Bool = false, identity: UInt64 = 0
    ) -> Body {
        .readCells(
            ReadCells(
                field: "rows", count: UInt64(cells.count), isScattered: true, identity: identity,
                withTiers: tiers, allowsPartial: partial))
    }

    private static func only(_ replies: [Message]) throws -> Message {
        try #require(replies.count == 1)
        return replies[0]
    }

    private static func content(_ cell: CellIndex) -> Bytes {
        Bytes(repeating: UInt8(truncatingIfNeeded: cell &* 37 &+ 1), count: cellBytes)
    }

    /// A shard answers: its cells, and as their tiers ssd for odd ones and dram for even ones.
    private static func answer(
        _ sent: Sent, _ stage: inout CoordinatorStage
    ) -> [CoordinatorDirective] {
        let asked = sent.message.bulk[0].values(CellIndex.self)
        var bulk = [Bytes.joined(asked.map(content)).compact()]
        if case .shardRead(let read) = sent.message.body, read.withTiers {
            bulk += [Bytes(), Bytes(asked.map(tier))]
        }
        return stage.reply(
            sent,
            .cells(
                CellsAnswer(
                    cellBytes: UInt32(cellBytes), count: UInt64(asked.count), receipt: Receipt())),
            bulk: bulk)
    }

    private static func tier(_ cell: CellIndex) -> UInt8 {
        (cell % 2 == 0 ? Tier.dram : Tier.ssd).rawValue + 1
    }

    private static func fail(
        _ sent: Sent, _ code: ErrorCode, _ stage: inout CoordinatorStage
    ) -> [CoordinatorDirective] {
        stage.reply(sent, .failure(LociError(code, "It does not.")))
    }

    /// Whole cells where they must be, 0xFF where they are missing, and those named.
    private static func check(_ message: Message, missing: [UInt32], tiers: Bool) throws {
        try message.validated()
        guard case .cells(let answer) = message.body else {
            Issue.record("\(message.body)")
            return
        }
        #expect(answer.receipt.isComplete == missing.isEmpty)
        #expect(answer.receipt.shardsAsked == 2)
        let shards: Set<Bool> = Set(missing.map { onShard1.contains($0) })
        #expect(answer.receipt.shardsAnswered == UInt32(2 - shards.count))
        for (position, cell) in cells.enumerated() {
            let found = message.bulk[0].slice(
                (position * cellBytes)..<((position + 1) * cellBytes))
            let isMissing = missing.contains(UInt32(position))
            #expect(
                found == (isMissing ? Bytes(repeating: 0xFF, count: cellBytes) : content(cell)))
            if tiers { #expect(message.bulk[2][position] == (isMissing ? 0 : tier(cell))) }
        }
        #expect(message.bulk.count == (missing.isEmpty ? (tiers ? 3 : 1) : 4))
        if !missing.isEmpty { #expect(message.bulk[3].values(UInt32.self) == missing) }
        if message.bulk.count > 1 { #expect(message.bulk[1].isEmpty) }
    }

    @Test(arguments: [false, true]) func cellsComeInTheOrderAskedForWithTheirTiers(
        isReversed: Bool
    ) throws {
        var stage = Self.stage()
        let sent = stage.ask(Self.read(tiers: true), bulk: Self.named).sent
        #expect(
            sent.map { $0.message.bulk[0].values(CellIndex.self) } == [
                [5, 2050, 7], [1030, 3080, 1031],
            ])
        var replies: [Message] = []
        for part in isReversed ? sent.reversed() : sent {
            replies += Self.answer(part, &stage).replies
        }
        try Self.check(try Self.only(replies), missing: [], tiers: true)
        #expect(stage.node.operations.isEmpty && stage.node.awaited.isEmpty)
    }

    @Test(arguments: [ErrorCode.unavailable, .deadlineExceeded], [false, true])
    func whatAShardDoesNotGiveIsNamedIfThatIsAllowed(code: ErrorCode, isFirst: Bool) throws {
        for tiers in [false, true] {
            var stage = Self.stage()
            let sent = stage.ask(Self.read(tiers: tiers, partial: true), bulk: Self.named).sent
            var replies: [Message] = []
            if isFirst { replies += Self.fail(sent[1], code, &stage).replies }
            replies += Self.answer(sent[0], &stage).replies
            if !isFirst { replies += Self.fail(sent[1], code, &stage).replies }
            try Self.check(try Self.only(replies), missing: Self.onShard1, tiers: tiers)
        }
    }

    @Test func withoutLeaveAMissingShardIsAnError() throws {
        var stage = Self.stage()
        let sent = stage.ask(Self.read(), bulk: Self.named).sent
        #expect(Self.answer(sent[0], &stage).replies.isEmpty)
        #expect(Self.fail(sent[1], .unavailable, &stage).failure?.code == .unavailable)
    }

    /// Other failures than silence mean that something is wrong with the request or the data.
    @Test(arguments: [false, true]) func noPartialAnswerHidesAnotherFailure(isLast: Bool) throws {
        for code in [ErrorCode.dataLoss, .failedPrecondition, .resourceExhausted] {
            var stage = Self.stage()
            let sent = stage.ask(Self.read(partial: true), bulk: Self.named).sent
            var directives: [CoordinatorDirective] = []
            if !isLast { directives += Self.fail(sent[1], code, &stage) }
            directives += Self.answer(sent[0], &stage)
            if isLast { directives += Self.fail(sent[1], code, &stage) }
            #expect(directives.failure?.code == code)
            // Also not one that came after another shard's silence.
            let again = stage.ask(Self.read(partial: true), bulk: Self.named).sent
            _ = Self.fail(again[0], .unavailable, &stage)
            #expect(Self.fail(again[1], code, &stage).failure?.code == code)
        }
    }

    /// A client cuts a call into requests, of which one may have all cells on the shard that is
    /// down: only the client can say that there is nothing at all.
    @Test(arguments: [ErrorCode.unavailable, .deadlineExceeded])
    func ifNobodyAnswersAPartialReadNamesAllCells(code: ErrorCode) throws {
        for tiers in [false, true] {
            var stage = Self.stage()
            let sent = stage.ask(Self.read(tiers: tiers, partial: true), bulk: Self.named).sent
            #expect(Self.fail(sent[0], code, &stage).replies.isEmpty)
            let replies = Self.fail(sent[1], code, &stage).replies
            try Self.check(
                try Self.only(replies), missing: Array(0..<UInt32(Self.cells.count)),
                tiers: tiers)
        }
        var stage = Self.stage()
        let sent = stage.ask(Self.read(), bulk: Self.named).sent
        _ = Self.fail(sent[0], code, &stage)
        #expect(Self.fail(sent[1], code, &stage).failure?.code == code)
    }

    @Test func atItsDeadlineAPartialReadAnswersWithWhatItHas() throws {
        var stage = Self.stage()
        let sent = stage.ask(Self.read(partial: true), bulk: Self.named, deadlineMilliseconds: 100)
            .sent
        #expect(Self.answer(sent[0], &stage).replies.isEmpty)
        stage.now = stage.now.advanced(microseconds: 200_000)
        let replies = stage.handle(.tick).replies
        try Self.check(try Self.only(replies), missing: Self.onShard1, tiers: false)
        // What the shard says later changes nothing.
        #expect(Self.answer(sent[1], &stage).replies.isEmpty)
    }

    @Test func aWrongIdentityIsRefusedAndTheRightOneIsPassedOn() throws {
        var stage = Self.stage()
        let first = try #require(stage.node.metadata.catalog.field(named: "rows"))
        let identity = first.identity(in: 5)
        #expect(
            stage.ask(Self.read(identity: identity ^ 4), bulk: Self.named).failure?.code
                == .failedPrecondition)
        let sent = stage.ask(Self.read(identity: identity), bulk: Self.named).sent
        #expect(sent.count == 2)
        for part in sent {
            guard case .shardRead(let read) = part.message.body else { continue }
            #expect(read.identity == identity)
        }
        // The same name, shape and type, but another field.
        stage.define(.dropField(DropField(name: "rows")))
        #expect(
            stage.ask(Self.read(identity: identity), bulk: Self.named).failure?.code == .notFound)
        stage.define(Self.create)
        #expect(
            stage.ask(Self.read(identity: identity), bulk: Self.named).failure?.code
                == .failedPrecondition)
        #expect(stage.ask(Self.read(), bulk: Self.named).sent.count == 2)
    }

    /// The plan against its definition: each cell asked of its shard once, and found in its answer.
    @Test func everyCellIsAskedOfItsShardOnceAndFoundAgain() throws {
        var random = SeededRandom(seed: 3)
        let field = try FieldDefinition(
            space: 1, name: "rows", elementType: .raw, shape: [1 << 20, 264])
        for _ in 0..<200 {
            let shards = 1 + random.below(5)
            let map = PartitionMap(partitions: shards + random.below(12), shards: shards)
            let geometry = FieldGeometry(field, partitions: map.partitions)
            let span = 1 + random.below(random.chance(0.5) ? 30 : 1 << 20)
            let asked = (0..<(1 + random.below(300))).map { _ in CellIndex(random.below(span)) }
            let plan = ReadPlan(asked, geometry, map, isScattered: true)
            #expect(Set(plan.shards).count == plan.shards.count)
            #expect(plan.cells.allSatisfy { Set($0).count == $0.count && !$0.isEmpty })
            #expect(plan.cells.reduce(0) { $0 + $1.count } == Set(asked).count)
            for (cell, source) in zip(asked, plan.sources) {
                #expect(plan.cells[Int(source.part)][Int(source.row)] == cell)
                #expect(
                    plan.shards[Int(source.part)] == map.shard(of: geometry.partition(of: cell)))
            }
        }
    }

    /// Cells chosen to fall on one place of the table: slow would be a table that fills up, wrong a
    /// cell that is mistaken for another.
    @Test func cellsThatCollideAreStillFound() throws {
        let field = try FieldDefinition(
            space: 1, name: "rows", elementType: .raw, shape: [1 << 49, 1])
        let map = PartitionMap(partitions: 3, shards: 3)
        let geometry = FieldGeometry(field, partitions: 3)
        // Multiples of the factor's inverse have the products 0, 1, 2, ...: equal upper bits.
        var inverse: UInt64 = 1
        for _ in 0..<6 { inverse = inverse &* (2 &- 0x9E37_79B9_7F4A_7C15 &* inverse) }
        var asked: [CellIndex] = []
        var product: UInt64 = 0
        while asked.count < 400 {
            product += 1
            let cell = product &* inverse
            if cell < 1 << 49 { asked.append(cell) }
        }
        asked += asked
        let plan = ReadPlan(asked, geometry, map, isScattered: true)
        for (cell, source) in zip(asked, plan.sources) {
            #expect(plan.cells[Int(source.part)][Int(source.row)] == cell)
        }
        #expect(plan.cells.reduce(0) { $0 + $1.count } > 400, "some searches gave up")
    }
}
