import LociClient
import Synchronization
import Testing

@Suite("Calls that are larger than a request")
struct ChunkTests {
    private static let cellBytes = StandInField.cellBytes

    @Test("write and read back every cell, in the order asked for")
    func fields() async throws {
        let field = try StandInField()
        let coordinator = StandInCoordinator(script: field.script)
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)

        let all = Bytes.joined((100..<300).map { StandInField.content(of: $0) })
        let written = try await client.write("rows", first: 100, bytes: all)
        #expect(written.count == 200)
        #expect(written.receipt.pagesTouched == 200)
        #expect(written.receipt.shardsAsked == 2)
        #expect(!written.isDegraded)

        let range = try await client.read("rows", range: 100..<300)
        #expect(range.bytes == all)
        #expect(range.receipt.pagesTouched == 200)

        var random = SeededRandom(seed: 7)
        let scattered = (0..<150).map { _ in UInt64(100 + random.below(200)) }
        let cells = try await client.read("rows", cells: scattered)
        #expect(cells.count == 150)
        for (index, cell) in scattered.enumerated() {
            #expect(cells[index] == StandInField.content(of: cell))
        }

        let backwards = Array((0..<100).map { UInt64(999 - $0) })
        let bytes = Bytes.joined(backwards.map { StandInField.content(of: $0) })
        _ = try await client.write("rows", cells: backwards, bytes: bytes)
        #expect(try await client.read("rows", cells: backwards).bytes == bytes)

        // 64 KiB cells: 16 fit a request.
        let sizes = field.requests.withLock { $0.map(\.bulkBytes) }
        #expect(sizes.allSatisfy { $0 <= Limits.chunkBytes + Limits.cellsPerRequest * 8 })
        // One description, then 13 + 13 + 10 + 7 + 7 chunks.
        #expect(sizes.count == 51)
    }

    @Test("of wrong sizes are refused before anything is sent")
    func wrongSizes() async throws {
        let field = try StandInField()
        let coordinator = StandInCoordinator(script: field.script)
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)
        let odd = Bytes(zeros: Self.cellBytes + 1)
        for bytes in [odd, Bytes()] {
            let error = await #expect(throws: LociError.self) {
                try await client.write("rows", first: 0, bytes: bytes)
            }
            #expect(error?.code == .invalidArgument)
        }
        await #expect(throws: LociError.self) {
            try await client.write("rows", cells: [1, 2], bytes: Bytes(zeros: Self.cellBytes))
        }
        let absent = await #expect(throws: LociError.self) {
            try await client.read("other", range: 0..<1)
        }
        #expect(absent?.code == .notFound)
        let isUntouched = field.requests.withLock { $0.allSatisfy { $0.body == .describe } }
        #expect(isUntouched)
    }

    @Test("upsert every point once, within the limits of a request")
    func points() async throws {
        let requests = Received()
        let coordinator = StandInCoordinator { request in
            requests.append(request)
            guard case .upsert(let upsert) = request.body else { return [] }
            return [answer(request, .acknowledged(Acknowledged(count: UInt64(upsert.count))))]
        }
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)
        let count = 9000
        let ids = (0..<count).map { UInt64($0 * 3) }
        let vectors = (0..<(count * 100)).map { Float($0) }
        let payloads = (0..<count).map { "{\"n\":\($0)}" }
        let outcome = try await client.upsert(
            "c", ids: ids, vectors: vectors, payloads: payloads)
        #expect(outcome.count == UInt64(count))

        func numbers(_ message: Message) -> [UInt64] { message.bulk[0].values() }
        let received = requests.all.sorted { numbers($0)[0] < numbers($1)[0] }
        #expect(received.allSatisfy { $0.bulkBytes <= Limits.chunkBytes })
        #expect(received.flatMap(numbers) == ids)
        let floats: [Float] = received.flatMap { $0.bulk[1].values(Float.self) }
        #expect(floats == vectors)
        let lengths: [UInt32] = received.flatMap { $0.bulk[2].values(UInt32.self) }
        let expected = payloads.map { UInt32($0.utf8.count) }
        #expect(lengths == expected)
        let texts = received.map { $0.bulk[3].string }.joined()
        #expect(texts == payloads.joined())
    }

    @Test("fail as a whole when one of their requests fails")
    func partFails() async throws {
        let refusal = LociError(.unavailable, "Shard 1 is down.")
        let coordinator = StandInCoordinator { request in
            guard case .deletePoints = request.body else { return [] }
            let first = request.bulk[0].values(UInt64.self)[0]
            return [
                first == 8192
                    ? answer(request, .failure(refusal))
                    : answer(request, .acknowledged(Acknowledged(count: 4096)))
            ]
        }
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)
        await #expect(throws: refusal) {
            try await client.delete("c", ids: (0..<40_000).map { UInt64($0) })
        }
        #expect(try await client.delete("c", ids: (0..<8192).map { UInt64($0) }).count == 8192)
    }

    @Test("are complete only if all their requests are")
    func receipts() {
        var complete = Receipt()
        complete.shardsAsked = 4
        complete.shardsAnswered = 4
        complete.bytesRead = 10
        complete.totalMicroseconds = 5
        var partial = complete
        partial.shardsAnswered = 3
        partial.totalMicroseconds = 9
        for (first, second) in [(complete, partial), (partial, complete)] {
            var sum = first
            sum.add(request: second)
            #expect(!sum.isComplete)
            #expect(sum.shardsAsked == 4)
            #expect(sum.shardsAnswered == 3)
            #expect(sum.bytesRead == 20)
            #expect(sum.totalMicroseconds == 9)
        }
        var both = complete
        both.add(request: complete)
        #expect(both.isComplete)
    }
}
