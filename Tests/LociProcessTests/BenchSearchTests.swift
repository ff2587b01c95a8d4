import Foundation
import LociBase
import Testing

/// `loci bench search`, small, so that it cannot rot; it needs no cluster.
@Suite("The benchmark of queries in one process")
struct BenchSearchTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "loci-bench-search-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
    }

    private static let points = 800
    private static let dimension = 16

    @Test("finds what an exact scan finds, with one thread and two, and keeps its folder")
    func recall() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write()
        let once = try await bench([
            "--probes", "4,1024", "--bound", "6", "--rounds", "2", "--inserts", "200",
        ])
        let built = try #require(once.first)
        #expect(built["points"] as? Int == Self.points)
        let inserts = try #require(built["inserts"] as? [String: Any])
        #expect(inserts["rows"] as? Int == 200)
        #expect((inserts["cpu_seconds"] as? Double ?? 0) > 0)
        #expect((built["build"] as? [String: Any])?["rows"] as? Int == Self.points - 200)
        try #require(once.count == 3)
        let (few, all) = (once[1], once[2])
        #expect(number(all, "recall") == 1)
        #expect(number(few, "recall") < 1 && number(few, "recall") > 0.2)
        #expect(number(few, "codes") < number(all, "codes"))
        #expect(number(all, "locations") > 4 && number(few, "locations") <= 4)
        for line in [few, all] {
            let (p50, p99) = (figure(line, "p50_microseconds"), figure(line, "p99_microseconds"))
            #expect(p50 > 0 && p50 <= p99)
            let perSecond = figure(line, "queries_per_second")
            #expect(figure(line, "cpu_microseconds") > 0 && perSecond > 0)
            #expect(number(line, "resident_mebibytes") > 1)
        }
        // The folder is kept; each thread has a collection of its own.
        let twice = try await bench([
            "--probes", "1024", "--bound", "6", "--rounds", "1", "--threads", "2",
        ])
        #expect(twice.first?["build"] == nil && twice.count == 2)
        #expect(twice.last.map { number($0, "recall") } == 1)
        #expect(twice.last?["threads"] as? Int == 2)
        #expect(FileManager.default.fileExists(atPath: "\(folder)/points.2"))
    }

    @Test("measures filters against what an exact query with the same filter answers")
    func filters() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write()
        let lines = try await bench([
            "--probes", "1024", "--bound", "6", "--rounds", "1", "--first", "10",
            "--filter-share", "0.5,0.05",
        ])
        try #require(lines.count == 3)
        for (line, share) in zip(lines.dropFirst(), [0.5, 0.05]) {
            #expect(line["filter_share"] as? Double == share)
            #expect(number(line, "recall") == 1)
            #expect(line["queries"] as? Int == 10)
        }
        // So few pass the second one that all of them are compared.
        #expect(number(lines[1], "codes") > 0 && number(lines[2], "codes") == 0)
    }

    @Test("normalises for cosine, and answers inner products")
    func metrics() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for metric in ["cosine", "dot"] {
            try write(metric)
            try? FileManager.default.removeItem(atPath: "\(folder)/points")
            let lines = try await bench([
                "--metric", metric, "--probes", "1024", "--bound", "6", "--rounds", "1",
            ])
            #expect(lines.last.map { number($0, "recall") } ?? 0 > 0.999, "\(metric)")
        }
    }

    @Test("a build that was interrupted is not measured, nor is what cannot be asked")
    func refusals() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write()
        _ = try await bench(["--build-only"])
        try write(rows: Self.points + 1)
        let short = try await run(["--probes", "4"])
        #expect(short.code == 1 && short.errors.contains("\(Self.points + 1) rows"))
        for wrong in [
            ["--probes", "0"], ["--radius", "0.5"], ["--threads", "0"], ["--filter-share", "2"],
            ["--metric", "near"], ["--bound", "-1"],
        ] {
            let (code, _, errors) = try await run(wrong)
            #expect(code == 2 && errors.contains(wrong[0]), "\(wrong): \(errors)")
        }
    }

    // MARK: Data

    /// Points, 20 queries and their 10 nearest rows by a scan in double precision.
    private func write(_ metric: String = "l2", rows: Int = points) throws {
        var random = SeededRandom(seed: UInt64(rows))
        func vectors(_ count: Int) -> [[Float]] {
            (0..<count).map { _ in
                (0..<Self.dimension).map { _ in Float.random(in: -1...1, using: &random) }
            }
        }
        let (base, queries) = (vectors(rows), vectors(20))
        func score(_ left: [Float], _ right: [Float]) -> Double {
            let dot = zip(left, right).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            func square(_ vector: [Float]) -> Double {
                vector.reduce(0) { $0 + Double($1) * Double($1) }
            }
            return switch metric {
            case "dot": -dot
            case "cosine": -dot / (square(left) * square(right)).squareRoot()
            default: square(left) + square(right) - 2 * dot
            }
        }
        let truth = queries.map { query in
            let scores = base.map { score(query, $0) }
            return scores.indices.sorted { scores[$0] < scores[$1] }.prefix(10).map(Int32.init)
        }
        try write(base, to: "base.fbin")
        try write(queries, to: "queries.fbin")
        var bytes = Data()
        for row in truth {
            for value in [Int32(row.count)] + row { append(value.littleEndian, to: &bytes) }
        }
        try bytes.write(to: URL(filePath: "\(folder)/truth.ivecs"))
    }

    private func write(_ rows: [[Float]], to name: String) throws {
        var bytes = Data()
        append(UInt32(rows.count).littleEndian, to: &bytes)
        append(UInt32(Self.dimension).littleEndian, to: &bytes)
        for value in rows.joined() { append(value.bitPattern.littleEndian, to: &bytes) }
        try bytes.write(to: URL(filePath: "\(folder)/\(name)"))
    }

    private func append(_ value: some FixedWidthInteger, to bytes: inout Data) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    // MARK: The program

    private func number(_ line: [String: Any], _ key: String) -> Double {
        line[key] as? Double ?? .nan
    }

    private func figure(_ line: [String: Any], _ key: String) -> Double {
        (line[key] as? [String: Any])?["median"] as? Double ?? .nan
    }

    private func bench(_ arguments: [String]) async throws -> [[String: Any]] {
        let (code, output, errors) = try await run(arguments + ["--json"])
        try #require(code == 0, "\(errors)")
        return try output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    private func run(
        _ arguments: [String]
    ) async throws -> (code: Int32?, output: String, errors: String) {
        let name = "\(folder)/\(UUID().uuidString)"
        let child = try ChildProcess(
            Programs.path("loci"),
            [
                "bench", "search", "--base", "\(folder)/base.fbin", "--queries",
                "\(folder)/queries.fbin", "--truth", "\(folder)/truth.ivecs", "--folder",
                "\(folder)/points", "--dram", "64", "--split-above", "32",
            ] + arguments, output: "\(name).out", errors: "\(name).err")
        let code = try await child.wait(.seconds(60))
        return (
            code, try String(contentsOfFile: "\(name).out", encoding: .utf8),
            try String(contentsOfFile: "\(name).err", encoding: .utf8)
        )
    }
}
