import Foundation
import LociBase
import LociClient
import Testing

extension ProcessTests {
    @Test("finds under filters, restores, explains and tunes; the tuning outlives the coordinator")
    func content() async throws {
        let data = Clustered(rows: 3000)
        let cluster = try await LocalCluster.running(shards: 2)
        try data.vectorFile.write(to: URL(filePath: "\(cluster.folder)/points.fvecs"))
        try cluster.write(data.payloads, to: "points.jsonl")
        let file = "\(cluster.folder)/points.fvecs"
        let payloads = "\(cluster.folder)/points.jsonl"
        func loci(_ arguments: String...) async throws -> Ended {
            let ended = try await Ended(
                cluster.startLoci(arguments), errors: "\(cluster.folder)/loci.err",
                output: "\(cluster.folder)/loci.out")
            #expect(ended.code == 0, "\(arguments): \(ended.errors)")
            return ended
        }
        _ = try await loci(
            "collection", "create", "points", "--dimension", "\(Clustered.dimension)", "--metric",
            "l2", "--codes", "4bit", "--index", "topic")
        _ = try await loci("import", "points", file, "--payloads", payloads)

        let client = try cluster.client()
        try await checkFilters(data, client)
        try await checkCompletion(data, client)
        let own = data.vector(7).map { "\($0)" }.joined(separator: ",")
        let exact = try await loci(
            "query", "points", "--vector", own, "--exact", "-k", "1", "--json")
        #expect(exact.output.contains("\"id\" : 7"), "\(exact.output)")
        #expect(exact.output.contains("3000"), "every point was compared: \(exact.output)")

        // What is missing comes back; what is there stays as it is.
        _ = try await client.delete("points", ids: [0, 1700, 2999])
        let resumed = try await loci("import", "points", file, "--payloads", payloads, "--resume")
        #expect(resumed.output.contains("Imported 3 rows"), "\(resumed.output)")
        #expect(try await client.count("points").count == 3000)

        let tuned = try await loci(
            "tune", "points", "--recall", "0.9", "--sample", "100", "--json")
        #expect(tuned.output.contains("\"stored\" : true"), "\(tuned.output)")
        let report = try await client.collectionReport("points")
        let setting = try #require(report.tuning.first)
        #expect(setting.recall == 0.9 && report.tuning.count == 1)
        #expect(report.points == 3000 && report.shards == 2 && report.locations > 10)
        #expect(report.postingLengths.reduce(0, +) == report.locations)
        #expect(report.rows >= 3000 && report.codeBytes > 0 && report.vectorBytes > 0)
        cluster.kill("coordinator")
        try cluster.start("coordinator")
        try await cluster.waitUntilReady()
        #expect(try await client.collectionReport("points").tuning == [setting])
        let info = try await loci("collection", "info", "points")
        #expect(info.output.contains("0.900"), "\(info.output)")
    }

    private func checkFilters(_ data: Clustered, _ client: LociClient) async throws {
        let filter = "topic = \"b\" and year >= 2010"
        var hits = 0
        for row in [5, 700, 2222] {
            let query = data.vector(row).map { $0 + 0.01 }
            let true10 = data.nearest(to: query, 10) { $0 % 3 == 1 && $0 % 20 >= 10 }
            let exact = try await client.query(
                "points", vector: query, isExact: true, filter: filter)
            #expect(exact.matches.map(\.id) == true10)
            let near = try await client.query(
                "points", vector: query, filter: filter, recall: 0.99)
            #expect(near.matches.count == 10 && !near.isExhausted)
            #expect(near.matches.allSatisfy { $0.id % 3 == 1 && $0.id % 20 >= 10 })
            #expect(near.receipt.codesScanned > 0)
            hits += Set(near.matches.map(\.id)).intersection(true10).count
        }
        #expect(hits >= 27, "of 30")
        // Six points, far apart.
        let rare = try await client.query(
            "points", vector: data.vector(1), k: 10, filter: "rare = true")
        #expect(rare.matches.count == 6 && rare.isExhausted)
        #expect(rare.matches.allSatisfy { $0.id % 500 == 0 })
        await #expect(throws: LociError.self) {
            try await client.query("points", vector: data.vector(1), filter: "year >=")
        }
    }

    private func checkCompletion(_ data: Clustered, _ client: LociClient) async throws {
        for row in [9, 1234] {
            let noisy = data.vector(row).enumerated().map { $1 + ($0 % 2 == 0 ? 0.02 : -0.02) }
            let restored = try await client.complete("points", vector: noisy, steps: 20)
            #expect(restored.hasConverged && !restored.isDegraded)
            #expect(data.nearest(to: restored.vector, 1) { _ in true } == [PointID(row)])
            let before = data.distance(noisy, row)
            #expect(data.distance(restored.vector, row) < before / 2)
            let far = try await client.complete(
                "points", vector: noisy.map { $0 + 0.5 }, steps: 20)
            #expect(far.familiarity < restored.familiarity && restored.familiarity <= 1)
        }
    }
}

/// Points around some centres, with payloads that follow from their numbers.
private struct Clustered {
    static let dimension = 16
    let rows: [[Float]]

    init(rows count: Int) {
        var random = SeededRandom(seed: 11)
        let centres = (0..<12).map { _ in
            (0..<Self.dimension).map { _ in Float(random.unit()) * 4 }
        }
        rows = (0..<count).map { row in
            centres[row % 12].map { $0 + Float(random.unit() - 0.5) }
        }
    }

    func vector(_ row: Int) -> [Float] { rows[row] }

    func distance(_ vector: [Float], _ row: Int) -> Float {
        zip(vector, rows[row]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }

    func nearest(to vector: [Float], _ k: Int, where passes: (Int) -> Bool) -> [PointID] {
        let sorted = rows.indices.filter(passes).map { (distance(vector, $0), $0) }.sorted {
            $0 < $1
        }
        return sorted.prefix(k).map { PointID($0.1) }
    }

    var vectorFile: Data {
        var data = Data()
        for row in rows {
            withUnsafeBytes(of: Int32(row.count)) { data.append(contentsOf: $0) }
            row.withUnsafeBytes { data.append(contentsOf: $0) }
        }
        return data
    }

    var payloads: String {
        rows.indices.map { row in
            let topic = ["a", "b", "c"][row % 3]
            return
                "{\"topic\":\"\(topic)\",\"year\":\(2000 + row % 20),\"rare\":\(row % 500 == 0)}\n"
        }.joined()
    }
}
