import LociBase
import LociClient
import Testing

extension ProcessTests {
    @Test(
        "finds true neighbours by address before, while and after hard locations are learned"
    )
    func neighboursAreFoundAtEverySize() async throws {
        let cluster = try await LocalCluster.running()
        let client = try cluster.client(deadline: .seconds(10))
        try await client.createCollection("points", dimension: 8, metric: .l2)
        var random = SeededRandom(seed: 11)
        let centres = (0..<6).map { _ in (0..<8).map { _ in Float(random.unit() * 20) } }
        var rows: [[Float]] = []
        // 2,048 points start the learning: sizes below, at and above it.
        for size in [40, 300, 2000, 2600, 5000] {
            let fresh = (rows.count..<size).map { _ in
                centres[random.below(6)].map { $0 + Float(random.unit() - 0.5) }
            }
            let first = rows.count
            rows += fresh
            _ = try await client.upsert(
                "points", ids: (first..<size).map { PointID($0) }, vectors: fresh.flatMap { $0 })
            let recall = try await Self.recall(client, rows, &random)
            #expect(recall >= 0.93, "\(size) points")
        }
        try await Task.sleep(for: .seconds(2))
        #expect(try await Self.recall(client, rows, &random) >= 0.93)
        let learned = try await client.status().collections[0]
        #expect(learned.generation >= 1 && !learned.isMoving)
        let shards = try await client.query("points", vector: rows[0]).receipt.shardsAsked
        #expect(shards < 4)
    }

    /// Share of the true 10 nearest that queries by address find.
    private static func recall(
        _ client: LociClient, _ rows: [[Float]], _ random: inout SeededRandom
    ) async throws -> Double {
        var found = 0
        for _ in 0..<20 {
            let query = rows[random.below(rows.count)].map { $0 + Float(random.unit() * 0.2) }
            let distances = rows.map { distance($0, query) }
            let truth = rows.indices.sorted { distances[$0] < distances[$1] }.prefix(10)
                .map { PointID($0) }
            let answer = try await client.query("points", vector: query)
            found += Set(answer.matches.map(\.id)).intersection(truth).count
        }
        return Double(found) / 200
    }

    private static func distance(_ left: [Float], _ right: [Float]) -> Float {
        zip(left, right).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
}
