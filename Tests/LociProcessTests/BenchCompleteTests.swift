import Foundation
import LociBase
import LociClient
import Testing

extension ProcessTests {
    private struct CompletionLine: Decodable {
        let noise: Double
        let queries: Int
        let restored: Int
        let restoredByExactSoftmax: Int
        let largestDifference: Double
    }

    @Test("restores noisy patterns as the exact softmax over all points does")
    func benchComplete() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let arguments = [
            "bench", "complete", "patterns", "--count", "500", "--flips", "--noise", "10,50",
            "--queries", "10", "--probes", "100000", "--json",
        ]
        let ended = try await cluster.run(arguments + ["--within", "1e-5"])
        #expect(ended.code == 0, "\(ended.errors)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let lines = try decoder.decode([CompletionLine].self, from: Data(ended.output.utf8))
        #expect(lines.map(\.noise) == [10, 50] && lines.allSatisfy { $0.queries == 10 })
        try #require(lines.count == 2)
        // Of half the signs turned over nothing is left to go by.
        #expect(lines[0].restored == 10 && lines[1].restored < 5)
        for line in lines {
            #expect(line.restored == line.restoredByExactSoftmax)
            #expect(line.largestDifference <= 1e-5)
        }
        // It leaves nothing behind, and says when something is farther off than allowed.
        #expect(try await cluster.client().describe().collection(named: "patterns") == nil)
        let strict = try await cluster.run(arguments + ["--within", "0"])
        let isExact = lines.allSatisfy { $0.largestDifference == 0 }
        #expect(strict.code == (isExact ? 0 : 1))
        let unknown = try await cluster.run(
            ["bench", "complete", "nothing", "--patterns", "/dev/null"])
        #expect(unknown.code == 1 && unknown.errors.contains("no collection 'nothing'"))
    }
}
