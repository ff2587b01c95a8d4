import Foundation
import LociBase
import LociClient
import LociModel
import LociWire
import Testing

/// Announcing to real shards what will be read. A field of 20,000 cells; the first 16,384 fill the
/// first stripe, which lies on shard 0, the others lie on shard 1.
extension ProcessTests {
    private static let cells: UInt64 = 20_000
    private static let cellsOfShard0: UInt64 = 16_384
    private static let cellBytes = 256

    private static let content = Bytes(
        values: (0..<(cells * UInt64(cellBytes) / 8)).map { $0 | 1 << 63 })

    /// With all of the field in files and none of it in memory.
    private static func coldCluster() async throws -> LocalCluster {
        let cluster = try LocalCluster(shards: 2)
        // What nobody announces stays where it is.
        try cluster.write(
            LocalCluster.configuration(cluster.endpoints) + "prefetch: told\n", to: "cluster.yaml")
        try cluster.startAll()
        try await cluster.waitUntilReady()
        let client = try cluster.client()
        try await client.createField(
            "rows", elementType: .raw, shape: [cells, UInt64(cellBytes)])
        _ = try await client.write("rows", first: 0, bytes: content)
        for name in cluster.names { cluster.process(name)?.end(SIGTERM) }
        try cluster.startAll()
        try await cluster.waitUntilReady()
        return cluster
    }

    private static func call(
        _ connection: Connection, _ body: Body, bulk: [Bytes] = []
    ) throws -> Message {
        try connection.call(body, bulk: bulk, deadline: .seconds(20))
    }

    /// Asks until nothing more will happen.
    private static func finished(
        _ ticket: UInt64, _ connection: Connection
    ) async throws -> TicketAnswer {
        let end = ContinuousClock.now + .seconds(20)
        while true {
            let message = try call(connection, .ticket(Ticket(ticket: ticket)))
            guard case .ticketAnswer(let answer) = message.body else {
                throw LocalCluster.NotReady(description: "\(message.body)")
            }
            if answer.isDone || ContinuousClock.now > end { return answer }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test("reads what was announced without a page-in, through the coordinator and directly")
    func announcedCellsAreThere() async throws {
        let cluster = try await Self.coldCluster()
        let coordinator = try Connection(coordinator: cluster.endpoints[0])
        let first = PrefetchCells(field: "rows", first: 0, count: 8000, ticket: 11)
        guard
            case .ticketAnswer(let answer) = try Self.call(coordinator, .prefetchCells(first)).body
        else {
            Issue.record("no ticket")
            return
        }
        #expect(answer.pages == 125)
        let done = try await Self.finished(11, coordinator)
        #expect(done.arrived + done.resident == 125 && done.isDone)

        let shard = try Connection(coordinator: cluster.endpoints[1])
        let cells = (8000..<Self.cellsOfShard0).map { $0 }
        guard
            case .ticketAnswer(let told) = try Self.call(
                shard, .shardPrefetch(ShardPrefetch(space: 1, ticket: 12)),
                bulk: [Bytes(values: cells)]
            ).body
        else {
            Issue.record("no ticket")
            return
        }
        #expect(told.pages == 131)
        let direct = try await Self.finished(12, shard)
        #expect(direct.arrived + direct.resident == 131)

        let client = try cluster.client()
        let read = try await client.read("rows", range: 0..<Self.cellsOfShard0)
        let tiers = read.receipt.tiers
        #expect(tiers[.ssd].pages == 0 && tiers[.dram].hits == 256)
        for cell in [0, 77, 7999, 8000, 16_383] {
            #expect(read[cell] == Self.cell(cell))
        }
        let cold = try await client.read("rows", range: Self.cellsOfShard0..<Self.cells)
        #expect(cold.receipt.tiers[.ssd].hard > 0, "what nobody announced was cold")
        guard
            case .cells(let few) = try Self.call(
                shard, .shardRead(ShardRead(space: 1)),
                bulk: [Bytes(values: [UInt64(5), 16_000, 5])]
            ).body
        else {
            Issue.record("no cells")
            return
        }
        #expect(few.receipt.tiers[.dram].hits == 2 && few.count == 3)
        // The coordinator hears of it with the next pong.
        var tally = PrefetchTally()
        let end = ContinuousClock.now + .seconds(10)
        while tally.used < 256, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(20))
            tally = try await client.status().shards[0].vitals.told
        }
        #expect(tally.issued == 256 && tally.used == 256 && tally.late == 0 && tally.wasted == 0)
    }

    @Test("fetches nothing of what was cancelled before it was needed")
    func cancelledCellsAreNotFetched() async throws {
        let cluster = try await Self.coldCluster()
        let coordinator = try Connection(coordinator: cluster.endpoints[0])
        let later = PrefetchCells(
            field: "rows", first: 0, count: Self.cells, ticket: 21,
            neededInMicroseconds: 60_000_000)
        guard
            case .ticketAnswer(let answer) = try Self.call(coordinator, .prefetchCells(later)).body
        else {
            Issue.record("no ticket")
            return
        }
        #expect(answer.waiting == answer.pages && answer.pages == 313)
        guard
            case .ticketAnswer(let cancelled) = try Self.call(
                coordinator, .ticket(Ticket(ticket: 21, isCancelled: true))
            ).body
        else {
            Issue.record("no answer")
            return
        }
        #expect(cancelled.cancelled == 313 && cancelled.isDone)
        let client = try cluster.client()
        let read = try await client.read("rows", range: 0..<8000)
        #expect(read.receipt.tiers[.ssd].hard == 125)
        do {
            _ = try Self.call(coordinator, .ticket(Ticket(ticket: 22)))
            Issue.record("nobody knows the ticket")
        } catch let error as LociError {
            #expect(error.code == .notFound)
        }
    }

    @Test("reads the right cells when a shard is killed while it fetches ahead")
    func aShardIsKilledWhileItPrefetches() async throws {
        let cluster = try await Self.coldCluster()
        let coordinator = try Connection(coordinator: cluster.endpoints[0])
        for round in 0..<3 {
            let all = PrefetchCells(
                field: "rows", first: 0, count: Self.cells, ticket: UInt64(31 + round))
            _ = try coordinator.send(.prefetchCells(all), deadline: .seconds(20))
            if round > 0 { try await Task.sleep(for: .milliseconds(round)) }
            cluster.kill("shard-0")
            try cluster.start("shard-0")
            try await cluster.waitUntilReady()
            let client = try cluster.client()
            let read = try await Self.patiently {
                try await client.read("rows", range: 0..<Self.cells)
            }
            for cell in stride(from: 0, to: Int(Self.cells), by: 61) {
                #expect(read[cell] == Self.cell(cell), "cell \(cell)")
            }
        }
    }

    private static func cell(_ cell: Int) -> Bytes {
        content.slice((cell * cellBytes)..<((cell + 1) * cellBytes))
    }
}
