import Foundation
import LociBase
import LociClient
import Testing

extension ProcessTests {
    private struct DecodeReport: Decodable {
        struct Mode: Decodable {
            let mode: String
            let tokens: Int
            let deadlines: Int
            let ratio: Double?
            let residentRatio: Double
            let errors: Int
        }

        let modes: [Mode]

        func mode(_ name: String) throws -> Mode {
            try #require(modes.first { $0.mode == name })
        }
    }

    @Test("has rows in memory when a decode loop needs them, if it was told, and not else")
    func decode() async throws {
        let cluster = try await LocalCluster.running(shards: 1)
        let client = try cluster.client()
        // One row in each page is enough to make the pages: three times the shard's memory.
        let pages: UInt64 = 6144
        let rowsPerPage: UInt64 = 62
        try await client.createField(
            "rows", elementType: .raw, shape: [pages * rowsPerPage, 264])
        for first in stride(from: 0, to: pages, by: 1024) {
            let cells = (first..<(first + 1024)).map { $0 * rowsPerPage }
            _ = try await client.write(
                "rows", cells: cells,
                bytes: Bytes(Array(repeating: 7, count: cells.count * 264)))
        }
        cluster.killAll()
        try cluster.startAll()
        try await cluster.waitUntilReady()
        let ended = try await cluster.loci(
            "bench", "decode", "rows", "--rows-per-token", "16", "--compute", "100ms", "--tokens",
            "10", "--first", "0.6", "--second", "0.9", "--modes", "resident,prefetch,batch,serial",
            "--json")
        #expect(ended.code == 0, "\(ended.errors)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let report = try decoder.decode(DecodeReport.self, from: Data(ended.output.utf8))
        #expect(report.modes.map(\.tokens) == [10, 10, 10, 10])
        #expect(report.modes.map(\.deadlines) == [20, 20, 10, 20])
        #expect(report.modes.allSatisfy { $0.errors == 0 && ($0.ratio ?? 0) > 0 })
        #expect(try report.mode("resident").residentRatio > 0.99)
        #expect(try report.mode("prefetch").residentRatio > 0.9)
        // A third of the pages fits; what was read before is not read again.
        #expect(try report.mode("batch").residentRatio < 0.6)
        #expect(try report.mode("serial").residentRatio < 0.6)
    }

    @Test("refuses decode loops that make no sense")
    func badDecode() async throws {
        let cluster = try await LocalCluster.running(shards: 1)
        let wrong: [(String, Int32, String)] = [
            ("--rows-per-token 3", 2, "even"), ("--tokens 5", 2, "10 to"),
            ("--first 0.5 --second 0.4", 2, "in this order"), ("--modes fast", 2, "resident"),
            ("--modes batch,batch", 2, "twice"), ("--compute 0ms", 2, "1ms"),
            ("", 1, "no field 'rows'"),
        ]
        for (options, code, says) in wrong {
            let ended = try await cluster.run(
                ["bench", "decode", "rows"] + options.split(separator: " ").map(String.init))
            #expect(ended.code == code && ended.errors.contains(says), "\(options): \(ended)")
        }
    }
}
