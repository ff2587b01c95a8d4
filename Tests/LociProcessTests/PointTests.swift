import Foundation
import LociBase
import LociClient
import Testing

/// Stores, replaces and deletes points of its own, until it is cancelled. A point's value is the
/// number of the upsert that stored it; 0 if there is none.
private struct PointWriter {
    static let dimension = 8
    let client: LociClient
    let ids: Range<PointID>
    var random: SeededRandom
    var expected: Expected<PointID, UInt64>
    var acknowledged = 0
    var failed = 0
    private var number: UInt64 = 0

    init(_ client: LociClient, ids: Range<PointID>, seed: UInt64) {
        self.client = client
        self.ids = ids
        random = SeededRandom(seed: seed)
        expected = Expected(ids, initially: 0)
    }

    /// Near one of seven centres that changes with every upsert, so that points move.
    static func vector(_ id: PointID, _ number: UInt64) -> [Float] {
        var random = SeededRandom(seed: id << 32 ^ number)
        let centre = Int((id ^ number) % 7)
        return (0..<dimension).map { Float($0 == centre ? 10 : 0) + Float(random.unit()) }
    }

    static func payload(_ number: UInt64) -> String { "{\"number\":\(number)}" }

    mutating func run() async -> PointWriter {
        var failures = 0
        while !Task.isCancelled {
            let batch = Set((0..<32).map { _ in ids.lowerBound + UInt64(random.below(ids.count)) })
            if random.chance(0.2) {
                await delete(Array(batch.prefix(8)))
            } else {
                await upsert(Array(batch))
            }
            // Most changes need every shard: while one is down, others are of little use.
            if failed > failures { try? await Task.sleep(for: .milliseconds(20)) }
            failures = failed
        }
        return self
    }

    mutating func upsert(_ batch: [PointID]) async {
        number += 1
        let number = number
        let done = try? await client.upsert(
            "points", ids: batch, vectors: batch.flatMap { Self.vector($0, number) },
            payloads: batch.map { _ in Self.payload(number) })
        note(batch, number, isAcknowledged: done != nil)
    }

    mutating func delete(_ batch: [PointID]) async {
        note(batch, 0, isAcknowledged: (try? await client.delete("points", ids: batch)) != nil)
    }

    private mutating func note(_ batch: [PointID], _ value: UInt64, isAcknowledged: Bool) {
        for id in batch { expected.set(id, value, isAcknowledged: isAcknowledged) }
        if isAcknowledged { acknowledged += 1 } else { failed += 1 }
    }

    /// The number of the upsert that stored the point; nil if payload and vector do not agree.
    static func number(of point: Point) -> UInt64? {
        guard let number = UInt64(point.payload.filter(\.isNumber)),
            point.payload == payload(number), point.vector == vector(point.id, number)
        else { return nil }
        return number
    }
}

extension ProcessTests {
    @Test("keeps points, replaced and deleted ones, as acknowledged through kill -9 of shards")
    func pointsSurviveKills() async throws {
        let kills = Programs.size("LOCI_PROCESS_KILLS", default: 12)
        let seed = UInt64(Programs.size("LOCI_PROCESS_SEED", default: 30))
        let cluster = try await LocalCluster.running()
        let client = try cluster.client(deadline: .seconds(3))
        try await client.createCollection(
            "points", dimension: PointWriter.dimension, metric: .l2)
        let tasks = (0..<4).map { index in
            Task {
                var writer = PointWriter(
                    client, ids: UInt64(index * 1000)..<UInt64(index * 1000 + 1000),
                    seed: seed + UInt64(index))
                return await writer.run()
            }
        }
        defer { for task in tasks { task.cancel() } }
        var killer = Killer(
            cluster: cluster, victims: Array(cluster.names.dropFirst()),
            random: SeededRandom(seed: seed), longestLifeMilliseconds: 1500)
        try await killer.run(kills: kills)
        for task in tasks { task.cancel() }
        try await cluster.waitUntilReady()
        var writers: [PointWriter] = []
        for task in tasks { writers.append(await task.value) }
        try await checkPoints(client, writers)
        try await settle(client, writers)
        let done = writers.reduce(0) { $0 + $1.acknowledged }
        #expect(done > kills * 5)
        print(
            "\(kills) kills, seed \(seed): \(done) changes acknowledged, "
                + "\(writers.reduce(0) { $0 + $1.failed }) failed")
    }

    private func allPoints(_ client: LociClient) async throws -> [Point] {
        var all: [Point] = []
        while true {
            let from = all.last.map { $0.id + 1 } ?? 0
            let page = try await Self.patiently {
                try await client.scroll("points", from: from, limit: 500, withVector: true)
            }
            #expect(!page.isDegraded)
            all += page.points
            if !page.hasMore { return all }
        }
    }

    /// Scroll, retrieve and count agree with what was acknowledged. What was interrupted, the
    /// cluster mends by itself: for that there is some time.
    private func checkPoints(_ client: LociClient, _ writers: [PointWriter]) async throws {
        let possible = writers.reduce(into: [:]) { $0.merge($1.expected.possible) { $1 } }
        let end = ContinuousClock.now + .seconds(10)
        while true {
            let wrong = try await disagreements(client, possible)
            let lasting = wrong.filter { possible[$0.key]!.count == 1 }
            #expect(lasting.isEmpty, "\(lasting.count): \(lasting.prefix(3))")
            if wrong.isEmpty || !lasting.isEmpty || ContinuousClock.now > end {
                #expect(wrong.isEmpty, "\(wrong.count): \(wrong.prefix(3))")
                break
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        let sure = possible.count { !$0.value.contains(0) }
        let most = possible.count { $0.value != [0] }
        try await expectCount(client, sure...most)
    }

    /// What is wrong with each point that is not as it may be.
    private func disagreements(
        _ client: LociClient, _ possible: [PointID: Set<UInt64>]
    ) async throws -> [PointID: String] {
        let ids = possible.keys.sorted()
        let all = try await allPoints(client)
        #expect(all.map(\.id) == Array(Set(all.map(\.id))).sorted())
        let answer = try await Self.patiently {
            try await client.retrieve("points", ids: ids, withVector: true)
        }
        #expect(!answer.isDegraded)
        let ways = [("scroll", all), ("retrieve", answer.points)]
        var wrong: [PointID: String] = [:]
        for (way, points) in ways {
            let found = Dictionary(points.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
            for id in ids {
                let number = found[id].map { PointWriter.number(of: $0) } ?? 0
                if let number, possible[id]!.contains(number) { continue }
                let point = found[id].map { "\($0)" } ?? "nothing"
                wrong[id] = "\(way) gives \(point), allowed were \(possible[id]!)"
            }
        }
        return wrong
    }

    /// While points move to newer hard locations, some are counted twice for a moment.
    private func expectCount(_ client: LociClient, _ allowed: ClosedRange<Int>) async throws {
        let end = ContinuousClock.now + .seconds(5)
        var count = 0
        repeat {
            count = Int(try await Self.patiently { try await client.count("points").count })
        } while !allowed.contains(count) && ContinuousClock.now < end
        #expect(allowed.contains(count))
    }

    /// Once every change with an unknown outcome has been repeated, nothing of it is left.
    private func settle(_ client: LociClient, _ writers: [PointWriter]) async throws {
        var present = 0
        for var writer in writers {
            let unsure = writer.expected.unsure.sorted()
            for start in stride(from: 0, to: unsure.count, by: 100) {
                let part = Array(unsure[start..<min(start + 100, unsure.count)])
                if start % 200 == 0 { await writer.upsert(part) } else { await writer.delete(part) }
            }
            #expect(writer.expected.unsure.isEmpty)
            present += writer.expected.possible.values.count { $0 != [0] }
        }
        try await expectCount(client, present...present)
        let all = try await allPoints(client)
        #expect(all.count == present)
        for point in all.prefix(20) {
            let answer = try await client.query("points", vector: point.vector, k: 1, isExact: true)
            #expect(answer.matches.first?.id == point.id)
        }
    }
}
