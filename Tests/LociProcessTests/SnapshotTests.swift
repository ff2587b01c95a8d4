import Foundation
import Glibc
import LociClient
import Synchronization
import Testing

extension ProcessTests {
    @Test("makes a snapshot while writes go on, and lists it once it is complete")
    func snapshotUnderLoad() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        try await client.createField("rows", elementType: .raw, shape: [100_000, 256])
        _ = try await client.write("rows", first: 0, bytes: Bytes(zeros: 256 * 20_000))
        let failures = Mutex<[String]>([])
        let written = Mutex(0)
        let load = Task {
            var number: UInt64 = 0
            while !Task.isCancelled {
                do throws(LociError) {
                    _ = try await client.write(
                        "rows", cells: [number % 100_000], bytes: Bytes(zeros: 256))
                    written.withLock { $0 += 1 }
                } catch {
                    failures.withLock { $0.append(error.message) }
                }
                number += 16_411
            }
        }
        defer { load.cancel() }
        let made = try await cluster.loci("snapshot", "create", "monday")
        #expect(made.code == 0, "\(made.errors) \(cluster.logs)")
        let atEnd = written.withLock { $0 }
        try await Task.sleep(for: .milliseconds(200))
        load.cancel()
        await load.value
        #expect(failures.withLock { $0 }.isEmpty, "writes wait for the point, they do not fail")
        #expect(written.withLock { $0 } > atEnd, "writes go on afterwards")

        let listed = try await client.snapshots()
        #expect(listed.snapshots.map(\.name) == ["monday"] && listed.active.isEmpty)
        #expect(listed.snapshots[0].partitions == 2)
        #expect(listed.snapshots[0].bytes >= 256 * 20_000)
        let again = try await cluster.loci("snapshot", "create", "monday")
        #expect(again.code == 1 && again.errors.contains("There is a snapshot 'monday' already"))
        #expect(try cluster.snapshotFolders() == ["monday"])
    }

    @Test("abandons a snapshot when a shard is silent, leaves nothing of it, and goes on writing")
    func snapshotWithoutAShard() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        try await client.createField("rows", elementType: .raw, shape: [1000, 256])
        _ = try await client.write("rows", first: 0, bytes: Bytes(zeros: 256))
        let stopped = try #require(cluster.process("shard-1"))
        #expect(Glibc.kill(stopped.identifier, SIGSTOP) == 0)
        let made = try await cluster.loci("snapshot", "create", "tuesday")
        #expect(Glibc.kill(stopped.identifier, SIGCONT) == 0)
        #expect(made.code == 1)
        #expect(made.errors.contains("The snapshot 'tuesday' was abandoned: Shard 1"), "\(made)")
        _ = try await client.write("rows", first: 0, bytes: Bytes(zeros: 256))
        #expect(try await client.snapshots().snapshots.isEmpty)
        #expect(try cluster.snapshotFolders().isEmpty)

        try await cluster.waitUntilReady()
        let second = try await cluster.loci("snapshot", "create", "tuesday")
        #expect(second.code == 0, "\(second.errors)")
        #expect(try cluster.snapshotFolders() == ["tuesday"])
    }
}

extension LocalCluster {
    /// Complete or not.
    fileprivate func snapshotFolders() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(folder)/data/snapshots").sorted()
    }
}
