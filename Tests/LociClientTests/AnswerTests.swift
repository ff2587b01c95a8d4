import LociClient
import Synchronization
import Testing

/// Requests that a stand-in coordinator received.
final class Received: Sendable {
    private let messages = Mutex<[Message]>([])
    func append(_ message: Message) { messages.withLock { $0.append(message) } }
    var all: [Message] { messages.withLock { $0 } }
}

@Suite("An answer")
struct AnswerTests {
    private static let payloads = ["{\"a\":1}", "", "{\"b\":\"é\"}"]

    private static var columns: [Bytes] {
        [
            Bytes(values: [UInt64(9), 8, 7]), Bytes(values: [UInt64(1), 2, 3]),
            Bytes(values: payloads.map { UInt32($0.utf8.count) }),
            Bytes(utf8: payloads.joined()),
            Bytes(values: [Float(1), 2, 3, 4, 5, 6]),
        ]
    }

    @Test("has its points with their payloads and vectors in order")
    func points() async throws {
        let coordinator = StandInCoordinator { request in
            let body = PointsAnswer(count: 3, receipt: Receipt(), hasMore: true)
            return [answer(request, .points(body), bulk: Self.columns)]
        }
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)
        let points = try await client.scroll("c", withVector: true)
        #expect(points.points.map(\.id) == [9, 8, 7])
        #expect(points.points.map(\.version) == [1, 2, 3])
        #expect(points.points.map(\.payload) == Self.payloads)
        #expect(points.points.map(\.vector) == [[1, 2], [3, 4], [5, 6]])
        #expect(points.hasMore)
        #expect(!points.isDegraded)
    }

    @Test("of a query has scores, and is degraded when a shard is missing")
    func matches() async throws {
        let coordinator = StandInCoordinator { request in
            guard case .query(let query) = request.body else { return [] }
            var receipt = Receipt()
            receipt.shardsAsked = 2
            receipt.shardsAnswered = query.text.isEmpty ? 2 : 1
            var bulk = Self.columns
            bulk.insert(Bytes(values: [Float(0.5), 1, 2]), at: 2)
            bulk[5] = Bytes()
            let body = MatchesAnswer(count: 3, receipt: receipt, isExhausted: true)
            return [answer(request, .matches(body), bulk: bulk)]
        }
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)
        let found = try await client.query("c", vector: [1, 2])
        #expect(found.matches.map(\.score) == [0.5, 1, 2])
        #expect(found.matches.map(\.id) == [9, 8, 7])
        #expect(found.matches.allSatisfy { $0.point.vector.isEmpty })
        #expect(found.isExhausted)
        #expect(!found.isDegraded)
        #expect(try await client.query("c", text: "which").isDegraded)
    }

    @Test("whose columns do not fit each other is refused, whichever it is", arguments: 0..<5)
    func torn(column: Int) async throws {
        let coordinator = StandInCoordinator { request in
            var bulk = Self.columns
            bulk[column] = bulk[column].slice(0..<(bulk[column].count - 3))
            let body = PointsAnswer(count: 3, receipt: Receipt())
            return [answer(request, .points(body), bulk: bulk)]
        }
        defer { coordinator.stop() }
        let client = try LociClient(
            coordinator: coordinator.endpoint, deadline: .milliseconds(300))
        // The codec may drop such a message already; then no answer comes.
        await #expect(throws: LociError.self) { try await client.scroll("c") }
    }
}
