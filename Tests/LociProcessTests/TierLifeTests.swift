import Foundation
import Glibc
import LociClient
import Testing

extension ProcessTests {
    @Test("keeps a field larger than its memory and its ssd, within budget, through a kill -9")
    func threeTiers() async throws {
        let cluster = try LocalCluster(shards: 1)
        let slow = "\(cluster.folder)/slow"
        try cluster.write(
            LocalCluster.configuration(cluster.endpoints).replacing(
                "tiers: [{kind: dram, capacity: 32MiB}, {kind: ssd}]",
                with: """
                    tiers:
                      - {kind: dram, capacity: 16MiB}
                      - {kind: ssd, capacity: 64MiB}
                      - {kind: hdd, path: \(slow), capacity: 1GiB}
                    write-buffer: 8MiB
                    """), to: "cluster.yaml")
        try cluster.startAll()
        try await cluster.waitUntilReady()
        let client = try cluster.client()
        let cells: UInt64 = 400_000
        try await client.createField("rows", elementType: .raw, shape: [cells, 256])
        func chunk(_ first: UInt64) -> Bytes {
            Bytes(values: (0..<UInt64(20_000 * 32)).map { mix64(first &+ $0 / 32) })
        }
        for first in stride(from: UInt64(0), to: cells, by: 20_000) {
            _ = try await client.write("rows", first: first, bytes: chunk(first))
        }
        func coldPages() async throws -> UInt64 {
            var pages: UInt64 = 0
            _ = try await client.residency(of: "rows") { _, extents in
                pages += extents.reduce(0) { $0 + UInt64($1.hdd) }
            }
            return pages
        }
        let end = ContinuousClock.now + .seconds(20)
        while try await coldPages() == 0, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(200))
        }
        #expect(try await coldPages() > 0)
        for kills in [false, true] {
            if kills {
                cluster.process("shard-0")!.end(SIGKILL)
                try cluster.start("shard-0")
                try await cluster.waitUntilReady()
            }
            for first in stride(from: UInt64(0), to: cells, by: 20_000) {
                let found = try await client.read("rows", range: first..<(first + 20_000))
                try #require(found.bytes == chunk(first), "from \(first)")
                #expect(found.receipt.tiers.pages == found.receipt.pagesTouched)
            }
            let status = try String(
                contentsOfFile: "/proc/\(cluster.process("shard-0")!.identifier)/status",
                encoding: .utf8)
            let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM") }!
            let kibibytes = Int(peak.split(separator: " ").dropFirst().first!)!
            // Budgets are 24 MiB; what a debug build takes beside them has a wide margin.
            #expect(kibibytes < (24 + 96) << 10, "\(peak)")
        }
    }
}
