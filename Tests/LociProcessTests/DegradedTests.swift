import LociBase
import LociClient
import Synchronization
import Testing

/// What a stream of queries saw, with the time since the test's start.
private final class Sightings: Sendable {
    struct Sighting: Sendable {
        let time: ContinuousClock.Instant
        /// Nil for an answer; otherwise what was thrown.
        let error: String?
        let isDegraded: Bool
        let ids: [PointID]
    }

    private let all = Mutex<[Sighting]>([])

    func note(_ sighting: Sighting) { all.withLock { $0.append(sighting) } }

    func since(_ time: ContinuousClock.Instant) -> [Sighting] {
        all.withLock { $0.filter { $0.time >= time } }
    }
}

extension ProcessTests {
    @Test(
        "answers queries without a killed shard, says so within a second, and is whole again later")
    func queriesGoOn() async throws {
        let cluster = try await LocalCluster.running()
        let client = try cluster.client(deadline: .seconds(5))
        try await client.createCollection("points", dimension: 4, metric: .l2)
        let ids = Array(UInt64(0)..<600)
        _ = try await client.upsert(
            "points", ids: ids, vectors: ids.flatMap { [Float($0), 0, 1, 0] })
        let sightings = Sightings()
        let load = Task {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { await Self.ask(client, sightings) } }
            }
        }
        defer { load.cancel() }
        try await Task.sleep(for: .milliseconds(300))
        let killed = ContinuousClock.now
        cluster.kill("shard-1")
        try await Task.sleep(for: .milliseconds(1500))
        let restarted = ContinuousClock.now
        try cluster.start("shard-1")
        try await cluster.waitUntilReady()
        let whole = ContinuousClock.now
        try await Task.sleep(for: .milliseconds(300))
        load.cancel()
        await load.value

        let all = sightings.since(killed.advanced(by: .seconds(-60)))
        #expect(all.compactMap(\.error).isEmpty, "\(cluster.logs)")
        let before = all.filter { $0.time < killed }
        #expect(!before.isEmpty)
        #expect(before.allSatisfy { !$0.isDegraded && $0.ids == Self.nearest })
        let flagged = all.first { $0.isDegraded }
        #expect(flagged.map { $0.time - killed < .seconds(1) } == true)
        let without = all.filter { $0.time > killed + .seconds(1) && $0.time < restarted }
        #expect(without.count > 10)
        #expect(without.allSatisfy { $0.isDegraded && !$0.ids.isEmpty })
        // Nothing that lacks points ever passes for complete.
        #expect(all.allSatisfy { $0.isDegraded || $0.ids == Self.nearest })
        let after = all.filter { $0.time > whole + .milliseconds(100) }
        #expect(!after.isEmpty)
        #expect(after.allSatisfy { !$0.isDegraded && $0.ids == Self.nearest })
        let delay = flagged.map { "\($0.time - killed)" } ?? "never"
        print(
            "flagged after \(delay), whole \(whole - restarted) after the restart; "
                + "\(all.count) answers")
    }

    private static let nearest: [PointID] = [300, 299, 301, 298, 302, 297, 303, 296, 304]

    private static func ask(_ client: LociClient, _ sightings: Sightings) async {
        while !Task.isCancelled {
            do {
                let answer = try await client.query(
                    "points", vector: [300, 0, 1, 0], k: nearest.count, isExact: true)
                sightings.note(
                    .init(
                        time: .now, error: nil, isDegraded: answer.isDegraded,
                        ids: answer.matches.map(\.id)))
            } catch {
                sightings.note(.init(time: .now, error: "\(error)", isDegraded: false, ids: []))
            }
        }
    }
}
