import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire
import Testing

@testable import LociCluster

/// Completions over shards that hold vectors of the test's choice.
@Suite struct CoordinatorCompletionTests {
    private static let dimension = 32
    private static let create = create(.cosine)

    private static func create(_ metric: Metric) -> Body {
        .createCollection(
            CreateCollection(name: "points", dimension: UInt32(dimension), metric: metric))
    }

    private struct Stored {
        var rows: [[Float]]
        var random: SeededRandom
        var metric = Metric.cosine

        init(_ count: Int, seed: UInt64) {
            random = SeededRandom(seed: seed)
            rows = []
            for _ in 0..<count {
                var row = (0..<dimension).map { _ in random.chance(0.5) ? Float(1) : -1 }
                let length = Float(dimension).squareRoot()
                for index in row.indices { row[index] /= length }
                rows.append(row)
            }
        }

        /// A row with so many elements of the other sign.
        mutating func noisy(_ row: Int, flips: Int) -> [Float] {
            var vector = rows[row]
            for index in (0..<dimension).shuffled(using: &random).prefix(flips) {
                vector[index].negate()
            }
            return vector
        }

        /// What the shard with every so many-th row says.
        func partial(_ shard: Int, of shards: Int, state: [Float], beta: Float) -> SoftmaxPartial {
            var partial = SoftmaxPartial(dimension: dimension, beta: beta)
            for index in stride(from: shard, to: rows.count, by: shards) {
                partial.add(
                    Bytes(values: rows[index]), count: 1, state: state, metric: metric)
            }
            return partial
        }
    }

    private struct Restored {
        var answer: CompletionAnswer
        var vector: [Float]
        var rounds: Int
    }

    /// Carries a completion out; `silent` shards never answer and are given up.
    private func restore(
        _ body: Complete, _ vector: [Float], _ stored: Stored, shards: Int,
        silent: Set<ShardIndex> = []
    ) -> Restored? {
        var stage = CoordinatorStage(shards: shards)
        stage.define(Self.create(stored.metric))
        var directives = stage.ask(.complete(body), bulk: [Bytes(values: vector)])
        var rounds = 0
        while directives.replies.isEmpty, !directives.sent.isEmpty {
            rounds += 1
            let sent = directives.sent
            for part in sent {
                guard case .shardComplete(let asked) = part.message.body else { return nil }
                if silent.contains(part.shard) {
                    directives = stage.handle(
                        .undeliverable(
                            part.shard, requestID: part.message.header.requestID, nil))
                    continue
                }
                let partial = stored.partial(
                    Int(part.shard), of: shards, state: part.message.bulk[0].values(),
                    beta: asked.beta)
                directives = stage.reply(
                    part,
                    .partialCompletion(
                        PartialCompletion(partial, isDegraded: false, receipt: Receipt())),
                    bulk: [Bytes(values: partial.weighted)])
            }
        }
        guard let reply = directives.replies.first, case .completionAnswer(let answer) = reply.body
        else { return nil }
        #expect((try? reply.validated()) != nil)
        #expect(stage.node.operations.isEmpty && stage.node.awaited.isEmpty)
        return Restored(answer: answer, vector: reply.bulk[0].values(), rounds: rounds)
    }

    private func alone(
        _ body: Complete, _ beta: Float, _ vector: [Float], _ stored: Stored
    ) -> DenseAssociation {
        var association = DenseAssociation(vector, metric: .cosine)
        while association.steps < Int(body.steps), !association.isFixedPoint {
            association.advance(stored.partial(0, of: 1, state: association.state, beta: beta))
        }
        return association
    }

    @Test(arguments: [1, 2, 4], [Float(0), 3, 20])
    func whatShardsRestoreTogetherIsWhatOneDoesAlone(shards: Int, beta: Float) throws {
        var stored = Stored(300, seed: 1)
        for row in [0, 17, 299] {
            let vector = stored.noisy(row, flips: 4)
            let body = Complete(collection: "points", steps: 8, beta: beta)
            let restored = try #require(restore(body, vector, stored, shards: shards))
            let single = alone(body, restored.answer.beta, vector, stored)
            let difference = zip(single.state, restored.vector).map { abs($0 - $1) }.max()!
            #expect(difference < 1e-5)
            #expect(restored.answer.steps == UInt32(single.steps))
            #expect(restored.answer.hasConverged == single.isFixedPoint)
            if beta > 0 { #expect(restored.rounds == single.steps) }
            #expect(!restored.answer.isDegraded && restored.answer.beta > 0)
        }
    }

    @Test func aNoisyPatternComesBackAndIsKnownTheBetterTheLessNoiseThereIs() throws {
        var stored = Stored(200, seed: 2)
        var last = Float(1.001)
        for flips in [0, 2, 4, 6] {
            let vector = stored.noisy(50, flips: flips)
            let body = Complete(collection: "points", steps: 10, beta: 30)
            let restored = try #require(restore(body, vector, stored, shards: 2))
            let likeness = zip(restored.vector, stored.rows[50]).reduce(0) { $0 + $1.0 * $1.1 }
            #expect(likeness > 0.99, "\(flips) flips")
            #expect(restored.answer.hasConverged)
            #expect(restored.answer.familiarity < last)
            last = restored.answer.familiarity
        }
    }

    /// Vectors that lie close together are told apart, though most are unlike the one that is asked
    /// for.
    @Test func withoutABetaOneOfACrowdIsRestored() throws {
        var stored = Stored(0, seed: 6)
        let centres = Stored(8, seed: 7).rows
        for index in 0..<400 {
            var row = centres[index % 8].map { $0 + Float(stored.random.unit() - 0.5) * 0.2 }
            let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            for element in row.indices { row[element] /= length }
            stored.rows.append(row)
        }
        for row in [3, 100, 399] {
            let vector = stored.rows[row].map { $0 + Float(stored.random.unit() - 0.5) * 0.02 }
            let body = Complete(collection: "points", steps: 20)
            let restored = try #require(restore(body, vector, stored, shards: 2))
            let alike = stored.rows.map { zip(restored.vector, $0).reduce(0) { $0 + $1.0 * $1.1 } }
            #expect(alike.firstIndex(of: alike.max()!) == row)
            #expect(alike[row] > 0.999 && restored.answer.hasConverged)
            #expect(restored.rounds <= Int(restored.answer.steps) + 7)
        }
    }

    @Test func stepsAreCountedAndBounded() throws {
        var stored = Stored(300, seed: 3)
        let body = Complete(collection: "points", steps: 1, beta: 3)
        let vector = stored.noisy(4, flips: 9)
        let restored = try #require(restore(body, vector, stored, shards: 2))
        #expect(restored.answer.steps == 1 && restored.rounds == 1)
        #expect(!restored.answer.hasConverged)
    }

    @Test func withoutAShardACompletionSaysThatItIsDegraded() throws {
        var stored = Stored(100, seed: 4)
        let body = Complete(collection: "points", beta: 20)
        let restored = try #require(
            restore(body, stored.noisy(2, flips: 2), stored, shards: 2, silent: [1]))
        #expect(restored.answer.isDegraded && !restored.answer.receipt.isComplete)
        // Row 2 lives on shard 0.
        let likeness = zip(restored.vector, stored.rows[2]).reduce(0) { $0 + $1.0 * $1.1 }
        #expect(likeness > 0.99)
    }

    @Test func withoutAnyShardACompletionFails() {
        var stage = CoordinatorStage()
        stage.define(Self.create)
        let vector = Bytes(values: [Float](repeating: 1, count: Self.dimension))
        let asked = stage.ask(.complete(Complete(collection: "points", beta: 1)), bulk: [vector])
        var last: [CoordinatorDirective] = []
        for part in asked.sent {
            last = stage.handle(
                .undeliverable(part.shard, requestID: part.message.header.requestID, nil))
        }
        #expect(last.failure?.code == .unavailable)
        let wrong = stage.ask(
            .complete(Complete(collection: "points")), bulk: [Bytes(values: [Float(1)])])
        #expect(wrong.failure?.code == .invalidArgument)
    }

    @Test func whatAnEmptyCollectionRestoresIsTheVectorItself() throws {
        let vector = [Float](repeating: 0.5, count: Self.dimension)
        let body = Complete(collection: "points")
        let restored = try #require(restore(body, vector, Stored(0, seed: 5), shards: 2))
        #expect(restored.answer.familiarity == 0)
        #expect(restored.answer.hasConverged)
        let length = restored.vector.reduce(0) { $0 + $1 * $1 }
        #expect(abs(length - 1) < 1e-5)
    }

    /// Vectors whose similarities are at the end of what a float can tell apart have a sharpness
    /// that is a number.
    @Test(arguments: [Metric.l2, .dot], [Float(1e-22), 1e-21, 1e-18, 1e-10, 1, 1e10, 1e15])
    func dataOfAnyScaleIsRestored(metric: Metric, scale: Float) throws {
        for count in [1, 2, 3, 100] {
            var stored = Stored(count, seed: 8)
            stored.metric = metric
            for row in stored.rows.indices {
                stored.rows[row] = stored.rows[row].map { $0 * scale }
            }
            let body = Complete(collection: "points", steps: 5)
            let restored = try #require(
                restore(body, stored.noisy(0, flips: 2), stored, shards: 2))
            #expect(SimilaritySpread.betas.contains(restored.answer.beta))
            #expect(!restored.vector.contains { !$0.isFinite })
            #expect((0...1).contains(restored.answer.familiarity))
            #expect(restored.rounds <= Int(restored.answer.steps) + 8)
        }
    }

    @Test func theSharpestSoftmaxIsNotMadeSharper() throws {
        var catalog = Catalog()
        let definition = try catalog.createCollection(
            name: "points", dimension: 2, metric: .l2, isText: false)
        var completion = CompletionOperation(
            Complete(collection: "points"), [0, 0], width: AddressWidth(exactly: 8), definition)
        completion.partial.add(
            Bytes(values: [Float(1e-21), 0, 1e-21, 0, 0, 0]), count: 3, state: [0, 0], metric: .l2)
        var rounds = 0
        while completion.sharpen() {
            rounds += 1
            #expect(completion.beta > 0 && completion.beta <= SimilaritySpread.betas.upperBound)
        }
        #expect(rounds == 1, "the first beta is the largest")
    }

    /// When the deadline passes while a round is on its way.
    private struct Late {
        var stage: CoordinatorStage
        var last: [CoordinatorDirective] = []

        /// - Parameter late: The round that only one shard of two answers in time; the other does
        ///   afterwards, or never.
        init(_ body: Complete, _ stored: Stored, _ vector: [Float], late: Int, answers: Bool) {
            stage = CoordinatorStage(shards: 2)
            stage.define(create)
            last = stage.ask(
                .complete(body), bulk: [Bytes(values: vector)], deadlineMilliseconds: 100)
            for round in 1...late {
                let sent = last.sent
                for (index, part) in sent.enumerated() {
                    guard case .shardComplete(let asked) = part.message.body else { return }
                    if round == late, index == sent.count - 1 {
                        stage.now = stage.now.advanced(microseconds: 200_000)
                        if !answers {
                            last = stage.handle(.tick)
                            return
                        }
                    }
                    let partial = stored.partial(
                        Int(part.shard), of: 2, state: part.message.bulk[0].values(),
                        beta: asked.beta)
                    last = stage.reply(
                        part,
                        .partialCompletion(
                            PartialCompletion(partial, isDegraded: false, receipt: Receipt())),
                        bulk: [Bytes(values: partial.weighted)])
                }
            }
        }
    }

    @Test(arguments: [1, 2], [true, false])
    func aCompletionWithoutAStepInTimeFailsAndDoesNotAnswerWithWhatWasSent(
        round: Int, answers: Bool
    ) {
        var stored = Stored(300, seed: 9)
        let vector = stored.noisy(4, flips: 9)
        // Without a beta the first rounds choose one.
        let body = Complete(collection: "points", steps: 5)
        let late = Late(body, stored, vector, late: round, answers: answers)
        #expect(late.last.failure?.code == .deadlineExceeded)
        #expect(late.stage.node.operations.isEmpty && late.stage.node.awaited.isEmpty)
    }

    @Test(arguments: [true, false])
    func aCompletionThatIsCutOffBetweenStepsSaysThatItIsDegraded(answers: Bool) throws {
        var stored = Stored(300, seed: 9)
        let vector = stored.noisy(4, flips: 9)
        let body = Complete(collection: "points", steps: 5, beta: 3)
        let late = Late(body, stored, vector, late: 2, answers: answers)
        let reply = try #require(late.last.replies.first)
        guard case .completionAnswer(let answer) = reply.body else {
            Issue.record("\(reply.body)")
            return
        }
        #expect(answer.isDegraded && answer.steps == 1 && !answer.hasConverged)
        #expect(answer.familiarity > 0)
        #expect(reply.bulk[0].values(Float.self) != vector)
    }
}
