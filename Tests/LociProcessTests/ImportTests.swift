import Foundation
import LociBase
import LociClient
import Testing

extension ProcessTests {
    @Test("continues an import that was killed midway, and no point appears twice or is missing")
    func interruptedImport() async throws {
        let rows = 12_000
        let dimension = 16
        let cluster = try await LocalCluster.running()
        let client = try cluster.client()
        try await client.createCollection("points", dimension: dimension, metric: .l2)
        let path = "\(cluster.folder)/points.fvecs"
        try Self.vectorFile(rows: rows, dimension: dimension).write(to: URL(filePath: path))
        let arguments = ["import", "points", path, "--batch", "64"]
        for part in 0...2 {
            let program = try cluster.startLoci(arguments)
            // The first time as soon as anything is stored, with batches on their way.
            try await Self.wait(for: max(1, rows * part / 4), client, while: program)
            program.end(SIGKILL)
            let count = try await client.count("points").count
            #expect(count > 0 && count < UInt64(rows), "the import was over before it was killed")
        }
        let ended = try await cluster.loci("import", "points", path, "--batch", "64")
        #expect(ended.code == 0, "\(ended.errors)")
        #expect(ended.errors.contains("Resuming at row"), "\(ended.errors)")
        #expect(try await client.count("points").count == UInt64(rows))
        var random = SeededRandom(seed: 7)
        let ids = (0..<500).map { _ in PointID(random.below(rows)) }
        let answer = try await client.retrieve("points", ids: ids, withVector: true)
        #expect(answer.points.map(\.id) == ids)
        #expect(answer.points.allSatisfy { $0.vector == Self.vector($0.id, dimension) })

        // A collection of the same name that was made anew has none of the rows.
        let program = try cluster.startLoci(arguments + ["--restart"])
        try await Task.sleep(for: .milliseconds(700))
        program.end(SIGKILL)
        try await client.dropCollection("points")
        try await client.createCollection("points", dimension: dimension, metric: .l2)
        let anew = try await cluster.loci("import", "points", path)
        #expect(anew.code == 0, "\(anew.errors)")
        #expect(try await client.count("points").count == UInt64(rows))
    }

    @Test("an import with a rate takes its time, and all rows come")
    func pacedImport() async throws {
        let cluster = try await LocalCluster.running()
        let client = try cluster.client()
        try await client.createCollection("points", dimension: 16, metric: .l2)
        let path = "\(cluster.folder)/points.fvecs"
        try Self.vectorFile(rows: 600, dimension: 16).write(to: URL(filePath: path))
        let start = ContinuousClock.now
        let ended = try await cluster.loci("import", "points", path, "--rate", "400")
        #expect(ended.code == 0, "\(ended.errors)")
        // The last of its batches of 20 rows is sent after 1.45 s.
        #expect(ContinuousClock.now - start > .milliseconds(1400))
        #expect(try await client.count("points").count == 600)
        let refused = try await cluster.loci("import", "points", path, "--rate", "0")
        #expect(refused.code == 2 && refused.errors.contains("--rate must be"))
    }

    private static func vector(_ row: UInt64, _ dimension: Int) -> [Float] {
        var random = SeededRandom(seed: row)
        return (0..<dimension).map { _ in Float(random.unit()) }
    }

    private static func vectorFile(rows: Int, dimension: Int) -> Data {
        var data = Data()
        for row in 0..<UInt64(rows) {
            withUnsafeBytes(of: Int32(dimension)) { data.append(contentsOf: $0) }
            vector(row, dimension).withUnsafeBytes { data.append(contentsOf: $0) }
        }
        return data
    }

    private static func wait(
        for count: Int, _ client: LociClient, while program: ChildProcess
    ) async throws {
        while program.isRunning, try await client.count("points").count < UInt64(count) {
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
