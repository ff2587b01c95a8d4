import LociBase
import LociModel
import LociWire
import Testing

@testable import LociCluster

/// What a coordinator hints, from what it sees of reads.
@Suite struct CrossShardHintTests {
    /// Cells of one page each, 1024 pages to a stripe, two shards: cells 0 to 1023 live on shard 0,
    /// the next 1024 on shard 1, and so on.
    private static let stripe: UInt64 = 1024

    private struct Reader {
        var stage: CoordinatorStage
        var hinted: [(page: UInt64, shard: ShardIndex)] = []
        var hints = 0
        /// How long page-ins are waited for.
        var waitMicroseconds: UInt64 = 5000

        init() {
            stage = CoordinatorStage()
            stage.define(
                .createField(
                    CreateField(
                        name: "f", elementType: .raw, shape: [1 << 16, 4096], pageBytes: 4096)))
        }

        /// Reads cells, answers for the shards, and keeps what was hinted.
        mutating func read(_ cells: [CellIndex], client: UInt64 = 1) {
            let directives = stage.ask(
                .readCells(ReadCells(field: "f", count: UInt64(cells.count), isScattered: true)),
                bulk: [Bytes(values: cells)], client: client)
            take(directives)
        }

        mutating func read(_ range: Range<CellIndex>) {
            take(
                stage.ask(
                    .readCells(
                        ReadCells(
                            field: "f", first: range.lowerBound, count: UInt64(range.count)))))
        }

        private mutating func take(_ directives: [CoordinatorDirective]) {
            hinted = []
            for sent in directives.sent {
                switch sent.message.body {
                case .hint:
                    let pages = PageHint.decoded(sent.message.bulk[0])
                    #expect((try? sent.message.validated()) != nil)
                    hinted += pages.map { ($0.page, sent.shard) }
                    hints += pages.count
                default:
                    let count = sent.message.bulk[0].count / 8
                    var receipt = Receipt()
                    receipt.pagesTouched = UInt64(count)
                    receipt.tiers[.ssd].hard = UInt64(count)
                    receipt.tiers[.ssd].waitMicroseconds = waitMicroseconds
                    let answer = CellsAnswer(
                        cellBytes: 4096, count: UInt64(count), receipt: receipt)
                    _ = stage.reply(
                        sent, .cells(answer), bulk: [Bytes(zeros: count * 4096)])
                }
            }
        }
    }

    /// Pages that alternate between the shards, in an order without strides.
    private static func path(_ seed: UInt64) -> [CellIndex] {
        var random = SeededRandom(seed: seed)
        return (0..<24).map { step in
            let stripe = UInt64(random.below(16)) * 2 + UInt64(step % 2)
            return stripe * Self.stripe + UInt64(random.below(1024))
        }
    }

    /// Two clients walk paths of their own, in turns, again and again.
    @Test func sessionsThatCrossShardsAreFoundOutThoughTheyInterleave() {
        var reader = Reader()
        let paths = [Self.path(1), Self.path(2)]
        var expected = 0
        var announced = 0
        var open: [[UInt64: ShardIndex]] = [[:], [:]]
        for round in 0..<12 {
            for step in 0..<24 {
                for client in 0..<2 {
                    let page = paths[client][step]
                    if round >= 8 {
                        expected += 1
                        if open[client][page] == ShardIndex(page / Self.stripe % 2) {
                            announced += 1
                        }
                    }
                    reader.read([page], client: UInt64(client + 1))
                    for hint in reader.hinted {
                        let home = ShardIndex(hint.page / Self.stripe % 2)
                        #expect(hint.shard == home, "a hint goes where the page lives")
                        #expect(
                            home != ShardIndex(page / Self.stripe % 2),
                            "what stays on the shard, the shard sees itself")
                        open[client][hint.page] = hint.shard
                    }
                }
            }
        }
        #expect(Double(announced) >= 0.9 * Double(expected), "\(announced) of \(expected)")
    }

    /// A page-in that takes no longer than a message is left to the read itself.
    @Test func fastPageInsAreNotHinted() {
        for (wait, isHinted) in [(UInt64(80), false), (5000, true)] {
            var reader = Reader()
            reader.waitMicroseconds = wait
            let path = Self.path(1)
            for _ in 0..<12 { for page in path { reader.read([page]) } }
            #expect((reader.hints > 100) == isHinted, "\(reader.hints) hints at \(wait) us")
        }
    }

    @Test func randomReadsAreHintedNothing() {
        var reader = Reader()
        var random = SeededRandom(seed: 3)
        for _ in 0..<20_000 { reader.read([UInt64(random.below(1 << 16))]) }
        #expect(reader.hints <= 200, "\(reader.hints) of 20000")
    }

    @Test func readsOfManyScatteredPagesTeachNothing() {
        var reader = Reader()
        let cells = (0..<48).map { UInt64($0) * 131 }
        for _ in 0..<50 { reader.read(cells) }
        #expect(reader.hints == 0)
    }

    /// A scan in ranges of 64 pages: from the third on, the next range is hinted before it is read.
    @Test func scansAreHintedTheNextRangeAlsoOnTheNextShard() {
        var reader = Reader()
        var hinted: Set<UInt64> = []
        for index in 0..<60 {
            let range = (UInt64(index) * 64)..<(UInt64(index + 1) * 64)
            if index >= 3 { #expect(Set(range).isSubset(of: hinted)) }
            reader.read(range)
            hinted = Set(reader.hinted.map(\.page))
            for hint in reader.hinted {
                #expect(hint.shard == ShardIndex(hint.page / Self.stripe % 2))
            }
        }
    }

    /// The last pages of the field have no successors.
    @Test func nothingBeyondTheFieldIsHinted() {
        var reader = Reader()
        for start in stride(from: UInt64(1 << 16) - 640, to: 1 << 16, by: 64) {
            reader.read(start..<(start + 64))
            #expect(reader.hinted.allSatisfy { $0.page < 1 << 16 })
        }
    }
}

@Suite struct PageExperienceTests {
    @Test func whatIsThereAnywayIsNotHinted() {
        var pages = PageExperience()
        func isHinted(_ page: UInt64) -> Bool { pages.takesHint(page, of: 1) }
        #expect(isHinted(7), "nobody knows")
        pages.note(8, of: 1, wasResident: true)
        #expect(pages.isResident(8, of: 1) && !pages.isResident(8, of: 2))
        #expect(!isHinted(8))
        pages.note(8, of: 1, wasResident: false)
        #expect(isHinted(8), "it was found missing")
    }

    /// A page that stays in memory by itself is found out, though it was hinted at first.
    @Test func hintsThatAreNotNeededEnd() {
        var pages = PageExperience()
        var hints = 0
        for _ in 0..<100 {
            if pages.takesHint(5, of: 1) { hints += 1 }
            pages.note(5, of: 1, wasResident: true)
        }
        #expect(hints < PageExperience.probeInterval + 1)
    }

    /// One that is there only when it was hinted goes on being hinted.
    @Test func hintsThatAreNeededGoOn() {
        var pages = PageExperience()
        var hints = 0
        for _ in 0..<100 {
            let isHinted = pages.takesHint(5, of: 1)
            if isHinted { hints += 1 }
            pages.note(5, of: 1, wasResident: isHinted)
        }
        #expect(hints > 80)
    }
}

@Suite struct FieldStreamsTests {
    /// With more fields than predictors, those that have one keep it.
    @Test func fieldsDoNotTakePredictorsFromEachOtherInTurn() {
        var streams = FieldStreams(seed: 1)
        var predictions: [UInt64] = []
        var predicted = [Int](repeating: 0, count: 20)
        for page in 0..<UInt64(100) {
            for field in 0..<20 {
                predictions.removeAll()
                streams.observe(
                    page: page, of: SpaceID(field), session: 1, wasResident: false,
                    into: &predictions)
                if !predictions.isEmpty { predicted[field] += 1 }
            }
        }
        #expect(predicted[..<FieldStreams.mostFields].allSatisfy { $0 > 5 }, "\(predicted)")
        #expect(predicted[FieldStreams.mostFields...].allSatisfy { $0 == 0 })
        // A field that is not read any more gives way.
        for page in 0..<(2 * FieldStreams.patience) {
            predictions.removeAll()
            streams.observe(
                page: page, of: 19, session: 1, wasResident: false, into: &predictions)
        }
        #expect(!predictions.isEmpty)
    }
}
