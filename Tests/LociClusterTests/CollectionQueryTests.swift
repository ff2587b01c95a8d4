import LociBase
import LociModel
import LociSearch
import LociWire
import Testing

@testable import LociCluster

/// What one shard answers, beside a look at all points.
@Suite struct CollectionQueryTests {
    private static func points(
        _ count: Int, dimension: Int, metric: Metric, seed: UInt64
    ) -> (stored: [[Float]], queries: [[Float]]) {
        var clusters = ClusteredPoints(dimension: dimension, components: 40, seed: seed)
        func made(_ count: Int) -> [[Float]] {
            clusters.next(count).map { metric == .cosine ? normalised($0) : $0 }
        }
        return (made(count), made(12))
    }

    private static func normalised(_ vector: [Float]) -> [Float] {
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return vector.map { $0 / length }
    }

    /// The k nearest ids and their scores as users see them.
    private static func nearest(
        _ k: Int, to query: [Float], of stored: [[Float]], metric: Metric,
        where isWanted: (Int) -> Bool = { _ in true }
    ) -> [(id: PointID, score: Float)] {
        let scored = stored.indices.filter(isWanted).map { index in
            let values = zip(stored[index], query)
            let score: Float =
                metric == .l2
                ? values.reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
                : values.reduce(0) { $0 + $1.0 * $1.1 }
            return (PointID(index + 1), score)
        }
        return Array(scored.sorted { metric.isNearer($0.1, $1.1) }.prefix(k))
    }

    private static func expect(
        _ answer: CollectionStage.Answer, equals exact: [(id: PointID, score: Float)]
    ) {
        #expect(answer.ids.count == exact.count && Set(answer.ids).count == answer.ids.count)
        for (index, score) in answer.scores.enumerated() where index < exact.count {
            // Of points that are equally near, any order will do.
            #expect(abs(score - exact[index].score) <= 1e-4 * (1 + abs(score)))
        }
    }

    private static func filled(
        _ stored: [[Float]], _ stage: inout CollectionStage, payloads: [Bytes]? = nil
    ) {
        for start in stride(from: 0, to: stored.count, by: 50) {
            let range = start..<min(start + 50, stored.count)
            for partition in 0..<PartitionIndex(stage.partitions) {
                let own = range.filter { $0 % stage.partitions == Int(partition) }
                stage.put(
                    own.map { PointID($0 + 1) }, own.map { stored[$0] },
                    payloads: payloads.map { all in own.map { all[$0] } }, on: partition)
            }
        }
    }

    private static var tuning: SearchTuning {
        var tuning = SearchTuning()
        tuning.splitAbove = 24
        return tuning
    }

    @Test(
        arguments: [Metric.l2, .cosine, .dot],
        [(1, 1), (2, 2), (3, 1), (4, 8), (5, 1), (6, 2), (7, 1), (8, 1)])
    func theNearestAreFound(metric: Metric, shape: (bits: Int, copies: Int)) throws {
        let (stored, queries) = Self.points(400, dimension: 24, metric: metric, seed: 9)
        var stage = try CollectionStage(
            dimension: 24, metric: metric,
            options: .init(codeBits: shape.bits, copies: shape.copies), tuning: Self.tuning)
        Self.filled(stored, &stage)
        var found = 0
        var read: UInt64 = 0
        for query in queries {
            let exact = Self.nearest(10, to: query, of: stored, metric: metric)
            let all = stage.query(query, k: 10, locations: [ShardQuery.everyLocation])
            Self.expect(all, equals: exact)
            #expect(all.receipt.vectorsScored == 400 && all.receipt.codesScanned == 0)
            let answer = stage.query(query, k: 10)
            #expect(answer.ids.count == 10)
            found += Set(answer.ids).intersection(exact.map(\.id)).count
            read += answer.receipt.vectorsScored
            let own = stored[Int(exact[0].id) - 1]
            let itself = stage.query(own, k: 1)
            if metric != .dot { #expect(itself.ids == [exact[0].id]) }
        }
        let recall = Double(found) / 120
        let scored = Double(read) / 12
        #expect(recall > (metric == .dot ? 0.8 : 0.9), "recall \(recall)")
        // Most vectors are ruled out by codes of 4 bits and more.
        #expect(scored < (shape.bits >= 4 ? 60 : 500), "\(scored) vectors compared")
        #expect(scored >= 10)
    }

    /// A list in which every posting is named finds what a look at everything finds, if bounds are
    /// wide.
    @Test func allPostingsTogetherHoldAllPoints() throws {
        let (stored, queries) = Self.points(400, dimension: 20, metric: .l2, seed: 4)
        var stage = try CollectionStage(dimension: 20, tuning: Self.tuning)
        Self.filled(stored, &stage)
        let locations = stage.slice().postings.keys.sorted()
        for query in queries {
            let answer = stage.query(query, k: 400, locations: locations, bound: 20)
            Self.expect(
                answer, equals: Self.nearest(400, to: query, of: stored, metric: .l2))
        }
    }

    /// Bounds as wide as these rule out little by themselves; vectors that were compared do.
    @Test(arguments: [Metric.l2, .cosine, .dot])
    func vectorsThatWereComparedRuleOutOthers(metric: Metric) throws {
        let (stored, queries) = Self.points(400, dimension: 250, metric: metric, seed: 5)
        var stage = try CollectionStage(
            dimension: 250, metric: metric, options: .init(codeBits: 4), tuning: Self.tuning)
        Self.filled(stored, &stage)
        let locations = stage.slice().postings.keys.sorted()
        var read: UInt64 = 0
        for query in queries {
            let answer = stage.query(query, k: 10, locations: locations, bound: 12)
            Self.expect(
                answer, equals: Self.nearest(10, to: query, of: stored, metric: metric))
            read += answer.receipt.vectorsScored
        }
        let scored = Double(read) / Double(queries.count)
        // 14 to 16 without it.
        #expect(scored < 13.5, "\(scored) vectors compared")
    }

    // MARK: Filters

    private static let filters = [
        #"topic = "sport""#, #"topic = "sport" and year >= 2014"#, "year = 2003",
        #"topic in ("art", "law") or year < 2002"#, #"not topic = "sport""#, "year > 2100",
        "rank < 100", #"rank < 100 and topic = "art""#, #"rank < 3 or topic = "law""#,
        "exists rare",
    ]

    private static func payload(_ index: Int, round: Int) -> String {
        let topic = ["sport", "art", "law", "food"][(index * 7 + round) % 4]
        let rare = index % 97 == 0 ? #", "rare": true"# : ""
        return #"{"topic": "\#(topic)", "year": \#(2000 + (index + round) % 20), "#
            + #""rank": \#((index * 31 + round) % 500)\#(rare)}"#
    }

    /// With indexes on both fields, on one, on none: the same as a look at all payloads, also after
    /// points were replaced and removed.
    @Test(arguments: [["topic", "year"], ["year"], []])
    func aFilterGivesWhatALookAtAllPayloadsGives(indexed: [String]) throws {
        var (stored, queries) = Self.points(400, dimension: 16, metric: .l2, seed: 6)
        var payloads = stored.indices.map { Self.payload($0, round: 0) }
        var stage = try CollectionStage(
            dimension: 16, options: .init(indexedFields: indexed), tuning: Self.tuning)
        Self.filled(stored, &stage, payloads: payloads.map { Bytes(utf8: $0) })
        var isThere = [Bool](repeating: true, count: stored.count)
        var random = SeededRandom(seed: 8)
        for round in 1...4 {
            for text in Self.filters {
                let filter = try Filter(text)
                let query = queries.randomElement(using: &random)!
                let exact = Self.nearest(10, to: query, of: stored, metric: .l2) {
                    isThere[$0] && filter.matches(payload: Bytes(utf8: payloads[$0]))
                }
                Self.expect(
                    stage.query(query, k: 10, locations: [ShardQuery.everyLocation], filter: text),
                    equals: exact)
                let postings = stage.slice().postings.keys.sorted()
                Self.expect(
                    stage.query(query, k: 10, locations: postings, filter: text, bound: 20),
                    equals: exact)
                let own = stage.query(query, k: 10, filter: text)
                #expect(own.ids.count <= exact.count && own.scores == own.scores.sorted())
                for id in own.ids {
                    let index = Int(id) - 1
                    #expect(isThere[index])
                    #expect(filter.matches(payload: Bytes(utf8: payloads[index])))
                }
            }
            for _ in 0..<60 {
                let index = random.below(stored.count)
                if random.chance(0.3), isThere[index] {
                    stage.remove([PointID(index + 1)])
                    isThere[index] = false
                } else {
                    payloads[index] = Self.payload(index, round: round)
                    if random.chance(0.5) { stored[index] = stored.randomElement(using: &random)! }
                    stage.put(
                        [PointID(index + 1)], [stored[index]],
                        payloads: [Bytes(utf8: payloads[index])])
                    isThere[index] = true
                }
            }
        }
    }

    // MARK: Completion

    @Test(arguments: [Metric.l2, .cosine, .dot])
    func completionsOfPartitionsMergeToThatOfOne(metric: Metric) throws {
        let (stored, queries) = Self.points(300, dimension: 24, metric: metric, seed: 3)
        var stages: [CollectionStage] = []
        for partitions in [1, 2, 4] {
            var stage = try CollectionStage(
                dimension: 24, metric: metric, tuning: Self.tuning, partitions: partitions)
            Self.filled(stored, &stage)
            stages.append(stage)
        }
        for state in queries.prefix(4) {
            for beta: Float in [0, 0.5, 8] {
                for locations in [[ShardQuery.everyLocation], nil] {
                    var partials: [SoftmaxPartial] = []
                    for index in stages.indices {
                        partials.append(
                            Self.merged(&stages[index], state, beta, locations))
                    }
                    for partial in partials {
                        Self.expectClose(partial, partials[0], countsAll: locations != nil)
                    }
                    if locations != nil {
                        #expect(partials[0].spread.count == 300)
                        let direct = Self.direct(stored, state, beta, metric)
                        Self.expectClose(partials[0], direct, countsAll: true)
                    }
                }
            }
        }
    }

    /// Asks each partition alone; the merged answers are those of a question for all.
    private static func merged(
        _ stage: inout CollectionStage, _ state: [Float], _ beta: Float,
        _ locations: [LocationID]?
    ) -> SoftmaxPartial {
        var merged = SoftmaxPartial(dimension: 24, beta: beta)
        for partition in 0..<PartitionIndex(stage.partitions) {
            let postings = stage.slice(partition).postings.keys.sorted()
            let part = stage.complete(
                state, beta: beta, locations: locations ?? postings, on: [partition])
            if let part { merged.merge(part) }
        }
        if let whole = stage.complete(state, beta: beta) {
            expectClose(merged, whole, countsAll: locations != nil)
        }
        return merged
    }

    private static func direct(
        _ stored: [[Float]], _ state: [Float], _ beta: Float, _ metric: Metric
    ) -> SoftmaxPartial {
        var partial = SoftmaxPartial(dimension: state.count, beta: beta)
        for vector in stored {
            partial.add(Bytes(values: vector), count: 1, state: state, metric: metric)
        }
        return partial
    }

    /// - Parameter countsAll: Else those whose weight is negligible may be missing in one of them.
    private static func expectClose(
        _ left: SoftmaxPartial, _ right: SoftmaxPartial, countsAll: Bool
    ) {
        if countsAll { #expect(left.spread.count == right.spread.count) }
        #expect(abs(left.largest - right.largest) <= 1e-5 * max(1, abs(right.largest)))
        guard let one = left.mean, let other = right.mean else {
            Issue.record("no rows")
            return
        }
        for (a, b) in zip(one, other) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
    }

    /// No page is needed to know that a point without payload does not pass: many rounds in a row,
    /// in a bounded stack.
    @Test(arguments: ["topic = \"x\"", "not exists topic"])
    func aFilterWithoutAnIndexPassesOverPointsWithoutPayloads(filter: String) throws {
        var tuning = SearchTuning()
        tuning.splitAbove = 4096
        var stage = try CollectionStage(dimension: 2, tuning: tuning)
        let count = 20_000
        for start in stride(from: 0, to: count, by: 2000) {
            let ids = (start..<(start + 2000)).map { PointID($0 + 1) }
            stage.put(ids, ids.map { [Float($0 % 100), Float($0 / 100)] })
        }
        let answer = stage.query(
            [3, 4], k: 5, locations: [ShardQuery.everyLocation], filter: filter)
        // A point without payload has no values, and so fulfils what asks for none.
        #expect(answer.ids.count == (filter.hasPrefix("not") ? 5 : 0))
        #expect(answer.receipt.pagesTouched == 0 || answer.receipt.vectorsScored > 0)
    }
}
