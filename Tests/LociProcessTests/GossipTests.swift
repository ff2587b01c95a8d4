import Foundation
import LociBase
import LociClient
import LociModel
import LociPlacement
import LociTransport
import LociWire
import Testing

/// Gossip among real processes. A field of 65,536 pages of 4 KiB on two shards: stripes of 1,024
/// pages take turns. Each shard has memory for an eighth of its half.
extension ProcessTests {
    private static let pages: UInt64 = 65_536
    private static let stripe: UInt64 = 1024

    private static func cluster(
        shards: Int = 2, gossip: String, prefetch: String = "on"
    ) async throws -> LocalCluster {
        let cluster = try LocalCluster(shards: shards)
        let text = LocalCluster.configuration(cluster.endpoints)
            .replacing("capacity: 32MiB", with: "capacity: 16MiB")
        try cluster.write(
            text + "gossip: \(gossip)\nprefetch: \(prefetch)\n", to: "cluster.yaml")
        try cluster.startAll()
        try await cluster.waitUntilReady()
        let client = try cluster.client()
        try await client.createField(
            "rows", elementType: .raw, shape: [pages, 4096], pageBytes: 4096)
        return cluster
    }

    /// Reads pages of shard 0 by a law under which few are most, directly.
    private struct SkewedReader {
        let connection: Connection
        let shards: UInt64
        var random: SeededRandom
        var requested = 0
        var hits = 0

        mutating func read(_ count: Int) throws {
            let own = ProcessTests.pages / shards
            for _ in 0..<(count / 8) {
                let cells = (0..<8).map { _ -> CellIndex in
                    // Of rank r with density 1/r, scattered.
                    let rank = UInt64(pow(Double(own), random.unit()))
                    let page = mix64(rank) % own
                    let stripe = page / ProcessTests.stripe * shards
                    return stripe * ProcessTests.stripe + page % ProcessTests.stripe
                }
                let answer = try connection.call(
                    .shardRead(ShardRead(space: 1)), bulk: [Bytes(values: cells)],
                    deadline: .seconds(10))
                guard case .cells(let found) = answer.body else {
                    throw LocalCluster.NotReady(description: "\(answer.body)")
                }
                requested += Int(found.receipt.tiers.pages)
                hits += Int(found.receipt.tiers[.dram].hits)
            }
        }
    }

    private static func reader(_ cluster: LocalCluster, seed: UInt64) throws -> SkewedReader {
        SkewedReader(
            connection: try Connection(coordinator: cluster.endpoints[1]),
            shards: UInt64(cluster.shards), random: SeededRandom(seed: seed))
    }

    /// Reads until the shard is warm and has said so, ends it, starts it, gives it a second.
    /// Returns the misses of the next 2,000 pages, before and after.
    private static func missesAfterRestart(
        shards: Int, gossip: String
    ) async throws -> (before: Int, after: Int, hinted: PrefetchTally) {
        let cluster = try await cluster(shards: shards, gossip: gossip)
        var first = try reader(cluster, seed: 1)
        let end = ContinuousClock.now + .seconds(10)
        while first.requested < 12_000 || ContinuousClock.now < end { try first.read(400) }
        var warm = try reader(cluster, seed: 2)
        try warm.read(2000)
        cluster.kill("shard-0")
        try cluster.start("shard-0")
        try await cluster.waitUntilReady()
        try await Task.sleep(for: .seconds(1))
        var cold = try reader(cluster, seed: 3)
        try cold.read(2000)
        let status = try await cluster.client().status()
        return (
            warm.requested - warm.hits, cold.requested - cold.hits, status.shards[0].vitals.hinted
        )
    }

    @Test("is warm after a restart of a shard, from what its peers remember", arguments: [1, 2])
    func restartedShardIsWarm(shards: Int) async throws {
        let with = try await Self.missesAfterRestart(shards: shards, gossip: "100ms")
        let without = try await Self.missesAfterRestart(shards: shards, gossip: "off")
        print(
            "\(shards) shards, misses of 2,000 pages before and after a restart: with gossip",
            "\(with.before) and \(with.after), \(with.hinted.issued) fetched early; without",
            "\(without.before) and \(without.after)")
        #expect(with.after * 3 < without.after * 2)
        #expect(with.hinted.issued > 500 && without.hinted.issued == 0)
    }
}
