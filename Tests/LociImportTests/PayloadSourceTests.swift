import LociBase
import LociImport
import LociModel
import Testing

@Suite struct PayloadSourceTests {
    private static func line(_ row: Int) -> String {
        row % 3 == 1 ? "" : "{\"row\": \(row), \"name\": \"é\"}"
    }

    private static func read(
        _ vectors: String, _ payloads: String, skipping: UInt64 = 0, limit: Int = 3
    ) throws(LociError) -> PointBatch {
        var source = try Import.open(
            vectors: vectors, payloads: payloads, skippingRows: skipping)
        var all = PointBatch(firstRow: skipping)
        while let batch = try source.next(limit) {
            precondition(batch.count > 0 && batch.count <= limit)
            precondition(batch.firstRow == all.firstRow + UInt64(all.count))
            all.ids += batch.ids
            all.vectors += batch.vectors
            all.payloads += batch.payloads
        }
        return all
    }

    @Test(arguments: [UInt64(0), 1, 4, 7, 9], ["\n", "\r\n"])
    func `each row gets the payload of its line, from any row on`(
        skipping: UInt64, end: String
    ) throws {
        let scratch = Scratch()
        let vectors = scratch.write("a.npy", Fixture.array("<f4"))
        let lines = (0..<Fixture.rows).map(Self.line)
        let plain = scratch.write("p.jsonl", lines.joined(separator: end) + end + end)
        for file in [plain, scratch.packed(plain)] {
            for limit in [1, 3, 100] {
                let all = try Self.read(vectors, file, skipping: skipping, limit: limit)
                let first = min(Int(skipping), Fixture.rows)
                #expect(all.ids == (UInt64(first)..<UInt64(Fixture.rows)).map { $0 })
                #expect(all.vectors == Array(Fixture.vectors[(first * Fixture.dimension)...]))
                #expect(all.payloads == Array(lines[first...]))
            }
        }
    }

    @Test(arguments: ["\n", "\r\n"])
    func `a byte order mark at the start of the file belongs to no payload`(end: String) throws {
        let scratch = Scratch()
        let vectors = scratch.write("a.npy", Fixture.array("<f4"))
        for first in ["{\"row\": 0}", ""] {
            let lines = [first] + (1..<Fixture.rows).map { "{\"row\": \($0)}" }
            let file = scratch.write("p.jsonl", "\u{FEFF}" + lines.joined(separator: end))
            #expect(try Self.read(vectors, file).payloads == lines)
            #expect(try Self.read(vectors, file, skipping: 2).payloads == Array(lines[2...]))
        }
        var deepest = [String](repeating: "", count: Fixture.rows)
        deepest[0] =
            "{\"a\":" + String(repeating: "[", count: 62) + String(repeating: "]", count: 62) + "}"
        let file = scratch.write("p.jsonl", deepest.joined(separator: end) + end)
        #expect(try Self.read(vectors, file).payloads == deepest)
    }

    @Test func `large payloads make smaller batches, and no row is lost between them`() throws {
        let scratch = Scratch()
        let vectors = (0..<100).flatMap { Fixture.little(1) + Fixture.little(Float($0).bitPattern) }
        let file = scratch.write("a.fvecs", vectors)
        let text = String(repeating: "x", count: 60_000)
        let lines = (0..<100).map { "{\"row\": \($0), \"text\": \"\(text)\"}" }
        let payloads = scratch.write("p.jsonl", lines.joined(separator: "\n"))
        var source = try Import.open(vectors: file, payloads: payloads)
        var seen = 0
        while let batch = try source.next(64) {
            #expect(batch.payloads.reduce(0) { $0 + $1.utf8.count } < 1_200_000)
            #expect(batch.firstRow == UInt64(seen))
            for index in 0..<batch.count {
                #expect(batch.ids[index] == UInt64(seen) && batch.vectors[index] == Float(seen))
                #expect(batch.payloads[index] == lines[seen])
                seen += 1
            }
        }
        #expect(seen == 100)
    }

    @Test func `a file with too few or too many lines is refused before the first row`() throws {
        let scratch = Scratch()
        let vectors = scratch.write("a.npy", Fixture.array("<f4"))
        let lines = (0..<Fixture.rows).map { "{\"row\": \($0)}" }
        for (text, message) in [
            ("", "ends after line 0, and there are 7 vectors"),
            (
                lines.dropLast().joined(separator: "\n"),
                "ends after line 6, and there are 7 vectors"
            ),
            ((lines + ["{}"]).joined(separator: "\n"), "Line 8 of"),
            ((lines + ["", "{}"]).joined(separator: "\n"), "Line 9 of"),
        ] {
            let file = scratch.write("p.jsonl", text)
            let error = #expect(throws: LociError.self) {
                try Import.open(vectors: vectors, payloads: file, skippingRows: 5)
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
        let missing = #expect(throws: LociError.self) {
            try Import.open(vectors: vectors, payloads: scratch.path + "/none.jsonl")
        }
        #expect(missing?.code == .notFound)
        let lone = scratch.write("a.jsonl", Fixture.jsonLines())
        let own = #expect(throws: LociError.self) { try Import.open(vectors: lone, payloads: lone) }
        #expect(own?.message.contains("brings its own payloads") == true)
    }

    @Test(arguments: [
        ("[1]", "is not a JSON object"), ("{\"a\": 1} x", "is not a JSON object"),
        (
            "{\"a\": " + String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
                + "}",
            "has more than 64 objects and arrays within one another"
        ),
        ("\u{FEFF}{}", "is not a JSON object"), ("{\"a\": 01}", "is not a JSON object"),
        ("{'a': 1}", "is not a JSON object"),
        (
            "{\"a\": \"" + String(repeating: "x", count: 66_000) + "\"}",
            "is a payload of 66009 bytes"
        ),
    ])
    func `a wrong line is named`(text: String, message: String) throws {
        let scratch = Scratch()
        let vectors = scratch.write("a.npy", Fixture.array("<f4"))
        var lines = [String](repeating: "{}", count: Fixture.rows)
        lines[4] = text
        let file = scratch.write("p.jsonl", lines.joined(separator: "\n"))
        let error = #expect(throws: LociError.self) { try Self.read(vectors, file) }
        #expect(error?.message == "Line 5 of '\(file)' \(message).")
    }

    @Test func `a line that is not UTF-8 is named`() throws {
        let scratch = Scratch()
        let vectors = scratch.write("a.npy", Fixture.array("<f4"))
        let line: [UInt8] = Array("{\"a\":\"".utf8) + [0xFF] + Array("\"}\n".utf8)
        let bytes = [[UInt8]](repeating: line, count: Fixture.rows).flatMap { $0 }
        let file = scratch.write("p.jsonl", bytes)
        let error = #expect(throws: LociError.self) { try Self.read(vectors, file) }
        #expect(error?.message == "Line 1 of '\(file)' is not UTF-8.")
    }
}
