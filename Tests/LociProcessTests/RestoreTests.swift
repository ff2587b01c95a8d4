import Foundation
import LociClient
import Testing

extension ProcessTests {
    @Test("restores a snapshot, one point under load, to another number of shards")
    func restoreElsewhere() async throws {
        let cluster = try await LocalCluster.running(shards: 3)
        let client = try cluster.client()
        // Runs of 4 MiB go to the partitions in turns: the two cells live on two shards.
        let run: UInt64 = (4 << 20) / 16384 * 64
        try await client.createField("rows", elementType: .raw, shape: [3 * run, 256])
        try await client.createCollection("points", dimension: 8, metric: .l2)
        var random = SeededRandom(seed: 4)
        let vectors = (0..<(400 * 8)).map { _ in Float(random.unit()) }
        _ = try await client.upsert("points", ids: (0..<400).map { UInt64($0) }, vectors: vectors)
        let pattern = Bytes((0..<(256 * 500)).map { UInt8(truncatingIfNeeded: $0 * 7) })
        _ = try await client.write("rows", first: 1, bytes: pattern)

        func cell(_ round: UInt64) -> Bytes { Bytes(values: [UInt64](repeating: round, count: 32)) }
        let load = Task {
            var round: UInt64 = 1
            while !Task.isCancelled {
                _ = try? await client.write("rows", cells: [run], bytes: cell(round))
                _ = try? await client.write("rows", cells: [2 * run], bytes: cell(round))
                round += 1
            }
        }
        try await Task.sleep(for: .milliseconds(200))
        let made = try await cluster.loci("snapshot", "create", "monday")
        load.cancel()
        await load.value
        #expect(made.code == 0, "\(made.errors)")
        let query = Array(vectors[80..<88])
        let before = try await client.query("points", vector: query, k: 10, isExact: true)

        let other = try LocalCluster(shards: 2)
        let text = LocalCluster.configuration(other.endpoints) + "partitions: 3\n"
        try other.write(text, to: "cluster.yaml")
        let folder = "\(cluster.folder)/data/snapshots/monday"
        let config = "\(other.folder)/cluster.yaml"
        let restored = try await other.loci("restore", folder, "--config", config)
        #expect(restored.code == 0, "\(restored.errors)")
        let again = try await other.loci("restore", folder, "--config", config)
        #expect(again.code == 1 && again.errors.contains("holds data already"))
        try other.startAll()
        try await other.waitUntilReady()

        let second = try other.client()
        let rows = try await second.read("rows", range: 1..<501)
        #expect(rows.bytes == pattern)
        let pair = try await second.read("rows", cells: [run, 2 * run]).bytes
        let first = pair.load(UInt64.self, at: 0)
        let last = pair.load(UInt64.self, at: 256)
        #expect(first == last || first == last + 1, "no single point: \(first) and \(last)")
        #expect(first > 0)
        let after = try await second.query("points", vector: query, k: 10, isExact: true)
        #expect(after.matches.map(\.id) == before.matches.map(\.id))
        #expect(try await second.count("points").count == 400)
    }

    @Test("starts nothing out of a restore that was interrupted, and begins it anew")
    func restoreInterrupted() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        try await client.createField("rows", elementType: .raw, shape: [1000, 256])
        _ = try await client.write("rows", first: 0, bytes: Bytes(zeros: 256))
        #expect(try await cluster.loci("snapshot", "create", "monday").code == 0)

        let other = try LocalCluster(shards: 2)
        let data = "\(other.folder)/data"
        try FileManager.default.createDirectory(
            atPath: "\(data)/shard-0", withIntermediateDirectories: true)
        for file in ["restoring", "shard-0/half"] {
            try Data().write(to: URL(fileURLWithPath: "\(data)/\(file)"))
        }
        try other.startAll()
        for name in other.names {
            #expect(try await other.process(name)!.wait(.seconds(20)) == 1)
        }
        #expect(other.logs.contains("was interrupted"))
        let restored = try await other.loci(
            "restore", "\(cluster.folder)/data/snapshots/monday", "--config",
            "\(other.folder)/cluster.yaml")
        #expect(restored.code == 0, "\(restored.errors)")
        try other.startAll()
        try await other.waitUntilReady()
        #expect(try await other.client().read("rows", range: 0..<1).bytes.count == 256)
    }
}
