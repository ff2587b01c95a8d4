import Foundation
import LociClient
import Synchronization
import Testing

/// What one request must not do to another, and how long each may take.
@Suite("A client in time")
struct TimelinessTests {
    /// Cells of one shard, or of all but one.
    private static func cells(_ cluster: StandInCluster, where isMeant: (Int) -> Bool) -> [UInt64] {
        stride(from: 0, to: StandInCluster.cellCount, by: 100_000)
            .filter { isMeant(cluster.shard(of: $0)) }
    }

    private static func isRight(
        _ answer: Cells, _ cells: [UInt64], _ cluster: StandInCluster
    ) -> Bool {
        let space = cluster.rows.space
        return answer.bytes
            == Bytes.joined(cells.map { StandInCluster.content(of: $0, space: space) })
    }

    private static func time(_ work: () async throws -> Void) async rethrows -> Duration {
        let start = ContinuousClock.now
        try await work()
        return ContinuousClock.now - start
    }

    @Test("survives a cluster that has fewer shards than it had when the shards were asked")
    func fewerShards() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct(deadline: .seconds(2))
        cluster.behave(2, .beSilent)
        let asked = Self.cells(cluster) { $0 == 2 }
        async let pending = try? client.read(
            "rows", cells: asked, options: ReadOptions(allowsPartial: true))
        while cluster.askedOfShards[2].isEmpty { try await Task.sleep(for: .milliseconds(1)) }
        try await Task.sleep(for: .milliseconds(60))
        cluster.state.withLock { state in
            state.shardsTold = 2
            state.clusterID += 1
        }
        // What the client does not know makes it ask for the placement.
        _ = try? await client.call(
            .prefetchCells(PrefetchCells(field: "columns", first: 0, count: 1, ticket: 5)))
        let start = ContinuousClock.now
        _ = await pending
        let time = ContinuousClock.now - start
        // The shards' numbers say nothing any more: nobody waits for shard 2.
        #expect(time < .milliseconds(400))
        #expect(cluster.asked.count == 2)
        try await Task.sleep(for: .milliseconds(600))
        #expect(try await client.describe().field(named: "rows") != nil)
    }

    @Test("reads from shards while other requests wait for a coordinator that is away")
    func coordinatorAway() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct(deadline: .seconds(3))
        let near = Self.cells(cluster) { $0 != 2 }
        let far = Self.cells(cluster) { $0 == 2 }
        cluster.behave(2, .beSilent)
        await #expect(throws: LociError.self) {
            try await client.withDeadline(.milliseconds(100)).read("rows", cells: far)
        }
        // The placement is asked for again; shard 2 is left alone.
        _ = try await client.read("rows", cells: near)
        try await Task.sleep(for: .milliseconds(50))
        cluster.stopCoordinator()
        try await Task.sleep(for: .milliseconds(50))
        async let status = try? client.ticket([12]).status()
        async let avoided = try? client.read("rows", cells: far)
        try await Task.sleep(for: .milliseconds(50))
        for _ in 0..<5 {
            let time = try await Self.time {
                let answer = try await client.read("rows", cells: near)
                #expect(Self.isRight(answer, near, cluster))
            }
            #expect(time < .seconds(1))
        }
        _ = await (status, avoided)
    }

    @Test("keeps the order of what goes to the coordinator, also of what had to wait for it")
    func order() async throws {
        let endpoint = StandInCoordinator.freeEndpoint()
        let client = try LociClient(coordinator: endpoint, requestsInFlight: 300)
        async let all: Void = withTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask { _ = try? await client.count("c\(number)") }
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
        try await Task.sleep(for: .milliseconds(30))
        let received = Received()
        let coordinator = StandInCoordinator(at: endpoint) { request in
            received.append(request)
            return [answer(request, .acknowledged(Acknowledged(count: 1)))]
        }
        defer { coordinator.stop() }
        await all
        let ids = received.all.map(\.header.requestID)
        #expect(ids.count == 200)
        // Two callers may take their numbers in one order, and submit in the other.
        let swapped = ids.indices.reduce(0) { sum, later in
            sum + ids[..<later].count { $0 > ids[later] }
        }
        #expect(swapped < 10)
    }

    @Test("answers through the coordinator at once while it knows no shards or reaches none")
    func cold() async throws {
        let cluster = try StandInCluster(absent: [0, 1, 2])
        defer { cluster.stop() }
        cluster.state.withLock { $0.isPlacementKnown = false }
        let client = try LociClient(
            coordinator: cluster.coordinator, deadline: .seconds(4), routing: .direct)
        let asked = Self.cells(cluster) { _ in true }
        _ = try await client.describe()
        for isKnown in [false, true] {
            cluster.state.withLock { $0.isPlacementKnown = isKnown }
            for _ in 0..<3 {
                let time = try await Self.time {
                    let answer = try await client.read("rows", cells: asked)
                    #expect(Self.isRight(answer, asked, cluster))
                }
                #expect(time < .milliseconds(200))
                try await Task.sleep(for: .milliseconds(60))
            }
        }
        #expect(cluster.asked.count == 6)
    }

    @Test("learns its way before the first request")
    func ahead() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try LociClient(coordinator: cluster.coordinator, routing: .direct)
        try await Task.sleep(for: .milliseconds(300))
        let asked = Self.cells(cluster) { _ in true }
        let ticket = try await client.prefetch("rows", cells: asked)
        #expect(ticket.issued?.pages == UInt64(asked.count))
        #expect(cluster.asked.isEmpty)
    }

    @Test("tells shards the time that is left, and gives them a part of that")
    func timeLeft() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct(deadline: .seconds(2), requestsInFlight: 1)
        cluster.behave(2, .beSilent)
        let far = Self.cells(cluster) { $0 == 2 }
        let near = Self.cells(cluster) { $0 == 0 }
        async let first = try? client.read("rows", cells: far)
        while cluster.askedOfShards[2].isEmpty { try await Task.sleep(for: .milliseconds(1)) }
        // It waits for half a second: more than a quarter of its own deadline.
        let answer = try await client.withDeadline(.milliseconds(1500)).read("rows", cells: near)
        #expect(Self.isRight(answer, near, cluster))
        _ = await first
        let told = cluster.askedOfShards[0].map(\.header.deadlineMicroseconds)
        #expect(told.count == 1 && told[0] < 1_200_000, "\(told)")
        // It was shard 2 that was silent: only for it was the coordinator asked.
        #expect(cluster.asked.count == 1)
    }

    @Test("ends requests close to their deadlines, however short")
    func shortDeadlines() async throws {
        let coordinator = StandInCoordinator { request in
            guard case .count = request.body else { return [] }
            return [answer(request, .acknowledged(Acknowledged(count: 1)))]
        }
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)
        _ = try await client.count("c")
        let hasty = client.withDeadline(.milliseconds(5))
        var times: [Duration] = []
        for _ in 0..<21 {
            times.append(
                await Self.time {
                    let error = await #expect(throws: LociError.self) { try await hasty.status() }
                    #expect(error?.code == .deadlineExceeded)
                })
        }
        times.sort()
        #expect(times[0] >= .milliseconds(4.9))
        #expect(times[10] < .milliseconds(12), "\(times[10])")
    }
}
