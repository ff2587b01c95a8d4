import LociBase
import LociModel
import LociSearch
import LociStorage
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// Exact searches over far more pages than memory holds, while points change.
@Suite struct StreamedSearchTests {
    private static let dimension = 4096  // 16 KiB for a row, 4 rows to a page
    private static let space: SpaceID = 1

    private static func stage(budget: Int) throws -> ShardStage {
        var tuning = SearchTuning()
        tuning.splitAbove = 9
        var stage = ShardStage(dram: .dram(budgetBytes: budget), tuning: tuning)
        var catalog = Catalog()
        _ = try catalog.createCollection(
            name: "points", dimension: dimension, metric: .l2, isText: false)
        stage.install(catalog)
        return stage
    }

    private static func put(_ id: PointID, _ token: Int, _ stage: inout ShardStage) {
        stage.send(
            .put(Put(space: space, partition: 0)),
            bulk: [
                Bytes(values: [id]), Bytes([1]),
                Bytes(values: [Float](repeating: Float(token), count: dimension)),
                Bytes(zeros: 4), Bytes(),
            ], isMutation: true)
    }

    private static func search(_ token: Float, k: Int, _ stage: inout ShardStage) -> UInt64 {
        stage.send(
            .shardQuery(
                ShardQuery(space: space, k: UInt32(k), withPayload: false, withVector: false)),
            bulk: [
                Bytes(values: [Float](repeating: token, count: dimension)),
                Bytes(values: [UInt32(0), ShardQuery.everyLocation]),
            ])
    }

    private static func apply(_ records: [LogRecord], to points: inout [PointID: Int]) {
        for record in records {
            switch record {
            case .put(_, _, _, let put):
                for (index, id) in put.ids.enumerated() {
                    points[id] = Int(put.vectors.load(Float.self, at: index * dimension * 4))
                }
            case .remove(_, _, let ids): for id in ids { points[id] = nil }
            default: break
            }
        }
    }

    /// Every answer is what a look at all points at that moment finds: nothing missed that moved
    /// from a posting not yet scored to one that was, nothing old, nothing twice.
    @Test(arguments: 1...4) func anAnswerIsThatOfOneMomentHoweverPointsMove(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var stage = try Self.stage(budget: 256 << 10)
        var points: [PointID: Int] = [:]
        var nextToken = 0
        func token() -> Int {
            nextToken += 1
            return (nextToken * 7919) % 5003
        }
        for id in 1...60 {
            Self.put(PointID(id), token(), &stage)
            while !stage.commits.isEmpty { Self.apply(stage.commit(), to: &points) }
            stage.loadAll()
        }
        var asked: [UInt64: Float] = [:]
        var answered = 0
        while answered < 40 {
            switch random.below(20) {
            case 0 where asked.count < 3:
                let query = Float(random.below(5003))
                asked[Self.search(query, k: 5, &stage)] = query
            case 1: Self.put(PointID(1 + random.below(70)), token(), &stage)
            case 2 where points.count > 50:
                stage.send(
                    .remove(Remove(space: Self.space, partition: 0)),
                    bulk: [Bytes(values: [PointID(1 + random.below(70))])], isMutation: true)
            case 3: Self.apply(stage.commit(), to: &points)
            default:
                if !stage.loads.isEmpty { stage.load(random.below(stage.loads.count)) }
                stage.release()
            }
            for (request, query) in asked {
                guard let message = stage.answers.removeValue(forKey: request) else { continue }
                asked[request] = nil
                answered += 1
                guard case .matches(let answer) = message.body else {
                    Issue.record("\(message.body)")
                    continue
                }
                let expected = points.sorted {
                    let left = abs(Float($0.value) - query)
                    let right = abs(Float($1.value) - query)
                    return left == right ? $0.key < $1.key : left < right
                }.prefix(5).map(\.key)
                #expect(message.bulk[0].values(PointID.self) == expected)
                let tiers = answer.receipt.tiers
                #expect(answer.receipt.pagesTouched == tiers.pages + tiers.skipped)
            }
        }
        #expect(stage.arena.usedBytes + stage.arena.overflowBytes <= 256 << 10)
    }

    @Test func anAnswerDoesNotDependOnHowMuchMemoryThereIs() throws {
        var answers: [[Bytes]] = []
        for budget in [192 << 10, 16 << 20] {
            var stage = try Self.stage(budget: budget)
            for id in 1...80 {
                Self.put(PointID(id), id * 37 % 101, &stage)
                while !stage.commits.isEmpty {
                    stage.commit()
                    stage.loadAll()
                }
            }
            let request = stage.send(
                .shardQuery(
                    ShardQuery(space: Self.space, k: 12, withPayload: true, withVector: true)),
                bulk: [
                    Bytes(values: [Float](repeating: 50, count: Self.dimension)),
                    Bytes(values: [UInt32(0), ShardQuery.everyLocation]),
                ])
            let before = stage.ordered
            stage.loadAll()
            let message = try #require(stage.answers[request])
            answers.append(message.bulk)
            guard case .matches(let answer) = message.body else { continue }
            #expect(answer.receipt.vectorsScored >= 80)
            #expect(stage.ordered >= before)
        }
        #expect(answers[0] == answers[1] && answers[0][0].count == 12 * 8)
    }

    /// A page that was scored is evicted before the vectors of what was found are fetched, and lies
    /// in a slower tier than is allowed.
    @Test func aPageThatWasScoredAndThenNotToBeHadMakesTheAnswerDegraded() throws {
        var stage = try Self.stage(budget: 256 << 10)
        for id in 1...8 {
            Self.put(PointID(id), id, &stage)
            while !stage.commits.isEmpty { stage.commit() }
        }
        func fetch(_ ids: [PointID]) {
            stage.send(
                .fetch(Fetch(space: Self.space, partition: 0, withVector: true)),
                bulk: [Bytes(values: ids)])
        }
        /// Four pages, the whole budget, of another partition's name: everything else leaves.
        func evict(count: Int) {
            let needs = (0..<count).map {
                PageNeed(
                    address: PageAddress(space: 99, partition: 0, page: UInt64($0)),
                    pageBytes: 64 << 10)
            }
            guard case .admitted = stage.node.pages.request(needs, for: 1 << 40) else {
                Issue.record("no room for \(count) pages")
                return
            }
            for need in needs {
                _ = stage.node.pages.arrived(need.address, Bytes(zeros: need.pageBytes))
            }
        }
        evict(count: 4)
        fetch([1])
        let first = try #require(stage.loads.first?.address)
        stage.loadAll()
        fetch([5])
        let second = try #require(stage.loads.first?.address)
        #expect(first != second && stage.loads.count == 1, "its page-in is under way")
        let limited = stage.send(
            .shardQuery(
                ShardQuery(
                    space: Self.space, k: 8, withPayload: false, withVector: true, maxTier: .dram)),
            bulk: [
                Bytes(values: [Float](repeating: 1, count: Self.dimension)),
                Bytes(values: [UInt32(0), ShardQuery.everyLocation]),
            ])
        #expect(stage.loads.count == 1, "it joins the page-in of the second page")
        evict(count: 3)
        #expect(stage.node.pages.peek(first) == nil)
        stage.slow = [first]
        stage.loadAll()
        let message = try #require(stage.answers[limited])
        guard case .matches(let answer) = message.body else {
            Issue.record("\(message.body)")
            return
        }
        #expect(answer.count == 8 && answer.receipt.vectorsScored == 8)
        #expect(message.bulk[5].load(Float.self, at: 0) == 0, "the vector could not be had")
        #expect(answer.isDegraded)
        let tiers = answer.receipt.tiers
        #expect(tiers[.hdd].skipped == 1)
        #expect(answer.receipt.pagesTouched == tiers.pages + tiers.skipped)
    }
}
