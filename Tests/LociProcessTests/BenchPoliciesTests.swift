import Foundation
import Testing

/// `loci bench policies` on trace files; it needs no cluster.
@Suite final class BenchPoliciesTests {
    private let folder = URL(filePath: NSTemporaryDirectory())
        .appending(path: "loci-policies-\(UUID().uuidString)").path

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// 0 to 4, four times over: a loop longer than a memory of four pages. LRU and FIFO never hit;
    /// the optimum misses the first five requests and then every fourth: 12 hits of 20.
    @Test func tellsTheHitRatiosOfALoop() async throws {
        let trace = try write("loop.u64", Self.bytes((0..<4).flatMap { _ in UInt64(0)..<5 }))
        let (code, output, errors) = try await bench([trace, "--sizes", "80,100", "--json"])
        try #require(code == 0, "\(errors)")
        let report = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
        let results = try #require(report?["results"] as? [[String: Any]])
        try #require(results.count == 2)
        let ratios = try #require(results[0]["hit_ratios"] as? [String: Double])
        #expect(ratios.count == 6)
        #expect(ratios["lru"] == 0 && ratios["fifo"] == 0)
        #expect(results[0]["pages"] as? Int == 4)
        #expect(results[0]["optimum"] as? Double == 0.6)
        // All fits: every policy misses each page once.
        let whole = try #require(results[1]["hit_ratios"] as? [String: Double])
        #expect(whole.values.allSatisfy { $0 == 0.75 })
    }

    @Test func unpacksTracesOfXZ() async throws {
        let plain = try write("packed.u64", Self.bytes((0..<3000).map { $0 * $0 % 101 }))
        let packed = plain + ".xz"
        #expect(try await run("/usr/bin/env", ["xz", "-k", plain]).code == 0)
        let expected = try await bench([plain, "--sizes", "10"])
        let unpacked = try await bench([packed, "--sizes", "10"])
        #expect(unpacked.code == 0, "\(unpacked.errors)")
        #expect(unpacked.output == expected.output && expected.output.contains("packed"))
    }

    /// Two documents of five tokens and one, worked out by hand: three requests for each token; the
    /// second document asks again for the three rows with which the first starts.
    @Test func asksForTheNGramsOfAText() async throws {
        let text = "1,\"Say \"\"a,\",\"b\"\n2,SAY,\n"
        let trace = try write("text.csv", Data(text.utf8))
        #expect(try await run("/usr/bin/env", ["gzip", trace]).code == 0)
        let (code, output, errors) = try await bench([trace + ".gz", "--sizes", "100", "--json"])
        try #require(code == 0, "\(errors)")
        let report = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
        let result = try #require((report?["results"] as? [[String: Any]])?.first)
        // say, a quote, a, a comma, b; and say.
        #expect(result["requests"] as? Int == 18)
        #expect(result["keys"] as? Int == 15)
        #expect(result["optimum"] as? Double == 3.0 / 18)
    }

    @Test func saysWhatIsWrongWithATrace() async throws {
        let torn = try write("torn.u64", Data([1, 2, 3]))
        let unpackable = try write("noise.u64.xz", Data([1, 2, 3, 4, 5, 6, 7, 8]))
        let cases: [(arguments: [String], sentence: String)] = [
            ([torn], "ends within a key"), ([unpackable], "xz could not unpack"),
            ([folder + "/none.u64"], "cannot be read"), ([folder], "is no trace"),
        ]
        for (arguments, sentence) in cases {
            let (code, output, errors) = try await bench(arguments)
            #expect(code == 1 && output.isEmpty && errors.contains(sentence), "\(errors)")
        }
        let none = try await bench([], environment: ["LOCI_DATA": folder])
        #expect(none.code == 1 && none.errors.contains("There are no traces in"))
        let withoutXZ = try await bench([unpackable], environment: ["PATH": folder])
        #expect(withoutXZ.code == 1 && withoutXZ.errors.contains("there is no program xz"))
        #expect(try await bench(["--sizes", "0,10"]).code == 2)
    }

    private static func bytes(_ keys: [UInt64]) -> Data {
        keys.reduce(into: Data()) { data, key in
            withUnsafeBytes(of: key.littleEndian) { data.append(contentsOf: $0) }
        }
    }

    private func write(_ name: String, _ data: Data) throws -> String {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try data.write(to: URL(filePath: "\(folder)/\(name)"))
        return "\(folder)/\(name)"
    }

    private func bench(
        _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (code: Int32?, output: String, errors: String) {
        try await run(Programs.path("loci"), ["bench", "policies"] + arguments, environment)
    }

    private func run(
        _ program: String, _ arguments: [String], _ environment: [String: String] = [:]
    ) async throws -> (code: Int32?, output: String, errors: String) {
        let name = "\(folder)/\(UUID().uuidString)"
        let child = try ChildProcess(
            program, arguments, environment: environment, output: "\(name).out",
            errors: "\(name).err")
        let code = try await child.wait(.seconds(20))
        return (
            code, try String(contentsOfFile: "\(name).out", encoding: .utf8),
            try String(contentsOfFile: "\(name).err", encoding: .utf8)
        )
    }
}
