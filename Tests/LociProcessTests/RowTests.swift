import Foundation
import LociBase
import LociClient
import Testing

/// The row service: rows over all shards, one of which may be missing.
extension ProcessTests {
    private static let rowBytes = 264
    private static let shards = 4
    /// Cells that a stripe of 4 MiB holds, in pages of 16 KiB; stripes go to the shards in turns.
    private static let cellsPerStripe: UInt64 = 62 * 256

    /// Every row is different.
    private static func row(_ cell: CellIndex) -> Bytes {
        Bytes(values: (0..<33).map { mix64(cell << 8 | $0) })
    }

    private static func shard(of cell: CellIndex) -> UInt64 {
        cell / cellsPerStripe % UInt64(shards)
    }

    /// A field whose rows are spread over more than a stripe of each shard.
    private static func writeRows(
        _ client: LociClient
    ) async throws -> (cells: [CellIndex], end: CellIndex) {
        let count = Programs.size("LOCI_PROCESS_ROWS", default: 20_000)
        let step = max(1, Int(cellsPerStripe) * 5 / count)
        let end = UInt64(count * step + 1)
        try await client.createField("rows", elementType: .raw, shape: [end, UInt64(rowBytes)])
        let cells = (0..<UInt64(count)).map { $0 * UInt64(step) }
        for start in stride(from: 0, to: count, by: 20_000) {
            let part = Array(cells[start..<min(start + 20_000, count)])
            _ = try await client.write("rows", cells: part, bytes: .joined(part.map(row)))
        }
        return (cells, end)
    }

    private static func identity(_ client: LociClient) async throws -> UInt64 {
        let cluster = try await client.status().clusterID
        return try #require(try await client.describe().field(named: "rows"))
            .identity(in: cluster)
    }

    private static func read(
        _ cells: [CellIndex], _ connection: Connection, partial: Bool = false,
        identity: UInt64 = 0
    ) throws -> Message {
        let body = ReadCells(
            field: "rows", count: UInt64(cells.count), isScattered: true, identity: identity,
            withTiers: true, allowsPartial: partial)
        return try connection.call(
            .readCells(body), bulk: [Bytes(values: cells)], deadline: .seconds(10))
    }

    /// Positions whose bytes are not those of their row.
    private static func wrong(_ cells: [CellIndex], _ message: Message) -> [Int] {
        cells.indices.filter { position in
            let bytes = message.bulk[0].slice((position * rowBytes)..<((position + 1) * rowBytes))
            return bytes != row(cells[position])
        }
    }

    private static func sample(
        _ cells: [CellIndex], _ random: inout SeededRandom
    ) -> [CellIndex] {
        let some = (0..<3000).map { _ in cells[random.below(cells.count)] }
        return some + some.prefix(700).reversed()
    }

    /// All cells in one call. A stripe of 4 MiB is several requests of 1 MiB, all of which the
    /// shard that is down would have to answer.
    private static func readWhole(_ cluster: LocalCluster, end: CellIndex) async throws {
        let lost = (0..<end).filter { shard(of: $0) == 2 }.map { Int($0) }
        #expect(lost.count * rowBytes > 4_000_000)
        let options = ReadOptions(allowsPartial: true)
        for routing in [Routing.coordinator, .direct] {
            let client = try LociClient(
                coordinator: cluster.endpoints[0], deadline: .seconds(10), routing: routing)
            let read = try await client.read("rows", range: 0..<end, options: options)
            #expect(read.count == Int(end) && read.missing == lost)
            #expect(!read.receipt.isComplete)
            let isBlank = lost.allSatisfy { read[$0] == Bytes(repeating: 0xFF, count: rowBytes) }
            #expect(isBlank)
            #expect(read[Int(2 * cellsPerStripe) - 1] != Bytes(repeating: 0xFF, count: rowBytes))
            // Nothing of a whole call is a failure, also where it is several requests.
            let stripe = (2 * cellsPerStripe)..<(3 * cellsPerStripe)
            let error = await #expect(throws: LociError.self) {
                try await client.read("rows", range: stripe, options: options)
            }
            #expect(error?.code == .unavailable)
        }
        // The command reads windows of 16 MiB, of which the last lies on that shard alone.
        let window = (16 << 20) / rowBytes
        let gone = (0..<100).map { 2 * cellsPerStripe + UInt64($0) }
        let some = (0..<window).map { UInt64($0 % 1000) } + gone
        let none = (0..<(window / 100 + 2)).flatMap { _ in gone }
        for (ids, code) in [(some, 3), (none, 1)] as [([CellIndex], Int32)] {
            let path = "\(cluster.folder)/ids.u64"
            try Data(Bytes(values: ids).array).write(to: URL(filePath: path))
            let ended = try await cluster.run([
                "read", "rows", "--cells", "@\(path)", "--out", "\(cluster.folder)/rows.bin",
                "--partial", "--deadline", "10s",
            ])
            #expect(ended.code == code, "\(ended.errors)")
            #expect(ended.errors.contains(code == 3 ? "100 cells missing" : "UNAVAILABLE"))
        }
    }

    @Test("names just the rows of a killed shard, and gives all back once it is there again")
    func aShardIsMissing() async throws {
        let cluster = try await LocalCluster.running(shards: Self.shards)
        let client = try cluster.client()
        let (cells, end) = try await Self.writeRows(client)
        let connection = try Connection(coordinator: cluster.endpoints[0])
        let identity = try await Self.identity(client)
        var random = SeededRandom(seed: 6)
        for _ in 0..<4 {
            let asked = Self.sample(cells, &random)
            #expect(Self.wrong(asked, try Self.read(asked, connection, identity: identity)) == [])
        }

        cluster.kill("shard-2")
        let asked = Self.sample(cells, &random)
        let lost = asked.indices.filter { Self.shard(of: asked[$0]) == 2 }
        #expect(lost.count > 300)
        let partial = try Self.read(asked, connection, partial: true, identity: identity)
        guard case .cells(let answer) = partial.body, partial.bulk.count == 4 else {
            Issue.record("\(partial.body)")
            return
        }
        #expect(partial.bulk[3].values(UInt32.self).map { Int($0) } == lost)
        #expect(Self.wrong(asked, partial) == lost)
        #expect(!answer.receipt.isComplete && answer.receipt.shardsAnswered == 3)
        let nothing = Bytes(repeating: 0xFF, count: Self.rowBytes)
        for position in lost {
            let start = position * Self.rowBytes
            #expect(partial.bulk[0].slice(start..<(start + Self.rowBytes)) == nothing)
            #expect(partial.bulk[2][position] == 0)
        }
        try await Self.readWhole(cluster, end: end)
        let kept = asked.filter { Self.shard(of: $0) != 2 }
        #expect(Self.wrong(kept, try Self.read(kept, connection)) == [])
        do {
            _ = try Self.read(asked, connection)
            Issue.record("an answer without a shard passed for whole")
        } catch let error as LociError {
            #expect(error.code == .unavailable, "\(error)")
        }

        try cluster.start("shard-2")
        try await cluster.waitUntilReady()
        for _ in 0..<4 {
            let asked = Self.sample(cells, &random)
            let cold = try Self.read(asked, connection, identity: identity)
            #expect(Self.wrong(asked, cold) == [])
            // By now all of their pages are in memory.
            let warm = try Self.read(asked, connection, identity: identity)
            #expect(Self.wrong(asked, warm) == [])
            #expect(warm.bulk[2] == Bytes(repeating: Tier.dram.rawValue + 1, count: asked.count))
        }
    }

    @Test("refuses reads that mean another field, or the same name's predecessor")
    func anotherFieldIsMeant() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        try await client.createField("rows", elementType: .raw, shape: [100, 264])
        let connection = try Connection(coordinator: cluster.endpoints[0])
        let identity = try await Self.identity(client)
        #expect(try Self.read([1], connection, identity: identity).bulk[0] == Bytes(zeros: 264))
        func refusal(_ identity: UInt64) -> ErrorCode? {
            do {
                _ = try Self.read([1], connection, identity: identity)
                return nil
            } catch {
                return (error as? LociError)?.code
            }
        }
        #expect(refusal(identity &+ 1) == .failedPrecondition)
        try await client.dropField("rows")
        #expect(refusal(identity) == .notFound)
        try await client.createField("rows", elementType: .raw, shape: [100, 264])
        #expect(refusal(identity) == .failedPrecondition)
        #expect(refusal(try await Self.identity(client)) == nil)
    }
}
