import LociClient
import Synchronization
import Testing

@Suite("A client that says what it will read")
struct PrefetchTests {
    private static let cells: [UInt64] = [1, 2, 1, 4_000_000, 8_000_000, 8_000_001, 11_999_999]

    @Test(
        "gets a ticket that can be followed, waited for and cancelled",
        arguments: [Routing.coordinator, .direct])
    func ticket(_ routing: Routing) async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client =
            routing == .direct
            ? try await cluster.direct() : try LociClient(coordinator: cluster.coordinator)
        let ticket = try await client.prefetch(
            "rows", cells: Self.cells, deadline: .milliseconds(20), neededIn: .milliseconds(5))
        #expect(ticket.numbers.count == 1 && ticket.numbers[0] != 0)
        let issued = try #require(ticket.issued)
        #expect(!issued.isDone)
        // Directly each shard hears of its cells, each once.
        #expect(issued.pages == (routing == .direct ? 6 : 7))
        let status = try await ticket.wait()
        #expect(status.isDone && status.arrived == status.pages && status.pages == issued.pages)
        #expect(try await client.ticket(ticket.numbers).status() == status)

        let other = try await client.prefetch("rows", range: 0..<100)
        #expect(other.numbers != ticket.numbers)
        #expect(try await other.cancel().cancelled == 100)
        let error = await #expect(throws: LociError.self) {
            try await client.ticket([12]).status()
        }
        #expect(error?.code == .notFound)
    }

    @Test("says to shards what it would say to the coordinator")
    func request() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct()
        let ticket = try await client.prefetch(
            "rows", cells: Self.cells, deadline: .milliseconds(20), neededIn: .milliseconds(5),
            identity: cluster.identity)
        let heard = cluster.askedOfShards.flatMap(\.self).compactMap { message in
            if case .shardPrefetch(let prefetch) = message.body { prefetch } else { nil }
        }
        #expect(!heard.isEmpty)
        for prefetch in heard {
            #expect(prefetch.ticket == ticket.numbers[0])
            #expect(prefetch.lifetimeMicroseconds == 20_000)
            #expect(prefetch.neededInMicroseconds == 5000)
            #expect(prefetch.identity == cluster.identity)
            #expect(prefetch.space == cluster.rows.space)
            #expect(prefetch.client != 0 && prefetch.client == heard[0].client)
        }
        #expect(cluster.asked.isEmpty)
    }

    @Test("cuts what is more than one request takes, and follows all of it")
    func large() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct()
        let count = UInt64(Limits.cellsPerRequest) + 100
        let ticket = try await client.prefetch("rows", range: 0..<count)
        #expect(ticket.numbers.count == 2)
        #expect(ticket.issued?.pages == count)
        #expect(try await ticket.wait().arrived == count)
        #expect(try await client.release("rows", range: 0..<count).count == count)
    }

    @Test("releases cells", arguments: [Routing.coordinator, .direct])
    func release(_ routing: Routing) async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client =
            routing == .direct
            ? try await cluster.direct() : try LociClient(coordinator: cluster.coordinator)
        let outcome = try await client.release(
            "rows", cells: Self.cells, neededIn: .milliseconds(90))
        #expect(outcome.count == UInt64(Self.cells.count))
        if routing == .direct {
            let owners = Set(Self.cells.map { cluster.shard(of: $0) })
            #expect(outcome.receipt.shardsAnswered == UInt32(owners.count))
            #expect(cluster.asked.isEmpty)
        }
    }

    @Test("falls back with the same ticket when a shard was started anew")
    func fallback() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct()
        _ = try await client.read("rows", cells: [1])
        cluster.restart(0)
        cluster.restart(1)
        let ticket = try await client.prefetch("rows", cells: Self.cells)
        #expect(cluster.asked.count == 1)
        guard case .prefetchCells(let asked)? = cluster.asked.first?.body else {
            Issue.record("The coordinator was not asked.")
            return
        }
        #expect(ticket.numbers == [asked.ticket])
        #expect(try await ticket.wait().isDone)
    }

    @Test("follows and cancels what is still known of a ticket, and says when nothing is")
    func partlyForgotten() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try LociClient(coordinator: cluster.coordinator)
        let first = try await client.prefetch("rows", range: 0..<100).numbers
        let second = try await client.prefetch("rows", range: 100..<150).numbers
        let ticket = client.ticket([12] + first + [13] + second)
        #expect(try await ticket.cancel().cancelled == 150)
        #expect(try await ticket.status().cancelled == 150)
        let error = await #expect(throws: LociError.self) {
            try await client.ticket([12, 13]).status()
        }
        #expect(error?.code == .notFound)
    }

    @Test("cancels what was begun when a later part is refused")
    func refusedLater() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let size = UInt64(Limits.cellsPerRequest)
        cluster.state.withLock { $0.refusesFrom = 2 * size }
        let client = try LociClient(coordinator: cluster.coordinator)
        let error = await #expect(throws: LociError.self) {
            try await client.prefetch("rows", range: 0..<(3 * size))
        }
        #expect(error?.code == .resourceExhausted)
        let tickets = cluster.state.withLock { Array($0.tickets.values) }
        #expect(tickets.count == 2)
        #expect(tickets.allSatisfy { $0.cancelled == size })
    }

    @Test("names no cells: refused before anything is sent")
    func empty() async throws {
        let client = try LociClient(coordinator: StandInCoordinator.freeEndpoint())
        let error = await #expect(throws: LociError.self) {
            try await client.prefetch("rows", cells: [])
        }
        #expect(error?.code == .invalidArgument)
    }
}

@Suite("A read into the caller's buffer")
struct BufferTests {
    @Test(
        "fills it in request order, whatever the way and the number of requests",
        arguments: [Routing.coordinator, .direct])
    func filled(_ routing: Routing) async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try LociClient(coordinator: cluster.coordinator, routing: routing)
        var random = SeededRandom(seed: 61)
        for count in [1, 48, 60_000] {
            let asked = (0..<count).map { _ in random.next() % StandInCluster.cellCount }
            let size = count * StandInCluster.cellBytes
            var buffer = [UInt8](repeating: 0xAB, count: size + 7)
            var elements = buffer.mutableSpan
            var bytes = elements.mutableBytes
            let read = try await client.read("rows", cells: asked, into: &bytes)
            #expect(read.count == count && read.cellBytes == StandInCluster.cellBytes)
            #expect(read.receipt.isComplete && read.missing.isEmpty)
            let expected = asked.map {
                StandInCluster.content(of: $0, space: cluster.rows.space)
            }
            #expect(Bytes(Array(buffer.prefix(size))) == Bytes.joined(expected))
            #expect(buffer.suffix(7).allSatisfy { $0 == 0xAB })
        }
    }

    @Test("refuses a buffer that is too small, and leaves it as it was")
    func tooSmall() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try LociClient(coordinator: cluster.coordinator)
        let handle = try await client.open("rows")
        var buffer = [UInt8](repeating: 0xAB, count: 3 * StandInCluster.cellBytes - 1)
        var elements = buffer.mutableSpan
        var bytes = elements.mutableBytes
        var code: ErrorCode?
        do throws(LociError) {
            _ = try await handle.read(cells: [1, 2, 3], into: &bytes)
        } catch {
            code = error.code
        }
        #expect(code == .invalidArgument)
        #expect(buffer == Array(repeating: 0xAB, count: buffer.count))
        #expect(cluster.asked.isEmpty)
    }
}
