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
        #expect(with.after * 5 < without.after * 4)
        #expect(with.hinted.issued > 500 && without.hinted.issued == 0)
    }

    /// Somebody on the wire who speaks for shard 0 and for nodes that are none: old and future
    /// versions, pages that do not exist, loops, nonsense.
    @Test("answers the same, and wastes little, whatever is gossiped at it")
    func hostileGossip() async throws {
        let cluster = try await Self.cluster(gossip: "100ms")
        let client = try cluster.client()
        let content = Bytes(values: (0..<(64 * 4096 / 8)).map { UInt64($0) &* 0x9E37_79B9 })
        _ = try await client.write("rows", first: 100, bytes: content)
        let before = try #require(cluster.process("shard-0")).residentKilobytes
        let liar = try Connection(coordinator: cluster.endpoints[1])
        var random = SeededRandom(seed: 21)
        var answered = 0
        for round in 0..<300 as Range<UInt64> {
            let now = Instant(nanoseconds: (round + 1) * 1_000_000_000)
            var node = GossipNode(
                node: round % 3, incarnation: round * 7919 % 4_000_000_000, seed: round)
            for part in 0..<40 as Range<UInt32> {
                let bytes = (0..<(1 + random.below(4096))).map { _ in UInt8(random.below(256)) }
                node.publish(
                    round % 2 == 0 ? .heat : .transition, part: part, Bytes([1] + bytes.dropLast()),
                    timeToLive: .max, at: now)
            }
            // One part that makes sense: pages of shard 0, a run from 2000 on.
            node.publish(
                .heat, part: 1, Bytes([1, 1, 0, 1, 0xD0, 0x0F, 0x64]), timeToLive: .max, at: now)
            var messages = node.startRound(among: [9], at: now).map(\.message)
            for _ in 0..<4 where !messages.isEmpty {
                let message = messages.removeFirst()
                let body = Body.gossip(Gossip(node: round % 2 == 0 ? 0 : 2))
                _ = try liar.send(body, bulk: [message.encoded], deadline: .seconds(5))
                guard let answer = try liar.receive(timeout: .milliseconds(5)),
                    case .gossip = answer.body
                else { break }
                answered += 1
                let heard = try GossipMessage(encoded: answer.bulk[0])
                messages += node.receive(heard, from: 9, at: now).map(\.message)
                // The same again, which nobody has asked for.
                if let first = messages.first { messages.append(first) }
            }
            _ = try liar.send(
                .gossip(Gossip(node: random.next())), bulk: [Bytes(values: [random.next()])],
                deadline: .seconds(5))
        }
        #expect(answered > 20, "it was listened to")
        let read = try await client.read("rows", range: 100..<164)
        for cell in 0..<64 {
            #expect(read[cell] == content.slice((cell * 4096)..<((cell + 1) * 4096)))
        }
        try await Task.sleep(for: .milliseconds(500))
        let shard = try await client.status().shards[0]
        #expect(shard.isUp && shard.vitals.hinted.issued <= 4096)
        #expect(shard.vitals.gossip.dropped > 100)
        let growth = cluster.process("shard-0")!.residentKilobytes - before
        #expect(growth < 64 << 10, "it grew by \(growth) KiB")
        print(
            "gossip of a liar: \(answered) answers, \(shard.vitals.gossip.dropped) dropped,",
            "\(shard.vitals.hinted.issued) pages fetched early, grew by \(growth) KiB")
    }

    @Test("refuses announcements, and serves all else, where prefetching is switched off")
    func prefetchingCanBeSwitchedOff() async throws {
        let cluster = try await Self.cluster(gossip: "off", prefetch: "off")
        let coordinator = try Connection(coordinator: cluster.endpoints[0])
        do {
            _ = try Self.announce(coordinator)
            Issue.record("it was taken")
        } catch {
            #expect(error.code == .failedPrecondition && error.message.contains("cluster file"))
        }
        let read = try await cluster.client().read("rows", range: 0..<10)
        #expect(read[3] == Bytes(zeros: 4096))
    }

    private static func announce(_ coordinator: Connection) throws(LociError) -> Message {
        try coordinator.call(
            .prefetchCells(PrefetchCells(field: "rows", first: 0, count: 10, ticket: 3)),
            deadline: .seconds(10))
    }
}
