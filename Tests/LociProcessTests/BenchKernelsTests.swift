import Foundation
import Testing

/// `loci bench kernels`; it needs no cluster.
@Suite struct BenchKernelsTests {
    @Test func tellsRatiosThatFitTheTimes() async throws {
        let (code, output, errors) = try await bench(["--size", "64", "--rounds", "3", "--json"])
        try #require(code == 0, "\(errors)")
        let report = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
        let products = try #require(report?["products"] as? [[String: Any]])
        let names = ["fp32", "int8", "w1x1", "w2x2", "w1x8", "w2x4", "w4x4", "w4x8"]
        #expect(products.map { $0["kernel"] as? String } == names)
        let times = products.compactMap { $0["microseconds"] as? Double }
        let ratios = products.compactMap { $0["times_fp32"] as? Double }
        try #require(times.count == names.count && ratios.count == names.count)
        for (time, ratio) in zip(times, ratios) {
            #expect(time > 0 && abs(times[0] / time / ratio - 1) < 1e-6)
        }
        let scans = try #require(report?["scans"] as? [[String: Any]])
        #expect(scans.count == 6)
        #expect(scans.allSatisfy { ($0["sign_nanoseconds_per_row"] as? Double ?? 0) > 0 })
        // The same seed computes the same, whatever the time.
        let again = try await bench(["--size", "64", "--rounds", "3", "--json"])
        let other = try JSONSerialization.jsonObject(with: Data(again.output.utf8))
        let hash = report?["result_hash"] as? String
        #expect(hash != nil && (other as? [String: Any])?["result_hash"] as? String == hash)
    }

    @Test func saysWhatItCannotMeasure() async throws {
        for arguments in [["--size", "63"], ["--rounds", "0"]] {
            let (code, _, errors) = try await bench(arguments)
            #expect(code == 2 && errors.contains(arguments[0]), "\(errors)")
        }
    }

    private func bench(
        _ arguments: [String]
    ) async throws -> (code: Int32?, output: String, errors: String) {
        let name = NSTemporaryDirectory() + "loci-kernels-\(UUID().uuidString)"
        defer {
            for end in ["out", "err"] {
                try? FileManager.default.removeItem(atPath: "\(name).\(end)")
            }
        }
        let child = try ChildProcess(
            Programs.path("loci"), ["bench", "kernels"] + arguments, output: "\(name).out",
            errors: "\(name).err")
        let code = try await child.wait(.seconds(20))
        return (
            code, try String(contentsOfFile: "\(name).out", encoding: .utf8),
            try String(contentsOfFile: "\(name).err", encoding: .utf8)
        )
    }
}
