import Foundation
import Testing

@Suite("The benchmark of page-ins")
struct BenchPagesTests {
    private struct Report: Decodable {
        struct Figure: Decodable {
            let least: Double
            let median: Double
            let most: Double
        }
        struct Load: Decodable {
            let depth: Int
            let pagesPerSecond: Figure
            let p50: Figure
            let p99: Figure
        }
        struct Subject: Decodable {
            let name: String
            let cold: [Load]
            let warm: Load
            let scanMegabytesPerSecond: Figure
        }
        let fileBytes: UInt64
        let subjects: [Subject]
    }

    @Test("runs small, with figures for every kind and depth, and leaves nothing behind")
    func small() async throws {
        // Beside the programs: a folder for temporary files may lie in memory, with nothing cold.
        let programs = (Programs.path("loci") as NSString).deletingLastPathComponent
        let folder = "\(programs)/bench-pages-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let files = NSTemporaryDirectory() + "loci-bench-pages-\(getpid())"
        defer {
            for name in [".out", ".err"] {
                try? FileManager.default.removeItem(atPath: files + name)
            }
        }
        let program = try ChildProcess(
            Programs.path("loci"),
            [
                "bench", "pages", folder, "--gigabytes", "0.01", "--rounds", "2", "--depth", "1,8",
                "--seconds", "20ms", "--json",
            ], output: files + ".out", errors: files + ".err")
        let code = try await program.wait(.seconds(60))
        let errors = try String(contentsOfFile: files + ".err", encoding: .utf8)
        if errors.contains("in memory has no cold pages") {
            return print("There is no disk to measure: \(errors)")
        }
        #expect(code == 0, "\(errors)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let report = try decoder.decode(
            Report.self, from: Data(contentsOf: URL(filePath: files + ".out")))
        let names = report.subjects.map(\.name)
        #expect(names.starts(with: ["device", "mapping", "pread", "direct"]))
        #expect(names.last == "kernel paging")
        for subject in report.subjects {
            #expect(subject.cold.map(\.depth) == [1, 8])
            for load in subject.cold + [subject.warm] {
                #expect(load.p50.least > 0 && load.p50.median <= load.p99.most)
                #expect(load.pagesPerSecond.least <= load.pagesPerSecond.median)
            }
            #expect(subject.scanMegabytesPerSecond.least > 0)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
    }

    @Test("refuses what it does not understand")
    func usage() async throws {
        let files = NSTemporaryDirectory() + "loci-bench-usage-\(getpid())"
        defer {
            for name in [".out", ".err"] {
                try? FileManager.default.removeItem(atPath: files + name)
            }
        }
        for wrong in [["--depth", "1,,4"], ["--page-kib", "12"], ["--gigabytes", "0"]] {
            let program = try ChildProcess(
                Programs.path("loci"), ["bench", "pages", files] + wrong, output: files + ".out",
                errors: files + ".err")
            #expect(try await program.wait(.seconds(10)) == 2)
            #expect(!FileManager.default.fileExists(atPath: files))
        }
    }
}
