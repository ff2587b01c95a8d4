import LociBase
import LociModel
import LociSearch
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// Filters that let few points through: a partition compares all of these, wherever they are.
@Suite struct SelectiveFilterTests {
    private static let dimension = 16
    private static let share: Float = 0.1

    /// Points with a rank from 0 to 999 of which filters ask, and what is known of them.
    private struct Model {
        var clusters = ClusteredPoints(dimension: dimension, components: 30, seed: 21)
        var random = SeededRandom(seed: 5)
        var stage: CollectionStage
        var points: [PointID: (vector: [Float], rank: Int)] = [:]

        init(indexed: [String] = ["rank"], partitions: Int = 2) throws {
            var tuning = SearchTuning()
            tuning.splitAbove = 24
            stage = try CollectionStage(
                dimension: dimension, options: .init(indexedFields: indexed), tuning: tuning,
                partitions: partitions)
        }

        func partition(of id: PointID) -> PartitionIndex {
            PartitionIndex(id % PointID(stage.partitions))
        }

        mutating func put(_ id: PointID, rank: Int) {
            let vector = clusters.next(1)[0]
            points[id] = (vector, rank)
            stage.put(
                [id], [vector], payloads: [Bytes(utf8: #"{"rank": \#(rank)}"#)],
                on: partition(of: id))
        }

        mutating func remove(_ id: PointID) {
            if points.removeValue(forKey: id) != nil { stage.remove([id], on: partition(of: id)) }
        }

        func share(below rank: Int, in partition: PartitionIndex) -> Float {
            let here = points.filter { self.partition(of: $0.key) == partition }
            let passing = here.values.count { $0.rank < rank }
            return Float(passing) / Float(max(1, here.count))
        }

        /// The distances of the k nearest in some partitions.
        func nearest(_ k: Int, to query: [Float], below rank: Int) -> [Float] {
            let scored = points.values.filter { $0.rank < rank }.map { point in
                zip(point.vector, query).reduce(Float(0)) {
                    $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
                }.squareRoot()
            }
            return Array(scored.sorted().prefix(k))
        }

        static func areEqual(_ left: [Float], _ right: [Float]) -> Bool {
            left.count == right.count
                && zip(left, right).allSatisfy { abs($0 - $1) <= 1e-4 * (1 + abs($0)) }
        }
    }

    /// Whatever posting is asked for, in however small a partition: each partition decides by its
    /// own points, and whatever it looks at as a whole is exact. Ranks come and go so that the same
    /// filter is selective at one time and not at another.
    @Test(arguments: [["rank"], []])
    func selectivePartitionsAreExactWhileAFilterFlipsBothWays(indexed: [String]) throws {
        var model = try Model(indexed: indexed)
        for id in 1...300 { model.put(PointID(id), rank: model.random.below(1000)) }
        var seen: Set<Bool> = []
        var flips = 0
        var wasWhole = true
        for round in 0..<60 {
            // Low ranks come for some rounds, then they go.
            let isRising = round % 15 < 4
            for _ in 0..<(isRising ? 15 : 40) {
                let id = PointID(1 + model.random.below(320))
                if model.random.chance(0.2) {
                    model.remove(id)
                } else {
                    let rank = model.random.below(1000)
                    model.put(id, rank: isRising ? rank / 12 : min(999, rank + 150))
                }
            }
            let query = model.clusters.next(1)[0]
            let some = model.stage.slice().postings.keys.sorted()[0]
            let answer = model.stage.query(
                query, k: 5, locations: [some], filter: "rank < 100", selectiveShare: Self.share)
            let expected = [PartitionIndex(0), 1].filter {
                !indexed.isEmpty && model.share(below: 100, in: $0) <= Self.share
            }
            #expect(answer.wholePartitions == expected, "round \(round)")
            #expect(answer.receipt.wholePartitions == UInt32(expected.count))
            #expect(answer.scores == answer.scores.sorted())
            for id in answer.ids { #expect(model.points[id].map { $0.rank < 100 } ?? false) }
            let isWhole = expected.count == 2
            if isWhole {
                let exact = model.nearest(5, to: query, below: 100)
                #expect(Model.areEqual(answer.scores, exact), "round \(round)")
                let passing = model.points.values.count { $0.rank < 100 }
                #expect(answer.passed == 0, "no code was looked at")
                #expect(answer.receipt.vectorsScored == UInt64(passing))
                #expect(answer.receipt.codesScanned == 0 && answer.receipt.partitions == 2)
            }
            seen.insert(isWhole)
            if isWhole != wasWhole { flips += 1 }
            wasWhole = isWhole
        }
        #expect(indexed.isEmpty ? seen == [false] : seen.count == 2 && flips >= 4)
    }

    /// One partition has few that pass, the other many: one is looked at as a whole, of the other
    /// the postings that were asked for are scanned, and the answers are merged.
    @Test func aPartitionAsAWholeAndAScannedOneMakeOneAnswer() throws {
        var model = try Model()
        for id in 1...400 {
            let isFirst = model.partition(of: PointID(id)) == 0
            model.put(PointID(id), rank: isFirst ? (id % 40 == 0 ? 5 : 500) : id % 200)
        }
        for _ in 0..<10 {
            let query = model.clusters.next(1)[0]
            let all = Set(model.stage.slices.flatMap { $0.postings.keys }).sorted()
            let answer = model.stage.query(
                query, k: 10, locations: all, filter: "rank < 100", bound: 20,
                selectiveShare: Self.share)
            #expect(answer.wholePartitions == [0])
            #expect(answer.receipt.codesScanned >= 200 && answer.receipt.partitions == 2)
            #expect(
                Model.areEqual(answer.scores, model.nearest(10, to: query, below: 100)))
            let scanned = model.points.count {
                $0.value.rank < 100 && model.partition(of: $0.key) == 1
            }
            #expect(answer.passed == UInt64(scanned))
        }
    }

    /// Where indexes leave open whether points pass, payloads decide.
    @Test func whatIndexesLeaveOpenIsAskedOfPayloads() throws {
        var model = try Model(indexed: ["other"], partitions: 1)
        for id in 1...500 { model.put(PointID(id), rank: id % 500) }
        // No index knows ranks: nothing is selective.
        let query = model.clusters.next(1)[0]
        let open = model.stage.query(query, k: 5, filter: "rank < 3", selectiveShare: 1)
        #expect(open.wholePartitions.isEmpty)
        var other = try Model(indexed: ["rank"], partitions: 1)
        for id in 1...500 { other.put(PointID(id), rank: id) }
        let within = #"rank < 6 and not name = "x""#
        let answer = other.stage.query(
            query, k: 10, filter: within, selectiveShare: Self.share)
        #expect(answer.wholePartitions == [0] && answer.ids.count == 5)
        #expect(Model.areEqual(answer.scores, other.nearest(10, to: query, below: 6)))
        // Payloads cost more than comparisons: of as many as would do for an exact index, no.
        let many = other.stage.query(
            query, k: 10, filter: #"rank < 40 and not name = "x""#,
            selectiveShare: Self.share)
        #expect(many.wholePartitions.isEmpty)
        #expect(
            other.stage.query(
                query, k: 10, filter: "rank < 40", selectiveShare: Self.share
            ).wholePartitions == [0])
    }

    /// Reading vectors costs more than reading codes, so that less is compared where memory holds a
    /// part of them.
    @Test(arguments: [(64 << 20, true), (256 << 10, false)])
    func aFilterIsSelectiveOnlyAsFarAsMemoryHoldsVectors(budget: Int, isWhole: Bool) throws {
        var stage = try CollectionStage(
            dimension: Self.wide, options: .init(indexedFields: ["a"]), budgetBytes: budget)
        for id in 1...60 {
            stage.put(
                [PointID(id)], [[Float](repeating: Float(id), count: Self.wide)],
                payloads: [id % 6 == 0 ? Self.passing : Self.other])
        }
        let answer = stage.query(
            [Float](repeating: 31, count: Self.wide), k: 2, filter: "a = 1",
            selectiveShare: 0.2)
        #expect(answer.wholePartitions == (isWhole ? [0] : []))
        #expect(answer.ids == [30, 36])
    }

    // MARK: While pages come

    private static let wide = 4096  // 16 KiB for a row, one row to a page
    private static let space: SpaceID = 1

    /// What a point was: nil while it was not there or did not pass.
    private struct Asked {
        let token: Float
        var lives: [PointID: Set<Int?>]
    }

    private struct Truth {
        var points: [PointID: Int?] = [:]
        var asked: [UInt64: Asked] = [:]

        mutating func apply(_ records: [LogRecord]) {
            for record in records {
                switch record {
                case .put(_, _, _, let put):
                    for (index, id) in put.ids.enumerated() {
                        let token = Int(put.vectors.load(Float.self, at: index * wide * 4))
                        note(id, put.payloads[index] == passing ? token : nil)
                    }
                case .remove(_, _, let ids): for id in ids { note(id, nil) }
                default: break
                }
            }
        }

        private mutating func note(_ id: PointID, _ token: Int?) {
            points[id] = .some(token)
            for request in asked.keys {
                asked[request]!.lives[id, default: [nil]].insert(token)
            }
        }

        mutating func began(_ request: UInt64, _ token: Float) {
            asked[request] = Asked(token: token, lives: points.mapValues { [$0] })
        }

        /// Nothing is missing that passed and was nearer all the time, and nothing is there that
        /// never passed.
        mutating func judge(_ request: UInt64, _ message: Message, k: Int) -> Bool {
            let asked = asked.removeValue(forKey: request)!
            guard case .matches(let answer) = message.body else {
                Issue.record("\(message.body)")
                return false
            }
            let ids = message.bulk[0].values(PointID.self)
            let scores = message.bulk[2].values(Float.self)
            func distance(_ token: Int) -> Float {
                abs(Float(token) - asked.token) * Float(wide).squareRoot()
            }
            #expect(Set(ids).count == ids.count && scores == scores.sorted())
            for (id, score) in zip(ids, scores) {
                let tokens = asked.lives[id, default: [nil]].compactMap(\.self)
                #expect(tokens.contains { abs(distance($0) - score) <= 1e-3 * (1 + score) })
            }
            let lasting = asked.lives.filter { !$0.value.contains(nil) }
            #expect(ids.count == k || ids.count >= lasting.count)
            let worst = scores.last ?? .infinity
            for (id, tokens) in lasting where !ids.contains(id) {
                let farthest = tokens.map { distance($0!) }.max()!
                #expect(farthest >= worst * 0.999, "point \(id) was lost")
            }
            if answer.wholePartitions.isEmpty { #expect(answer.passed >= ids.count) }
            return !answer.wholePartitions.isEmpty
        }
    }

    private static let passing = Bytes(utf8: #"{"a": 1}"#)
    private static let other = Bytes(utf8: #"{"a": 2}"#)

    private static func put(
        _ id: PointID, _ token: Int, _ payload: Bytes, _ stage: inout ShardStage
    ) {
        let list = PayloadList([payload])
        stage.send(
            .put(Put(space: space, partition: 0)),
            bulk: [
                Bytes(values: [id]), Bytes([1]),
                Bytes(values: [Float](repeating: Float(token), count: wide)), list.lengths,
                list.blob,
            ], isMutation: true)
    }

    /// Points are removed and replaced, begin and cease to pass, while the pages of a selective
    /// query come in whatever order, with room for a part of them: what passed all the time is
    /// found, nothing that never did, nothing twice.
    @Test(arguments: [1, 2, 3, 4])
    func noPointThatPassesIsLostWhilePointsChange(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var tuning = SearchTuning()
        tuning.splitAbove = 9
        var stage = ShardStage(dram: .dram(budgetBytes: 192 << 10), tuning: tuning)
        var catalog = Catalog()
        _ = try catalog.createCollection(
            name: "points", dimension: Self.wide, metric: .l2, isText: false,
            options: .init(indexedFields: ["a"]))
        stage.install(catalog)
        var truth = Truth()
        var nextToken = 0
        func token() -> Int {
            nextToken += 1
            return (nextToken * 7919) % 5003
        }
        for id in 1...60 {
            Self.put(PointID(id), token(), id % 6 == 0 ? Self.passing : Self.other, &stage)
            while !stage.commits.isEmpty {
                truth.apply(stage.commit())
                stage.loadAll()
            }
        }
        var answered: [Bool: Int] = [:]
        while answered.values.reduce(0, +) < 80 {
            switch random.below(30) {
            case 0...1 where truth.asked.count < 3:
                let query = Float(random.below(5003))
                let request = stage.send(
                    .shardQuery(
                        ShardQuery(
                            space: Self.space, k: 5, withPayload: false, withVector: false,
                            filter: "a = 1", bound: 20,
                            selectiveShare: random.chance(0.8) ? 1 : 0.02)),
                    bulk: [
                        Bytes(values: [Float](repeating: query, count: Self.wide)),
                        Bytes(values: [UInt32(0), ShardQuery.ownChoice]),
                    ])
                truth.began(request, query)
            case 2...3:
                // Every sixth mostly passes, before and after.
                let id = PointID(1 + random.below(70))
                let passes = random.chance(id % 6 == 0 ? 0.85 : 0.02)
                Self.put(id, token(), passes ? Self.passing : Self.other, &stage)
            case 4:
                let id = PointID(6 * (1 + random.below(11)))
                Self.put(id, token(), Self.passing, &stage)
            case 5 where truth.points.count > 50:
                stage.send(
                    .remove(Remove(space: Self.space, partition: 0)),
                    bulk: [Bytes(values: [PointID(1 + random.below(70))])], isMutation: true)
            case 6, 7:
                truth.apply(stage.commit())
                // What is durable takes turns with queries before it is acknowledged.
                while stage.node.isUnfinished { stage.release() }
            default:
                if !stage.loads.isEmpty { stage.load(random.below(stage.loads.count)) }
                stage.release()
            }
            for request in truth.asked.keys.sorted() {
                guard let message = stage.answers.removeValue(forKey: request) else { continue }
                answered[truth.judge(request, message, k: 5), default: 0] += 1
            }
        }
        #expect(answered[true, default: 0] > 5 && answered[false, default: 0] > 5)
        #expect(stage.arena.usedBytes + stage.arena.overflowBytes <= 192 << 10)
    }
}
