import LociBase
import LociModel
import Synchronization
import Testing

@testable import LociClient

@Suite struct TuningTests {
    /// Recall and cost as functions of the setting, and what was asked.
    private final class Model: Sendable {
        let asked = Mutex<[(UInt32, Float)]>([])
        let recall: @Sendable (UInt32, Float) -> Float
        let cost: @Sendable (UInt32, Float) -> Double

        init(
            recall: @escaping @Sendable (UInt32, Float) -> Float,
            cost: @escaping @Sendable (UInt32, Float) -> Double
        ) {
            self.recall = recall
            self.cost = cost
        }

        func measure(_ probes: UInt32, _ radius: Float) -> MeasuredSetting {
            asked.withLock { $0.append((probes, radius)) }
            return MeasuredSetting(
                setting: RecallSetting(
                    recall: recall(probes, radius), probes: probes, radius: radius),
                codesScanned: cost(probes, radius), vectorsCompared: 0)
        }

        /// By trying everything.
        func cheapest(reaching wanted: Float, hasRadius: Bool) -> Double? {
            TuningSearch.probes.flatMap { probes in
                (hasRadius ? TuningSearch.radii : [1]).filter { recall(probes, $0) >= wanted }
                    .map { cost(probes, $0) }
            }.min()
        }
    }

    private func cheapest(
        _ model: Model, reaching wanted: Float, hasRadius: Bool
    ) async throws -> MeasuredSetting? {
        var search = TuningSearch(hasRadius: hasRadius, vectorInCodes: 8)
        let found = try await search.cheapest(reaching: wanted) { model.measure($0, $1) }
        let asked = model.asked.withLock { $0 }
        #expect(Set(asked.map { "\($0)" }).count == asked.count, "measured twice")
        #expect(asked.count <= 40)
        return found
    }

    @Test(arguments: 0..<200)
    func whatIsFoundIsTheCheapestOfAll(seed: Int) async throws {
        var random = SeededRandom(seed: UInt64(seed))
        let (a, b) = (random.unit() * 2 + 0.1, random.unit() * 3)
        let (c, d) = (random.unit() * 3, random.unit())
        let model = Model(
            recall: { probes, radius in
                // Grows with both, and nowhere stands still.
                let reach = a * Double(probes) + b * Double(radius - 1) * Double(probes + 3)
                return Float(reach / (reach + 1))
            },
            cost: { probes, radius in
                Double(probes) + c * Double(radius - 1) * (1 + d * Double(probes))
            })
        let hasRadius = random.chance(0.7)
        for wanted: Float in [0.5, 0.9, 0.95, 0.99] {
            model.asked.withLock { $0 = [] }
            let found = try await cheapest(model, reaching: wanted, hasRadius: hasRadius)
            #expect(
                found.map { $0.cost(vectorInCodes: 8) }
                    == model.cheapest(reaching: wanted, hasRadius: hasRadius))
            if let found { #expect(found.setting.recall >= wanted) }
        }
    }

    @Test func whatNothingReachesIsNotFound() async throws {
        let model = Model(recall: { _, _ in 0.8 }, cost: { probes, _ in Double(probes) })
        #expect(try await cheapest(model, reaching: 0.9, hasRadius: true) == nil)
    }

    // MARK: Over a socket

    /// Points on a line; a query finds those within a distance that grows with its radius.
    private final class Line: Sendable {
        static let count: UInt64 = 2000
        let catalog: Catalog
        let stored = Mutex<[RecallSetting]>([])
        let narrow: Float

        /// - Parameter narrow: What is found on odd points falls short by this.
        init(narrow: Float = 0) throws {
            var catalog = Catalog()
            _ = try catalog.createCollection(
                name: "points", dimension: 1, metric: .l2, isText: false)
            self.catalog = catalog
            self.narrow = narrow
        }

        func reply(to request: Message) -> [Message] {
            switch request.body {
            case .describe:
                return [
                    answer(request, .catalog(CatalogAnswer(version: 1)), bulk: [catalog.encoded])
                ]
            case .status:
                return [
                    answer(
                        request,
                        .statusAnswer(
                            StatusAnswer(
                                clusterID: 1, incarnation: 1, partitions: 1,
                                requestsInFlight: 0, shards: [], collections: [])))
                ]
            case .collectionInfo: return [answer(request, .collectionReport(CollectionReport()))]
            case .scroll(let scroll):
                let ids = (0..<UInt64(scroll.limit)).map { $0 * 7 % Self.count }
                return [points(request, ids)]
            case .retrieve: return [points(request, request.bulk[0].values())]
            case .query(let query): return [matches(request, query)]
            default: return []
            }
        }

        private func points(_ request: Message, _ ids: [PointID]) -> Message {
            answer(
                request, .points(PointsAnswer(count: UInt32(ids.count), receipt: Receipt())),
                bulk: [
                    Bytes(values: ids), Bytes(zeros: ids.count * 8), Bytes(zeros: ids.count * 4),
                    Bytes(), Bytes(values: ids.map { Float($0) }),
                ])
        }

        private func matches(_ request: Message, _ query: Query) -> Message {
            let place = Int64(request.bulk[0].load(Float.self, at: 0))
            // An address that reaches a distance of 5 finds the ten nearest.
            var reach = query.isExact ? Float(1000) : query.radius * Float(query.probes)
            if place % 2 == 1, !query.isExact { reach -= narrow }
            let near = (0..<Int64(Self.count)).filter { Float(abs($0 - place)) <= reach }
                .sorted { (abs($0 - place), $0) < (abs($1 - place), $1) }.prefix(Int(query.k))
            var receipt = Receipt()
            receipt.shardsAsked = 1
            receipt.shardsAnswered = 1
            receipt.codesScanned = UInt64(max(reach, 0) * 100)
            let count = near.count
            return answer(
                request, .matches(MatchesAnswer(count: UInt32(count), receipt: receipt)),
                bulk: [
                    Bytes(values: near.map { PointID($0) }), Bytes(zeros: count * 8),
                    Bytes(values: near.map { Float(abs($0 - place)) }), Bytes(zeros: count * 4),
                    Bytes(), Bytes(),
                ])
        }
    }

    private func tune(_ line: Line, recall: Float) async throws -> Tuned {
        let coordinator = StandInCoordinator { line.reply(to: $0) }
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)
        return try await client.tune("points", recall: recall, sample: 60)
    }

    @Test func tuningChoosesTheNarrowestThatServesAndVerifiesIt() async throws {
        let tuned = try await tune(Line(), recall: 0.95)
        let chosen = try #require(tuned.chosen)
        #expect(chosen.recall == 0.95)
        // A point finds itself and five on each side; ties of distance count.
        let reach = chosen.radius * Float(chosen.probes)
        #expect(reach >= 5 && reach < 6.5, "\(chosen)")
        #expect(tuned.verified.setting.recall >= 0.95)
        #expect(tuned.sample == 60 && tuned.vectorInCodes == 8)
        #expect(tuned.tried.allSatisfy { $0.codesScanned > 0 })
    }

    @Test func whatServesOnlyOneHalfIsWidened() async throws {
        // Points of the other half need twice the reach.
        let tuned = try await tune(Line(narrow: 5), recall: 0.95)
        let chosen = try #require(tuned.chosen)
        #expect(chosen.radius * Float(chosen.probes) >= 9.5)
        #expect(tuned.verified.setting.recall >= 0.95)
    }

    @Test func whatNeverServesTheOtherHalfIsNotChosen() async throws {
        let tuned = try await tune(Line(narrow: 1000), recall: 0.95)
        #expect(tuned.chosen == nil)
        #expect(tuned.verified.setting.recall < 0.95)
    }
}
