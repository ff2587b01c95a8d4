import Foundation
import LociBase
import LociClient
import Testing

extension ProcessTests {
    /// What row `index` holds: every row is different.
    private static func row(_ index: UInt64, bytes: Int) -> [UInt8] {
        var random = SeededRandom(seed: index &+ 1)
        var row: [UInt8] = []
        while row.count < bytes {
            withUnsafeBytes(of: random.next()) { row.append(contentsOf: $0) }
        }
        return Array(row.prefix(bytes))
    }

    @Test("gives back scattered rows byte for byte, also after a kill -9 of all its processes")
    func rowsSurvive() async throws {
        let rows = Programs.size("LOCI_PROCESS_ROWS", default: 20_000)
        let rowBytes = 264
        let cluster = try await LocalCluster.running()
        let client = try cluster.client()
        // Every fourth cell stays unwritten.
        try await client.createField(
            "rows", elementType: .raw, shape: [UInt64(rows) / 3 * 4 + 8, UInt64(rowBytes)])
        let cells = (0..<UInt64(rows)).map { $0 / 3 * 4 + $0 % 3 }
        for start in stride(from: 0, to: rows, by: 20_000) {
            let part = cells[start..<min(start + 20_000, rows)]
            let bytes = Bytes(part.flatMap { Self.row($0, bytes: rowBytes) })
            let outcome = try await client.write("rows", cells: Array(part), bytes: bytes)
            #expect(outcome.count == UInt64(part.count))
        }
        try await checkRows(client, count: rows, rowBytes: rowBytes, seed: 1)
        cluster.killAll()
        try cluster.startAll()
        try await cluster.waitUntilReady()
        try await checkRows(client, count: rows, rowBytes: rowBytes, seed: 2)
    }

    private func checkRows(
        _ client: LociClient, count: Int, rowBytes: Int, seed: UInt64
    ) async throws {
        var random = SeededRandom(seed: seed)
        let end = count / 3 * 4
        for _ in 0..<4 {
            var asked = (0..<5000).map { _ in UInt64(random.below(end)) }
            asked += asked.prefix(1000).reversed()
            let answer = try await client.read("rows", cells: asked)
            #expect(answer.receipt.isComplete)
            var wrong: [UInt64] = []
            for (index, cell) in asked.enumerated() {
                let expected =
                    cell % 4 == 3 ? Bytes(zeros: rowBytes) : Bytes(Self.row(cell, bytes: rowBytes))
                if answer[index] != expected { wrong.append(cell) }
            }
            #expect(wrong.prefix(5).isEmpty)
        }
    }

    @Test("holds a field of 1 PiB in a few MiB of disk, and its cells survive a kill -9")
    func hugeField() async throws {
        let cluster = try await LocalCluster.running()
        let client = try cluster.client()
        let cellBytes: UInt64 = 4096
        let cellCount = (UInt64(1) << 50) / cellBytes
        let before = cluster.diskBytes
        let start = ContinuousClock.now
        try await client.createField("huge", elementType: .raw, shape: [cellCount, cellBytes])
        let opening = ContinuousClock.now - start
        #expect(opening < .seconds(2))
        let creation = cluster.diskBytes - before
        #expect(creation < 1 << 20)

        var random = SeededRandom(seed: 8)
        var cells: [CellIndex] = [0, 1, cellCount - 2, cellCount - 1]
        // LOCI_PROCESS_CELLS=10000 takes half a minute.
        let count = Int(ProcessInfo.processInfo.environment["LOCI_PROCESS_CELLS"] ?? "") ?? 100
        cells += (0..<count).map { _ in random.next() % cellCount }
        let bytes = Bytes(cells.flatMap { Self.row($0, bytes: Int(cellBytes)) })
        _ = try await client.write("huge", cells: cells, bytes: bytes)
        cluster.killAll()
        try cluster.startAll()
        try await cluster.waitUntilReady()
        let answer = try await client.read("huge", cells: cells + [cellCount / 2])
        #expect(answer.bytes.slice(0..<bytes.count) == bytes)
        #expect(answer[cells.count] == Bytes(zeros: Int(cellBytes)))
        // For each cell a page, a block of checksums and a footer, and what the log has of it.
        #expect(cluster.diskBytes < 16 << 20 + count * (48 << 10))
        print(
            "1 PiB: created in \(opening) with \(creation) bytes of disk; "
                + "\(cluster.diskBytes) bytes with \(cells.count) cells")
    }
}

extension LocalCluster {
    /// Bytes that the data folder takes on the disk, as `du` counts them.
    var diskBytes: Int {
        let files = FileManager.default.enumerator(atPath: "\(folder)/data")
        return (files?.compactMap { $0 as? String } ?? []).reduce(0) { sum, name in
            var information = stat()
            lstat("\(folder)/data/\(name)", &information)
            return sum + Int(information.st_blocks) * 512
        }
    }
}
