import Foundation
import LociClient
import Testing

extension ProcessTests {
    @Test("leaves out what lies on slower tiers than --max-tier, and says what and where")
    func maxTier() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        let cellBytes = 256
        let count = 20_000
        try await client.createField(
            "rows", elementType: .raw, shape: [100_000, UInt64(cellBytes)])
        let bytes = Bytes(values: (0..<UInt64(count * cellBytes / 8)).map { $0 | 1 << 63 })
        _ = try await client.write("rows", first: 0, bytes: bytes)
        // Checkpoints have brought most pages into files; after a restart none is in memory.
        try await cluster.waitUntilPagesAreInFiles()
        cluster.killAll()
        try cluster.startAll()
        try await cluster.waitUntilReady()

        let fast = try await client.read("rows", range: 0..<UInt64(count), maxTier: .dram)
        #expect(!fast.skipped.isEmpty)
        let skipped = Set(fast.skipped)
        let nothing = Bytes(zeros: cellBytes)
        for cell in 0..<count {
            let written = bytes.slice((cell * cellBytes)..<((cell + 1) * cellBytes))
            #expect(fast[cell] == (skipped.contains(cell) ? nothing : written), "cell \(cell)")
        }
        let tiers = fast.receipt.tiers
        #expect(tiers[.ssd].skipped == tiers.skipped && tiers.skipped > 0)
        // Pages that a shard was fetching anyway, as it had them before, may have been waited for.
        #expect(tiers[.ssd].hard == 0)
        #expect(tiers.pages + tiers.skipped == fast.receipt.pagesTouched)

        let place = "0:\(count)"
        let out = "\(cluster.folder)/rows.bin"
        let partial = try await cluster.loci(
            "read", "rows", place, "--max-tier", "dram", "--out", out)
        #expect(partial.code == 3)
        #expect(partial.errors.contains("skipped: zeros in the output"), "\(partial.errors)")
        #expect(partial.errors.contains(" on ssd."), "\(partial.errors)")
        let whole = try await cluster.loci("read", "rows", place, "--max-tier", "ssd", "--out", out)
        #expect(whole.code == 0 && whole.errors.isEmpty, "\(whole.errors)")
        #expect(FileManager.default.contents(atPath: out) == Data(bytes.array))
        let warm = try await cluster.loci(
            "read", "rows", place, "--max-tier", "dram", "--out", out)
        #expect(warm.code == 0, "now everything is in memory: \(warm.errors)")
    }

    @Test("finds by a scrub the page that was damaged on its disk, and no other")
    func scrubFindsDamage() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        try await client.createField("rows", elementType: .raw, shape: [100_000, 256])
        _ = try await client.write(
            "rows", first: 0, bytes: Bytes(values: (0..<UInt64(20_000 * 32)).map { $0 | 1 << 63 }))
        try await cluster.waitUntilPagesAreInFiles()
        let sound = try await cluster.loci("scrub", "--json")
        #expect(sound.code == 0, "\(sound.errors)")
        #expect(try await client.scrubReport().pagesVerified > 0)

        let segment = "\(cluster.folder)/data/shard-0/partition-0/space-1/0.segment"
        let file = try #require(FileHandle(forUpdatingAtPath: segment))
        try file.seek(toOffset: 16_384 + 100)
        try file.write(contentsOf: Data([0xAA]))
        try file.close()
        let damaged = try await cluster.loci("scrub")
        #expect(damaged.code == 1)
        #expect(damaged.output.contains("1 page damaged\n  field rows: partition 0, page 1\n"))
    }

    @Test("a scrub that some shard cannot tell of is not reported as complete")
    func scrubWithoutAShard() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        _ = try await client.startScrub()
        cluster.kill("shard-1")
        try cluster.start("shard-1")
        try await cluster.waitUntilReady()
        do {
            _ = try await client.scrubReport()
            Issue.record("shard 1 was started again and knows of no scrub")
        } catch {
            #expect(error.code == .failedPrecondition, "\(error)")
        }
        cluster.kill("shard-1")
        let partial = try await cluster.loci("scrub")
        #expect(partial.code == 3, "\(partial.output)\(partial.errors)")
        #expect(partial.errors.contains("shard"))
    }
}

extension LocalCluster {
    fileprivate func waitUntilPagesAreInFiles() async throws {
        let client = try client()
        let end = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < end {
            // Cells fill shard 0's partition first.
            let vitals = try await client.status().shards[0].vitals
            let isThere = vitals.tiers.contains { $0.tier == .ssd && $0.residentBytes > 1 << 20 }
            if isThere { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw NotReady(description: "No pages are in files after 20 s.\n\(logs)")
    }
}
