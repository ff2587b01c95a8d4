import Foundation
import LociBase
import LociClient
import Testing

extension ProcessTests {
    private static let rowBytes = 264

    private static func row(_ cell: UInt64, salt: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: cell &* 31 &+ salt)
        let words = (0..<(rowBytes / 8)).map { _ in random.next() }
        return Bytes(values: words).array
    }

    /// Rows that lie on all shards: stripes of 4 MiB go round-robin over the partitions.
    private static func cells(_ count: Int, of total: UInt64, seed: UInt64) -> [UInt64] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in random.next() % total }
    }

    private static func fill(
        _ client: LociClient, _ cells: [UInt64], salt: UInt64
    ) async throws {
        let bytes = Bytes(cells.flatMap { row($0, salt: salt) })
        _ = try await client.write("rows", cells: cells, bytes: bytes)
    }

    private static func isRight(_ answer: Cells, _ cells: [UInt64], salt: UInt64) -> Bool {
        answer.bytes == Bytes(cells.flatMap { row($0, salt: salt) })
    }

    /// A client that has learned its way to the shards of these cells.
    private static func direct(
        _ cluster: LocalCluster, _ cells: [UInt64], deadline: Duration
    ) async throws -> LociClient {
        let client = try LociClient(
            coordinator: cluster.endpoints[0], deadline: deadline, routing: .direct)
        let end = ContinuousClock.now + .seconds(10)
        while try await client.read("rows", cells: cells).receipt.coordinatorMicroseconds > 0 {
            guard ContinuousClock.now < end else {
                throw LocalCluster.NotReady(description: "Reads never went to the shards.")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        return client
    }

    @Test("answers clients that ask its shards directly as its coordinator does, also after a kill")
    func directReads() async throws {
        let cluster = try await LocalCluster.running(shards: 3)
        let total: UInt64 = 100_000
        let client = try cluster.client()
        try await client.createField("rows", elementType: .raw, shape: [total, 264])
        let written = Self.cells(2000, of: total, seed: 1)
        try await Self.fill(client, written, salt: 1)
        let direct = try await Self.direct(cluster, written, deadline: .seconds(8))
        let identity = try await direct.open("rows").identity
        let asked = (0..<20).map {
            Self.cells(48, of: 2000, seed: 10 + $0).map { written[Int($0)] }
        }
        for cells in asked {
            let answer = try await direct.read(
                "rows", cells: cells, options: ReadOptions(identity: identity, withTiers: true))
            #expect(Self.isRight(answer, cells, salt: 1))
            #expect(answer.tiers.allSatisfy { $0 != nil })
            // Nobody but the shards has counted: no coordinator was asked.
            #expect(answer.receipt.coordinatorMicroseconds == 0)
            let other = try await client.read("rows", cells: cells)
            #expect(other.bytes == answer.bytes)
            #expect(other.receipt.coordinatorMicroseconds > 0)
        }

        cluster.kill("shard-1")
        try cluster.start("shard-1")
        var isDirectAgain = false
        for round in 0..<400 where !isDirectAgain {
            let cells = asked[round % asked.count]
            guard let answer = try? await direct.read("rows", cells: cells) else { continue }
            #expect(Self.isRight(answer, cells, salt: 1))
            isDirectAgain = answer.receipt.coordinatorMicroseconds == 0 && round > 0
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(isDirectAgain)
    }

    @Test("names the rows of a dead shard to who allows it, and gives no others up")
    func directPartial() async throws {
        let cluster = try await LocalCluster.running(shards: 3)
        let total: UInt64 = 100_000
        let client = try cluster.client(deadline: .seconds(3))
        try await client.createField("rows", elementType: .raw, shape: [total, 264])
        let cells = Self.cells(200, of: total, seed: 3)
        try await Self.fill(client, cells, salt: 1)
        let field = try #require(try await client.describe().field(named: "rows"))
        let direct = try await Self.direct(cluster, cells, deadline: .seconds(3))
        cluster.kill("shard-2")
        let geometry = FieldGeometry(field, partitions: 3)
        let missing = cells.indices.filter { geometry.partition(of: cells[$0]) % 3 == 2 }
        #expect(!missing.isEmpty)
        let cold = try LociClient(
            coordinator: cluster.endpoints[0], deadline: .seconds(3), routing: .direct)
        for asking in [client, direct, cold] {
            let answer = try await asking.read(
                "rows", cells: cells, options: ReadOptions(allowsPartial: true))
            #expect(answer.missing == missing)
            let gone = Set(missing)
            for (position, cell) in cells.enumerated() where !gone.contains(position) {
                #expect(answer[position] == Bytes(Self.row(cell, salt: 1)))
            }
            await #expect(throws: LociError.self) {
                try await asking.read("rows", cells: cells)
            }
        }
        let list = cells.prefix(40).map(String.init).joined(separator: ",")
        let command = [
            "read", "rows", "--cells", list, "--deadline", "3s", "--partial", "--json", "--direct",
        ]
        let ended = try await cluster.run(command)
        #expect(ended.code == 3, "\(ended.errors)")
        struct Report: Decodable { let missing: [UInt64] }
        let report = try JSONDecoder().decode(Report.self, from: Data(ended.output.utf8))
        #expect(report.missing == missing.filter { $0 < 40 }.map { cells[$0] })
        let strict = try await cluster.run(command.filter { $0 != "--partial" })
        #expect(strict.code == 1, "\(strict.errors)")
    }

    @Test("refuses a field that took another's name to who means the other, whichever way is asked")
    func identities() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        try await client.createField("rows", elementType: .raw, shape: [1000, 264])
        let cells = Self.cells(48, of: 1000, seed: 5)
        try await Self.fill(client, cells, salt: 1)
        let direct = try await Self.direct(cluster, cells, deadline: .seconds(10))
        let old = try await direct.open("rows")
        #expect(Self.isRight(try await old.read(cells: cells), cells, salt: 1))
        try await client.dropField("rows")
        try await client.createField("rows", elementType: .raw, shape: [1000, 264])
        try await Self.fill(client, cells, salt: 2)
        for _ in 0..<3 {
            let error = await #expect(throws: LociError.self) { try await old.read(cells: cells) }
            #expect(error?.code == .failedPrecondition)
        }
        #expect(Self.isRight(try await direct.read("rows", cells: cells), cells, salt: 2))
        let digits = String(old.identity, radix: 16)
        for way in [[], ["--direct"]] {
            let ended = try await cluster.run(["read", "rows", "5", "--identity", digits] + way)
            #expect(ended.code == 1 && ended.errors.contains("FAILED_PRECONDITION"))
        }
        let misspelt = try await cluster.loci("read", "rows", "5", "--identity", "xyz")
        #expect(misspelt.code == 2 && misspelt.errors.contains("hexadecimal"))
    }

    @Test("takes prefetches and releases from the command line, and tells how they stand")
    func prefetchCommands() async throws {
        let cluster = try await LocalCluster.running(shards: 2)
        let client = try cluster.client()
        try await client.createField("rows", elementType: .raw, shape: [100_000, 264])
        let cells = Self.cells(100, of: 100_000, seed: 7)
        try await Self.fill(client, cells, salt: 1)
        try Data(Bytes(values: cells).array).write(to: URL(filePath: "\(cluster.folder)/ids.u64"))
        struct Report: Decodable {
            let ticket: String
            let isDone: Bool
            let pages: UInt64
        }
        func report(_ ended: Ended) throws -> Report {
            #expect(ended.code == 0, "\(ended.errors)")
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Report.self, from: Data(ended.output.utf8))
        }
        let ids = "@\(cluster.folder)/ids.u64"
        for way in [[], ["--direct"]] {
            let begun = try report(
                try await cluster.run(
                    ["prefetch", "rows", "--cells", ids, "--deadline", "20s", "--json"] + way))
            #expect(begun.pages > 0 && begun.ticket.count == 16)
            let done = try report(
                try await cluster.loci("prefetch", "--ticket", begun.ticket, "--wait", "--json"))
            #expect(done.isDone && done.pages == begun.pages)
            let cancelled = try await cluster.loci("prefetch", "--cancel", begun.ticket, "--json")
            #expect(cancelled.code == 0 || cancelled.errors.contains("NOT_FOUND"))
            let read = try await cluster.run(["read", "rows", "--cells", ids, "--json"] + way)
            #expect(read.code == 0, "\(read.errors)")
            let released = try await cluster.run(
                ["release", "rows", "--cells", ids, "--needed-in", "2s"] + way)
            #expect(released.code == 0 && released.output.contains("100 cells"))
        }
        let wrong: [([String], Int32, String)] = [
            (["prefetch", "--ticket", "12"], 1, "NOT_FOUND"),
            (["prefetch", "--ticket", "nonsense"], 2, "not a ticket"),
            (["prefetch", "rows"], 2, "--cells"),
            (["prefetch"], 2, "--ticket"),
            (["prefetch", "rows", "5", "--ticket", "12"], 2, "--ticket"),
            (["prefetch", "rows", "100000"], 1, "loci field info"),
            (["prefetch", "columns", "5"], 1, "no field 'columns'"),
            (["prefetch", "rows", "5", "--identity", "12"], 1, "FAILED_PRECONDITION"),
            (["release", "rows", "7:3"], 2, "not part of a range"),
            (["release", "columns", "5"], 1, "no field 'columns'"),
        ]
        for (arguments, code, says) in wrong {
            let ended = try await cluster.run(arguments)
            #expect(ended.code == code && ended.errors.contains(says), "\(arguments): \(ended)")
        }
        #expect(try await cluster.loci("status").output.contains("told"))
        #expect(try await cluster.loci("status", "--json").output.contains("\"told\""))
    }
}
