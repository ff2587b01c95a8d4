import Foundation
import Synchronization
import Testing

@testable import LociClient

@Suite("A client that asks shards directly")
struct DirectTests {
    private static func cells(_ count: Int, _ random: inout SeededRandom) -> [UInt64] {
        var cells: [UInt64] = []
        while cells.count < count {
            if let old = cells.randomElement(using: &random), random.below(4) == 0 {
                cells.append(old)
            } else {
                cells.append(random.next() % StandInCluster.cellCount)
            }
        }
        return cells
    }

    private static func expect(
        _ cells: Cells, _ asked: [UInt64], space: SpaceID,
        _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(cells.count == asked.count, sourceLocation: location)
        let wrong = asked.indices.filter {
            cells[$0] != StandInCluster.content(of: asked[$0], space: space)
        }
        #expect(wrong.isEmpty, sourceLocation: location)
    }

    @Test("reads the same as through the coordinator, in request order, duplicates included")
    func sameAnswers() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct()
        var random = SeededRandom(seed: 41)
        for count in [1, 2, 3, 48, 48, 1000, 5000] {
            let asked = Self.cells(count, &random)
            let answer = try await client.read("rows", cells: asked)
            Self.expect(answer, asked, space: cluster.rows.space)
            #expect(answer.receipt.isComplete)
            #expect(answer.skipped.isEmpty && answer.missing.isEmpty && answer.tiers.isEmpty)
        }
        let range = try await client.read("rows", range: 699_000..<701_000)
        Self.expect(range, Array(699_000..<701_000), space: cluster.rows.space)
        #expect(cluster.asked.isEmpty)
        #expect(cluster.askedOfShards.allSatisfy { !$0.isEmpty })
    }

    @Test("asks each shard once, and for each cell once")
    func deduplication() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct()
        var random = SeededRandom(seed: 42)
        let asked = Self.cells(500, &random)
        let answer = try await client.read("rows", cells: asked + asked)
        Self.expect(answer, asked + asked, space: cluster.rows.space)
        let requests = cluster.askedOfShards
        #expect(requests.map(\.count) == [1, 1, 1])
        let named = requests.flatMap { $0.flatMap { $0.bulk[0].values(UInt64.self) } }
        #expect(named.count == Set(asked).count)
        #expect(Set(named) == Set(asked))
        #expect(answer.receipt.pagesTouched == UInt64(named.count))
        #expect(requests.flatMap(\.self).allSatisfy { $0.header.senderIncarnation == 0 })
    }

    @Test("tells tiers and what was skipped of the cells as they were asked for")
    func tiers() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct()
        var random = SeededRandom(seed: 43)
        let asked = Self.cells(300, &random)
        let answer = try await client.read(
            "rows", cells: asked, options: ReadOptions(maxTier: .far, withTiers: true))
        #expect(answer.tiers == asked.map { Tier(rawValue: StandInCluster.tier(of: $0) - 1) })
        #expect(
            answer.skipped
                == asked.indices.filter {
                    StandInCluster.tier(of: asked[$0]) > Tier.far.rawValue + 1
                }
        )
        #expect(!answer.skipped.isEmpty)
        #expect(cluster.asked.isEmpty)
    }

    @Test("goes through the coordinator when a shard was started anew, and then directly again")
    func staleIncarnation() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct()
        var random = SeededRandom(seed: 44)
        let asked = Self.cells(100, &random)
        _ = try await client.read("rows", cells: asked)
        #expect(cluster.asked.isEmpty)
        cluster.restart(1)
        Self.expect(try await client.read("rows", cells: asked), asked, space: cluster.rows.space)
        #expect(cluster.asked.count == 1)
        cluster.state.withLock { $0.incarnationsTold = $0.incarnations }
        try await Self.until {
            let before = cluster.asked.count
            Self.expect(
                try await client.read("rows", cells: asked), asked, space: cluster.rows.space)
            return cluster.asked.count == before
        }
    }

    /// Repeats what may need some time, for at most 5 s.
    private static func until(_ isDone: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < end {
            if try await isDone() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("It did not come to be within 5 s.")
    }

    @Test("waits for a silent shard for a part of the deadline, and leaves it alone then")
    func silentShard() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct(deadline: .seconds(2))
        var random = SeededRandom(seed: 45)
        let asked = Self.cells(100, &random)
        _ = try await client.read("rows", cells: asked)
        #expect(cluster.asked.isEmpty)
        cluster.behave(2, .beSilent)
        let start = ContinuousClock.now
        let error = await #expect(throws: LociError.self) {
            try await client.read("rows", cells: asked)
        }
        // It is the coordinator that knows: the shard is down.
        #expect(error?.code == .unavailable)
        let time = ContinuousClock.now - start
        #expect(time > .seconds(0.45) && time < .seconds(1.5))
        let before = cluster.askedOfShards[2].count
        let others = asked.filter { cluster.shard(of: $0) != 2 }
        for _ in 0..<5 {
            _ = try? await client.read("rows", cells: asked)
            Self.expect(
                try await client.read("rows", cells: others), others, space: cluster.rows.space)
        }
        #expect(cluster.askedOfShards[2].count == before)
    }

    @Test("names what is missing, and nothing else, if a partial answer is allowed")
    func partial() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        var random = SeededRandom(seed: 46)
        let asked = Self.cells(200, &random)
        cluster.behave(1, .beSilent)
        for routing in [Routing.coordinator, .direct] {
            let client = try LociClient(
                coordinator: cluster.coordinator, deadline: .seconds(2), routing: routing)
            let options = ReadOptions(withTiers: true, allowsPartial: true)
            let answer = try await client.read("rows", cells: asked, options: options)
            #expect(answer.missing == asked.indices.filter { cluster.shard(of: asked[$0]) == 1 })
            #expect(!answer.receipt.isComplete)
            #expect(answer.tiers.count == asked.count)
            let missing = Set(answer.missing)
            let blank = Bytes(Array(repeating: 0xFF, count: StandInCluster.cellBytes))
            for (position, cell) in asked.enumerated() {
                let expected =
                    missing.contains(position)
                    ? blank : StandInCluster.content(of: cell, space: cluster.rows.space)
                #expect(answer[position] == expected)
            }
            // Without leave it is an error, never a short answer.
            await #expect(throws: LociError.self) { try await client.read("rows", cells: asked) }
        }
    }

    @Test("reads the new field when its own knowledge of the old one is stale")
    func recreatedField() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct()
        var random = SeededRandom(seed: 47)
        let asked = Self.cells(100, &random)
        let handle = try await client.open("rows")
        Self.expect(try await handle.read(cells: asked), asked, space: cluster.rows.space)
        let oldIdentity = cluster.identity
        #expect(handle.identity == oldIdentity)
        try cluster.recreate()
        Self.expect(try await client.read("rows", cells: asked), asked, space: cluster.rows.space)
        // Who means the old one gets none of the new one's cells, by either way.
        for _ in 0..<3 {
            let error = await #expect(throws: LociError.self) {
                try await handle.read(cells: asked)
            }
            #expect(error?.code == .failedPrecondition)
        }
        let error = await #expect(throws: LociError.self) {
            try await client.open("rows", identity: oldIdentity)
        }
        #expect(error?.code == .failedPrecondition)
        let renewed = try await client.open("rows", identity: cluster.identity)
        Self.expect(try await renewed.read(cells: asked), asked, space: cluster.rows.space)
    }

    @Test(
        "never takes an answer that does not fit for the cells",
        arguments: [
            StandInCluster.Behaviour.answerShort, .refuse(LociError(.internal, "A defect.")),
            .refuse(LociError(.invalidArgument, "A cell does not live on this shard.")),
        ])
    func misfit(_ behaviour: StandInCluster.Behaviour) async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct()
        var random = SeededRandom(seed: 48)
        let asked = Self.cells(100, &random)
        cluster.behave(0, behaviour)
        Self.expect(try await client.read("rows", cells: asked), asked, space: cluster.rows.space)
        #expect(cluster.asked.count == 1)
    }

    @Test("passes on what a shard alone can know")
    func finalRefusal() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct()
        let refusal = LociError(.dataLoss, "A page is damaged.")
        cluster.behave(0, .refuse(refusal))
        var random = SeededRandom(seed: 49)
        let asked = Self.cells(100, &random)
        await #expect(throws: refusal) { try await client.read("rows", cells: asked) }
        #expect(cluster.asked.isEmpty)
    }

    @Test("leaves wrong requests to the coordinator, which says what is wrong")
    func wrongRequests() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try await cluster.direct()
        let outside = await #expect(throws: LociError.self) {
            try await client.read("rows", cells: [1, StandInCluster.cellCount])
        }
        #expect(outside?.code == .invalidArgument)
        let identity = await #expect(throws: LociError.self) {
            try await client.read("rows", cells: [1], options: ReadOptions(identity: 12))
        }
        #expect(identity?.code == .failedPrecondition)
        let unknown = await #expect(throws: LociError.self) {
            try await client.read("columns", cells: [1])
        }
        #expect(unknown?.code == .notFound)
        #expect(cluster.askedOfShards.flatMap(\.self).isEmpty)
    }

    @Test("asks the coordinator where a shard cannot be reached, or nothing is known of them")
    func unreachable() async throws {
        let cluster = try StandInCluster(absent: [1])
        defer { cluster.stop() }
        let client = try LociClient(
            coordinator: cluster.coordinator, deadline: .seconds(2), routing: .direct)
        var random = SeededRandom(seed: 50)
        let asked = Self.cells(100, &random)
        Self.expect(try await client.read("rows", cells: asked), asked, space: cluster.rows.space)
        #expect(cluster.asked.count == 1)

        cluster.state.withLock { $0.isPlacementKnown = false }
        let other = try LociClient(
            coordinator: cluster.coordinator, deadline: .seconds(1), routing: .direct)
        let start = ContinuousClock.now
        Self.expect(try await other.read("rows", cells: asked), asked, space: cluster.rows.space)
        #expect(ContinuousClock.now - start < .seconds(0.9))
    }

    @Test("gives every one of many callers its own cells while shards come and go")
    func manyCallers() async throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let client = try LociClient(
            coordinator: cluster.coordinator, requestsInFlight: 32, routing: .direct)
        let space = cluster.rows.space
        let wrong = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<300 {
                group.addTask {
                    if number % 100 == 50 { cluster.restart(number / 100) }
                    var random = SeededRandom(seed: UInt64(number))
                    let asked = Self.cells(20, &random)
                    let answer = try? await client.read("rows", cells: asked)
                    let expected = asked.map { StandInCluster.content(of: $0, space: space) }
                    return answer?.bytes != Bytes.joined(expected)
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(wrong == 0)
    }

    @Test("works for one thread's connection, too")
    func connection() throws {
        let cluster = try StandInCluster()
        defer { cluster.stop() }
        let connection = try Connection(coordinator: cluster.coordinator, routing: .direct)
        var random = SeededRandom(seed: 51)
        for round in 0..<40 {
            if round == 30 { cluster.restart(0) }
            if round == 20 { cluster.state.withLock { $0.asked = [] } }
            let asked = Self.cells(48, &random)
            let answer = try connection.call(
                .readCells(ReadCells(field: "rows", count: 48, isScattered: true)),
                bulk: [Bytes(values: asked)], deadline: .seconds(5))
            let expected = asked.map { StandInCluster.content(of: $0, space: cluster.rows.space) }
            #expect(answer.bulk == [Bytes.joined(expected)])
            // By then it knows its way.
            if round == 29 { #expect(cluster.asked.isEmpty) }
            if round < 20 { usleep(1000) }
        }
        #expect(!cluster.asked.isEmpty)
    }

    @Test("does not try addresses that only another machine can use")
    func reachability() throws {
        let far = try Endpoint("tcp://10.0.0.1:7100")
        let near = try Endpoint("tcp://127.0.0.1:7100")
        func reaches(_ text: String, from coordinator: Endpoint) -> Bool {
            RequestRouter.reachable(text, from: coordinator) != nil
        }
        #expect(reaches("tcp://127.0.0.1:7101", from: near))
        #expect(!reaches("tcp://127.0.0.1:7101", from: far))
        #expect(reaches("tcp://10.0.0.2:7101", from: far))
        #expect(!reaches("tcp://*:7101", from: far))
        #expect(!reaches("ipc:///tmp/loci-nobody-\(UInt64.max)", from: near))
        #expect(!reaches("nonsense", from: near))
    }
}
