import LociBase
import LociModel
import LociSearch
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// A shard with little memory and a field twenty times as large.
@Suite struct MemoryBudgetTests {
    private static let budget = 512 << 10
    private static let pageBytes = 16 << 10
    private static let cellBytes = 1024
    private static let cells: UInt64 = 20 * 512

    private static func stage(far: Int = 0) throws -> ShardStage {
        var stage = ShardStage(
            dram: .dram(budgetBytes: budget), far: far == 0 ? nil : .far(budgetBytes: far))
        var catalog = Catalog()
        let field = try catalog.createField(
            name: "rows", elementType: .raw, shape: [cells, UInt64(cellBytes)],
            pageBytes: pageBytes)
        stage.install(catalog)
        let geometry = FieldGeometry(field, partitions: 1)
        for cell in 0..<cells {
            let place = geometry.place(of: cell)
            stage.disk[place.address, default: Bytes(zeros: pageBytes)].replace(
                at: place.offset, with: Bytes(values: [cell << 32]))
        }
        #expect(stage.disk.count * pageBytes == 20 * budget)
        return stage
    }

    private static func read(
        _ cells: [CellIndex], _ stage: inout ShardStage, maxTier: Tier? = nil
    ) -> UInt64 {
        stage.send(.shardRead(ShardRead(space: 1, maxTier: maxTier)), bulk: [Bytes(values: cells)])
    }

    /// The cells' values, if the request was answered.
    private static func values(_ message: Message) -> [UInt64]? {
        guard case .cells = message.body else { return nil }
        let bytes = message.bulk[0]
        return (0..<(bytes.count / cellBytes)).map { bytes.load(at: $0 * cellBytes) }
    }

    private static func checkReceipt(_ message: Message, pages: Int) {
        guard case .cells(let answer) = message.body else { return }
        let tiers = answer.receipt.tiers
        #expect(answer.receipt.pagesTouched == UInt64(pages))
        #expect(tiers.pages + tiers.skipped == UInt64(pages))
    }

    private struct Reader {
        let cells: [CellIndex]
        /// How many values each of them had had when the read began.
        let known: [Int]
    }

    /// Eight reads at once, many of them of more pages than the budget holds, page-ins in random
    /// order, writes in between: all are answered with what was there, within the budget.
    @Test(arguments: [0, 256 << 10]) func aFieldTwentyTimesTheBudgetIsReadAndWrittenWithinIt(
        far: Int
    ) throws {
        var random = SeededRandom(seed: UInt64(far) + 5)
        var stage = try Self.stage(far: far)
        var history: [CellIndex: [UInt64]] = [:]
        var readers: [UInt64: Reader] = [:]
        var writes: [UInt64: [CellIndex: UInt64]] = [:]
        var answered = 0
        var asked = 0
        while answered < 150 {
            switch random.below(8) {
            case 0 where readers.count < 8 && asked < 150:
                let count = random.chance(0.3) ? 100 : 1 + random.below(20)
                let cells = (0..<count).map { _ in
                    CellIndex(random.below(Int(Self.cells)))
                }
                let known = cells.map { history[$0]?.count ?? 1 }
                let request = Self.read(cells, &stage)
                readers[request] = Reader(cells: cells, known: known)
                asked += 1
            case 1 where asked < 150:
                let cell = CellIndex(random.below(Int(Self.cells)))
                let value = cell << 32 | UInt64(stage.sequence + 1)
                var bytes = Bytes(zeros: Self.cellBytes)
                bytes.replace(at: 0, with: Bytes(values: [value]))
                let request = stage.send(
                    .shardWrite(ShardWrite(space: 1, partition: 0)),
                    bulk: [Bytes(values: [cell]), bytes], isMutation: true)
                writes[request] = [cell: value]
            case 2:
                for case .cells(_, let cells, let bytes) in stage.commit() {
                    history[cells[0], default: [cells[0] << 32]].append(bytes.load(at: 0))
                }
            default:
                if !stage.loads.isEmpty { stage.load(random.below(stage.loads.count)) }
                stage.release()
            }
            #expect(stage.arena.usedBytes + stage.arena.overflowBytes <= Self.budget)
            for (request, reader) in readers {
                guard let message = stage.answers.removeValue(forKey: request) else { continue }
                readers[request] = nil
                answered += 1
                let values = try #require(Self.values(message), "\(message.body)")
                for (index, cell) in reader.cells.enumerated() {
                    let all = history[cell] ?? [cell << 32]
                    #expect(all[(reader.known[index] - 1)...].contains(values[index]))
                }
                Self.checkReceipt(message, pages: Set(reader.cells.map { $0 / 16 }).count)
            }
        }
        #expect(writes.count > 20)
    }

    @Test func twoRequestsForOnePageShareOnePageIn() throws {
        var stage = try Self.stage()
        let first = Self.read([0], &stage)
        let second = Self.read([1], &stage)
        #expect(stage.loads.count == 1)
        stage.load(0)
        let costs = [first, second].map { request -> TierCost? in
            guard case .cells(let answer) = stage.answers[request]?.body else { return nil }
            return answer.receipt.tiers[.ssd]
        }
        #expect(costs[0]?.hard == 1 && costs[0]?.soft == 0)
        #expect(costs[1]?.hard == 0 && costs[1]?.soft == 1)
    }

    @Test func cellsBeyondTheSlowestTierAreZeroAndNamedAndOthersStillGetThem() throws {
        var stage = try Self.stage()
        let cells: [CellIndex] = [100, 3, 116, 101, 500]
        let slow = PageAddress(space: 1, partition: 0, page: 100 / 16)
        stage.slow = [slow]
        let limited = Self.read(cells, &stage, maxTier: .ssd)
        let patient = Self.read(cells, &stage)
        stage.loadAll()
        let answer = try #require(stage.answers[limited])
        #expect(Self.values(answer) == [0, 3 << 32, 116 << 32, 0, 500 << 32])
        #expect(answer.bulk.count == 2 && answer.bulk[1].values(UInt32.self) == [0, 3])
        if case .cells(let cells) = answer.body {
            #expect(cells.receipt.tiers[.hdd].skipped == 1 && cells.receipt.tiers.pages == 3)
        }
        Self.checkReceipt(answer, pages: 4)
        let whole = try #require(stage.answers[patient])
        #expect(Self.values(whole) == cells.map { $0 << 32 } && whole.bulk.count == 1)
        if case .cells(let cells) = whole.body {
            #expect(cells.receipt.tiers[.hdd].hard + cells.receipt.tiers[.hdd].soft == 1)
        }
    }

    @Test func whatNeverFitsIsRefusedWithAdvice() throws {
        var stage = ShardStage(dram: .dram(budgetBytes: 1 << 20))
        var catalog = Catalog()
        _ = try catalog.createField(
            name: "large", elementType: .raw, shape: [4, UInt64(2 << 20)], pageBytes: 2 << 20)
        stage.install(catalog)
        let request = Self.read([0], &stage)
        guard case .failure(let error) = stage.answers[request]?.body else {
            Issue.record("a page of 2 MiB fits into 1 MiB")
            return
        }
        #expect(error.code == .resourceExhausted && error.advice.contains("dram"))
    }

    @Test func writesThatWaitForTheDiskAreBoundedInBytes() throws {
        var stage = ShardStage(dram: .dram(budgetBytes: 8 << 20))
        var catalog = Catalog()
        let cellBytes = 1 << 20
        _ = try catalog.createField(
            name: "large", elementType: .raw, shape: [64, UInt64(cellBytes)], pageBytes: 1 << 20)
        stage.install(catalog)
        let content = Bytes(zeros: cellBytes)
        func write() -> UInt64 {
            stage.send(
                .shardWrite(ShardWrite(space: 1, partition: 0)),
                bulk: [Bytes(values: [CellIndex(0)]), content], isMutation: true)
        }
        // The first is being made durable; with what a record has beside its cell, 63 wait.
        let admitted = (0..<64).map { _ in write() }
        #expect(admitted.allSatisfy { stage.answers[$0] == nil })
        guard case .failure(let error) = stage.answers[write()]?.body else {
            Issue.record("more than \(Limits.waitingMutationBytes) bytes wait")
            return
        }
        #expect(error.code == .resourceExhausted)
        stage.commit()
        let next = write()
        #expect(stage.answers[next] == nil, "there is room again")
        while !stage.commits.isEmpty { stage.commit() }
        for request in admitted + [next] {
            guard case .acknowledged = stage.answers[request]?.body else {
                Issue.record("a write that was admitted is not acknowledged")
                return
            }
        }
    }

    @Test func aRecordThatIsLargerThanTheBoundMayWaitAlone() {
        let state = PartitionState(partition: 0, partitions: 1, tuning: SearchTuning())
        var worker = PartitionWorker(state: state, lsn: 1, logBytes: 0)
        let large = Bytes(zeros: Limits.waitingMutationBytes + 1)
        #expect(worker.hasRoom(for: large))
        worker.append(.init(record: .install(Catalog()), encoded: large, reply: .none))
        #expect(!worker.hasRoom(for: Bytes()) && worker.takeGroup().count == 1)
        #expect(worker.hasRoom(for: large) && worker.queuedBytes == 0)
    }
}
