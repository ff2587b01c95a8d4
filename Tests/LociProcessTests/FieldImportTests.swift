import Foundation
import LociBase
import LociClient
import Testing

extension ProcessTests {
    private struct FieldReport: Decodable {
        let cells: UInt64
        let bytes: UInt64?
        let identity: String
    }

    private static func report(_ ended: Ended) throws -> FieldReport {
        try JSONDecoder().decode(FieldReport.self, from: Data(ended.output.utf8))
    }

    private static func noise(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        let words = (0..<((count + 7) / 8)).map { _ in random.next() }
        return Array(Bytes(values: words).array.prefix(count))
    }

    @Test("imports a file of rows byte for byte, and prints the identity that reads may name")
    func fieldImport() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let path = "\(cluster.folder)/rows.bin"
        // More than one request, and a last one that is not full.
        let rows = Self.noise(264 * 9001, seed: 1)
        try Data(rows).write(to: URL(filePath: path))
        let made = try await cluster.loci(
            "field", "import", "engram.table", path, "--row-bytes", "264", "--json")
        #expect(made.code == 0, "\(made.errors)")
        let report = try Self.report(made)
        #expect(report.cells == 9001 && report.bytes == UInt64(rows.count))
        #expect(report.identity.count == 16)
        let shown = try Self.report(
            try await cluster.loci("field", "info", "engram.table", "--json"))
        #expect(shown.identity == report.identity)
        #expect(try await cluster.loci("field", "list").output.contains(report.identity))

        let client = try cluster.client()
        let back = try await client.read(
            "engram.table", range: 0..<9001,
            options: ReadOptions(identity: try #require(UInt64(report.identity, radix: 16))))
        #expect(back.bytes == Bytes(rows))

        let again = try await cluster.loci(
            "field", "import", "engram.table", path, "--row-bytes", "264")
        #expect(again.code == 1)
        #expect(again.errors.contains("ALREADY_EXISTS"))
        #expect(again.errors.contains("--overwrite") && again.errors.contains("--resume"))

        let other = Self.noise(264 * 9001, seed: 2)
        try Data(other).write(to: URL(filePath: path))
        let handle = try await client.open("engram.table")
        let direct = try LociClient(coordinator: cluster.endpoints[0], routing: .direct)
        let directHandle = try await direct.open("engram.table")
        #expect(try await directHandle.read(range: 0..<10).count == 10)
        let over = try await cluster.loci(
            "field", "import", "engram.table", path, "--row-bytes", "264", "--overwrite", "--json")
        #expect(over.code == 0, "\(over.errors)")
        // The field is another one: who names the old one gets no rows of it.
        let identity = try Self.report(over).identity
        #expect(identity != report.identity)
        for old in [handle, directHandle] {
            let error = await #expect(throws: LociError.self) { try await old.read(range: 0..<10) }
            #expect(error?.code == .failedPrecondition)
        }
        #expect(try await client.read("engram.table", range: 0..<9001).bytes == Bytes(other))
        #expect(try await client.open("engram.table").identity == UInt64(identity, radix: 16))
    }

    @Test("replaces a field of another shape with --overwrite, and never drops one for nothing")
    func fieldReplacement() async throws {
        let cluster = try await LocalCluster.running(shards: 1)
        let path = "\(cluster.folder)/rows.bin"
        let rows = Self.noise(1200, seed: 6)
        try Data(rows).write(to: URL(filePath: path))
        let arguments = ["field", "import", "rows", path, "--row-bytes"]
        // Either makes a field where there is none.
        let made = try await cluster.run(arguments + ["8", "--resume"])
        #expect(made.code == 0, "\(made.errors)")
        let client = try cluster.client()
        let first = try await client.open("rows")
        // A page that does not exist, and flags that exclude each other.
        let wrong = try await cluster.run(
            arguments + ["12", "--page-bytes", "5000", "--overwrite"])
        #expect(wrong.code == 1 && wrong.errors.contains("power of two"), "\(wrong.errors)")
        let both = try await cluster.run(arguments + ["12", "--overwrite", "--resume"])
        #expect(both.code == 2, "\(both.errors)")
        #expect(try await first.read(range: 0..<150).bytes == Bytes(rows))

        let resumed = try await cluster.run(arguments + ["12", "--resume"])
        #expect(resumed.code == 1 && resumed.errors.contains("loci field info rows"))
        let replaced = try await cluster.run(arguments + ["12", "--overwrite"])
        #expect(replaced.code == 0, "\(replaced.errors)")
        let second = try await client.open("rows")
        #expect(second.definition.shape == [100, 12] && second.identity != first.identity)
        #expect(try await second.read(range: 0..<100).bytes == Bytes(rows))
    }

    @Test("refuses files that are not whole rows before anything is created")
    func badFieldImports() async throws {
        let cluster = try await LocalCluster.running(shards: 1)
        try Data(Self.noise(1000, seed: 3)).write(to: URL(filePath: "\(cluster.folder)/odd.bin"))
        try Data().write(to: URL(filePath: "\(cluster.folder)/empty.bin"))
        try Data("\u{93}NUMPYrubbish".utf8).write(to: URL(filePath: "\(cluster.folder)/bad.npy"))
        let cases: [(file: String, options: [String], code: Int32, says: String)] = [
            ("odd.bin", ["--row-bytes", "264"], 1, "no whole number of rows"),
            ("odd.bin", [], 1, "--row-bytes"),
            ("odd.bin", ["--row-bytes", "0"], 2, "1 to 2097152"),
            ("odd.bin", ["--row-bytes", "8", "--page-bytes", "5000"], 1, "power of two"),
            ("empty.bin", ["--row-bytes", "264"], 1, "no rows"),
            ("absent.bin", ["--row-bytes", "264"], 1, "NOT_FOUND"),
            ("bad.npy", [], 1, "not a .npy file"),
        ]
        for wrong in cases {
            let path = "\(cluster.folder)/\(wrong.file)"
            let ended = try await cluster.run(["field", "import", "half", path] + wrong.options)
            #expect(ended.code == wrong.code, "\(wrong.file): \(ended.errors)")
            #expect(ended.errors.contains(wrong.says), "\(wrong.file): \(ended.errors)")
        }
        #expect(try await cluster.client().describe().fields.isEmpty)

        let path = "\(cluster.folder)/odd.bin"
        let good = try await cluster.loci("field", "import", "rows", path, "--row-bytes", "8")
        #expect(good.code == 0, "\(good.errors)")
        let other = try await cluster.run(
            ["field", "import", "rows", path, "--row-bytes", "10", "--resume"])
        #expect(other.code == 1 && other.errors.contains("loci field info rows"))
    }

    @Test("imports an .npy array with its own type and shape, packed or not")
    func arrayImport() async throws {
        let cluster = try await LocalCluster.running(shards: 1)
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (50, 6), }"
        let padded = header + String(repeating: " ", count: 117 - header.utf8.count) + "\n"
        let content = Self.noise(50 * 6 * 4, seed: 4)
        let file = Data([0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0]) + Data(padded.utf8)
        let path = "\(cluster.folder)/table.npy"
        try (file + Data(content)).write(to: URL(filePath: path))
        let made = try await cluster.loci("field", "import", "table", path)
        #expect(made.code == 0, "\(made.errors)")
        let client = try cluster.client()
        let field = try #require(try await client.describe().field(named: "table"))
        #expect(field.elementType == .float32 && field.shape == [50, 6])
        #expect(try await client.read("table", range: 0..<50).bytes == Bytes(content))
        try (file + Data(content.dropLast())).write(to: URL(filePath: path))
        let short = try await cluster.loci("field", "import", "short", path)
        #expect(short.code == 1 && short.errors.contains("cut short"))
    }

    @Test("says after an interruption what there is, and finishes it with --resume")
    func interruptedFieldImport() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let path = "\(cluster.folder)/rows.bin"
        let rows = Self.noise(64 * 1_000_000, seed: 5)
        try Data(rows).write(to: URL(filePath: path))
        let arguments = ["field", "import", "rows", path, "--row-bytes", "64"]
        let process = try cluster.startLoci(arguments)
        // Some rows are there, but not all.
        try await Self.patiently {
            guard try await cluster.client().describe().field(named: "rows") != nil else {
                throw LociError(.unavailable, "The field is not there yet.")
            }
        }
        process.send(SIGINT)
        let ended = try await Ended(
            process, errors: "\(cluster.folder)/loci.err", output: "\(cluster.folder)/loci.out")
        #expect(ended.code == 1, "\(ended.errors)")
        #expect(ended.errors.contains("interrupted") && ended.errors.contains("--resume"))
        let partial = try await cluster.client().open("rows")
        let again = try await cluster.run(arguments + ["--resume"])
        #expect(again.code == 0, "\(again.errors)")
        // The same field, of which the identity was never printed, now with all rows.
        let back = try await partial.read(range: 500_000..<510_000)
        #expect(back.bytes == Bytes(Array(rows[(64 * 500_000)..<(64 * 510_000)])))
    }
}
