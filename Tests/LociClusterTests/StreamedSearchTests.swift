import LociBase
import LociModel
import LociSearch
import LociStorage
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// Searches over far more pages than memory holds, while points change.
@Suite struct StreamedSearchTests {
    private static let dimension = 4096  // 16 KiB for a row, one row to a page
    private static let space: SpaceID = 1

    private static func stage(
        budget: Int, dimension: Int = dimension
    ) throws -> ShardStage {
        var tuning = SearchTuning()
        tuning.splitAbove = 9
        var stage = ShardStage(dram: .dram(budgetBytes: budget), tuning: tuning)
        var catalog = Catalog()
        _ = try catalog.createCollection(
            name: "points", dimension: dimension, metric: .l2, isText: false)
        stage.install(catalog)
        return stage
    }

    private static func put(
        _ id: PointID, _ token: Int, _ stage: inout ShardStage, dimension: Int = dimension
    ) {
        stage.send(
            .put(Put(space: space, partition: 0)),
            bulk: [
                Bytes(values: [id]), Bytes([1]),
                Bytes(values: [Float](repeating: Float(token), count: dimension)),
                Bytes(zeros: 4), Bytes(),
            ], isMutation: true)
    }

    /// - Parameter bound: So wide that no code rules out what it should not.
    private static func search(
        _ token: Float, k: Int, _ stage: inout ShardStage, location: LocationID
    ) -> UInt64 {
        stage.send(
            .shardQuery(
                ShardQuery(
                    space: space, k: UInt32(k), withPayload: false, withVector: false, bound: 20)),
            bulk: [
                Bytes(values: [Float](repeating: token, count: dimension)),
                Bytes(values: [UInt32(0), location]),
            ])
    }

    /// What every point was since a query began: one token if nothing happened to it; nil stands
    /// for a time in which it was not there.
    private struct Asked {
        let token: Float
        let location: LocationID
        var lives: [PointID: Set<Int?>]
    }

    /// Points now, and what they were since each of the queries under way began.
    private struct Truth {
        var points: [PointID: Int] = [:]
        var asked: [UInt64: Asked] = [:]

        mutating func apply(_ records: [LogRecord]) {
            for record in records {
                switch record {
                case .put(_, _, _, let put):
                    for (index, id) in put.ids.enumerated() {
                        note(id, Int(put.vectors.load(Float.self, at: index * dimension * 4)))
                    }
                case .remove(_, _, let ids): for id in ids { note(id, nil) }
                default: break
                }
            }
        }

        private mutating func note(_ id: PointID, _ token: Int?) {
            points[id] = token
            for request in asked.keys {
                asked[request]!.lives[id, default: [nil]].insert(token)
            }
        }

        mutating func began(_ request: UInt64, _ token: Float, _ location: LocationID) {
            asked[request] = Asked(
                token: token, location: location, lives: points.mapValues { [$0] })
        }

        /// Nothing is missing that was nearer all the time than what was found, and nothing is
        /// there that never was; nothing is twice.
        mutating func judge(_ request: UInt64, _ message: Message, k: Int) {
            let asked = asked.removeValue(forKey: request)!
            guard case .matches(let answer) = message.body else {
                Issue.record("\(message.body)")
                return
            }
            let ids = message.bulk[0].values(PointID.self)
            let scores = message.bulk[2].values(Float.self)
            func distance(_ token: Int) -> Float {
                abs(Float(token) - asked.token) * Float(dimension).squareRoot()
            }
            #expect(Set(ids).count == ids.count && scores == scores.sorted())
            for (id, score) in zip(ids, scores) {
                let tokens = asked.lives[id, default: [nil]].compactMap(\.self)
                #expect(tokens.contains { abs(distance($0) - score) <= 1e-3 * (1 + score) })
            }
            let worst = scores.last ?? .infinity
            let lasting = asked.lives.filter { !$0.value.contains(nil) }
            #expect(ids.count == k || ids.count >= lasting.count)
            for (id, tokens) in lasting where !ids.contains(id) {
                let farthest = tokens.map { distance($0!) }.max()!
                #expect(farthest >= worst * 0.999, "point \(id) was lost")
            }
            let tiers = answer.receipt.tiers
            #expect(answer.receipt.pagesTouched == tiers.pages + tiers.skipped)
        }
    }

    /// However points are replaced, removed and moved while a query's pages come, in whatever
    /// order: no point is missed that moved from a posting not yet scanned to one that was, or that
    /// was replaced after it was scanned; nothing old is found, nothing twice.
    @Test(
        arguments: [1, 2, 3, 4],
        [ShardQuery.everyLocation, ShardQuery.ownChoice])
    func noPointIsLostHoweverPointsMove(seed: UInt64, location: LocationID) throws {
        var random = SeededRandom(seed: seed)
        var stage = try Self.stage(budget: 256 << 10)
        var truth = Truth()
        var nextToken = 0
        func token() -> Int {
            nextToken += 1
            return (nextToken * 7919) % 5003
        }
        for id in 1...60 {
            Self.put(PointID(id), token(), &stage)
            while !stage.commits.isEmpty {
                truth.apply(stage.commit())
                stage.loadAll()
            }
        }
        var answered = 0
        while answered < 40 {
            switch random.below(40) {
            case 0...1 where truth.asked.count < 3:
                let query = Float(random.below(5003))
                let request = Self.search(query, k: 5, &stage, location: location)
                truth.began(request, query, location)
            case 2: Self.put(PointID(1 + random.below(70)), token(), &stage)
            case 3 where truth.points.count > 50:
                stage.send(
                    .remove(Remove(space: Self.space, partition: 0)),
                    bulk: [Bytes(values: [PointID(1 + random.below(70))])], isMutation: true)
            case 4, 5: truth.apply(stage.commit())
            default:
                if !stage.loads.isEmpty { stage.load(random.below(stage.loads.count)) }
                stage.release()
            }
            for request in truth.asked.keys.sorted() {
                guard let message = stage.answers.removeValue(forKey: request) else { continue }
                truth.judge(request, message, k: 5)
                answered += 1
            }
        }
        #expect(stage.arena.usedBytes + stage.arena.overflowBytes <= 256 << 10)
        let counters = stage.node.workers[0]!.state.slices[Self.space]!.counters
        #expect(counters.splits > 3)
    }

    @Test(arguments: [ShardQuery.everyLocation, ShardQuery.ownChoice])
    func anAnswerDoesNotDependOnHowMuchMemoryThereIs(location: LocationID) throws {
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
                    Bytes(values: [UInt32(0), location]),
                ])
            stage.loadAll()
            let message = try #require(stage.answers[request])
            answers.append(message.bulk)
            guard case .matches(let answer) = message.body else { continue }
            if location == ShardQuery.everyLocation {
                #expect(answer.receipt.vectorsScored == 80)
            } else {
                #expect((12..<80).contains(answer.receipt.vectorsScored))
                #expect(answer.receipt.codesScanned > 40)
            }
        }
        #expect(answers[0] == answers[1] && answers[0][0].count == 12 * 8)
    }

    @Test(arguments: [ShardQuery.everyLocation, ShardQuery.ownChoice])
    func aQueryWhoseCollectionIsDroppedMeanwhileIsRefused(location: LocationID) throws {
        for served in [0, 1, 3] {
            var stage = try Self.stage(budget: 192 << 10)
            for id in 1...30 {
                Self.put(PointID(id), id * 37 % 101, &stage)
                while !stage.commits.isEmpty {
                    stage.commit()
                    stage.loadAll()
                }
            }
            let request = Self.search(50, k: 5, &stage, location: location)
            for _ in 0..<served {
                stage.release()
                if !stage.loads.isEmpty { stage.load(0) }
            }
            #expect(stage.answers[request] == nil)
            var catalog = stage.node.workers[0]!.state.catalog
            let isDropped = catalog.dropCollection(named: "points")
            #expect(isDropped)
            stage.install(catalog)
            stage.loadAll()
            guard case .failure(let error)? = stage.answers[request]?.body else {
                Issue.record("\(String(describing: stage.answers[request]?.body))")
                continue
            }
            #expect(error.code == .unavailable)
        }
    }

    /// Partitions drop a collection one after the other; what one alone has is no whole answer.
    @Test(arguments: [ShardQuery.everyLocation, ShardQuery.ownChoice], [PartitionIndex(0), 1])
    func aQueryWhoseCollectionIsDroppedInOneOfTwoPartitionsIsRefused(
        location: LocationID, first: PartitionIndex
    ) throws {
        for served in [0, 1, 3] {
            var stage = ShardStage(dram: .dram(budgetBytes: 192 << 10), partitions: 2)
            var catalog = Catalog()
            _ = try catalog.createCollection(
                name: "points", dimension: Self.dimension, metric: .l2, isText: false)
            stage.install(catalog)
            for id in 1...30 {
                stage.send(
                    .put(Put(space: Self.space, partition: PartitionIndex(id % 2))),
                    bulk: [
                        Bytes(values: [PointID(id)]), Bytes([1]),
                        Bytes(values: [Float](repeating: Float(id), count: Self.dimension)),
                        Bytes(zeros: 4), Bytes(),
                    ], isMutation: true)
                while !stage.commits.isEmpty {
                    stage.commit()
                    stage.loadAll()
                }
            }
            let request = stage.send(
                .shardQuery(
                    ShardQuery(space: Self.space, k: 5, withPayload: false, withVector: false)),
                bulk: [
                    Bytes(values: [Float](repeating: 15, count: Self.dimension)),
                    Bytes(values: [UInt32(0), location, 1, location]),
                ])
            for _ in 0..<served {
                stage.release()
                if !stage.loads.isEmpty { stage.load(0) }
            }
            #expect(stage.answers[request] == nil && !stage.loads.isEmpty)
            let isDropped = catalog.dropCollection(named: "points")
            #expect(isDropped)
            stage.send(.install(Install(version: catalog.version)), bulk: [catalog.encoded])
            let one = try #require(stage.commits.firstIndex { $0.partition == first })
            stage.commits.swapAt(0, one)
            stage.commit()
            let other = 1 - first
            #expect(stage.node.workers[first]!.state.slices[Self.space] == nil)
            #expect(stage.node.workers[other]!.state.slices[Self.space] != nil)
            stage.loadAll()
            guard case .failure(let error)? = stage.answers[request]?.body else {
                Issue.record("\(String(describing: stage.answers[request]?.body))")
                continue
            }
            #expect(error.code == .unavailable)
        }
    }

    /// A page that was scored is evicted before the vectors of what was found are fetched, and lies
    /// in a slower tier than is allowed.
    @Test func aPageThatWasScoredAndThenNotToBeHadMakesTheAnswerDegraded() throws {
        // 4 rows on a page of 4 KiB, one page in a round.
        let dimension = 250
        var stage = try Self.stage(budget: 32 << 10, dimension: dimension)
        for id in 1...8 {
            Self.put(PointID(id), id, &stage, dimension: dimension)
            while !stage.commits.isEmpty { stage.commit() }
        }
        func fetch(_ ids: [PointID]) {
            stage.send(
                .fetch(Fetch(space: Self.space, partition: 0, withVector: true)),
                bulk: [Bytes(values: ids)])
        }
        /// Pages of another space, 8 of them the whole budget: everything else leaves.
        func evict(count: Int) {
            let needs = (0..<count).map {
                PageNeed(
                    address: PageAddress(space: 99, partition: 0, page: UInt64($0)),
                    pageBytes: 4 << 10)
            }
            guard case .admitted = stage.node.pages.request(needs, for: 1 << 40) else {
                Issue.record("no room for \(count) pages")
                return
            }
            for need in needs {
                _ = stage.node.pages.arrived(need.address, Bytes(zeros: need.pageBytes))
            }
        }
        evict(count: 8)
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
                Bytes(values: [Float](repeating: 1, count: dimension)),
                Bytes(values: [UInt32(0), ShardQuery.everyLocation]),
            ])
        #expect(stage.loads.count == 1, "it joins the page-in of the second page")
        evict(count: 7)
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
