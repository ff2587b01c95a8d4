import Foundation
import LociClient
import Synchronization
import Testing

@Suite("The client")
struct ClientTests {
    @Test("gives every one of many callers its own answer, whatever the order of answers")
    func manyCallers() async throws {
        // Answers wait until 8 requests are there, and then come in reverse.
        let held = Mutex<[Message]>([])
        let coordinator = StandInCoordinator { request in
            held.withLock { held in
                held.append(request)
                guard held.count == 8 else { return [] }
                defer { held = [] }
                return held.reversed().map { held in
                    guard case .count(let count) = held.body else { return held }
                    let number = UInt64(count.collection.dropFirst(1)) ?? 0
                    return answer(held, .acknowledged(Acknowledged(count: number)))
                }
            }
        }
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint, requestsInFlight: 8)
        let wrong = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<400 {
                group.addTask {
                    (try? await client.count("c\(number)").count) != UInt64(number)
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(wrong == 0)
    }

    @Test("has no more requests with the coordinator than it was told")
    func boundedInFlight() async throws {
        let received = Received()
        let coordinator = StandInCoordinator { request in
            received.append(request)
            return []
        }
        defer { coordinator.stop() }
        let client = try LociClient(
            coordinator: coordinator.endpoint, deadline: .milliseconds(900), requestsInFlight: 3)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask { _ = try? await client.count("c") }
            }
            try? await Task.sleep(for: .milliseconds(400))
            #expect(received.all.count == 3)
        }
    }

    @Test("throws what the coordinator answers as a failure")
    func failure() async throws {
        let refusal = LociError(.notFound, "There is no collection 'c'.", advice: "Create it.")
        let coordinator = StandInCoordinator { [answer($0, .failure(refusal))] }
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)
        await #expect(throws: refusal) { try await client.count("c") }
    }

    @Test("says UNAVAILABLE and what to do when there is no coordinator")
    func noCoordinator() async throws {
        let endpoint = StandInCoordinator.freeEndpoint()
        let client = try LociClient(coordinator: endpoint, deadline: .milliseconds(200))
        let start = ContinuousClock.now
        let error = await #expect(throws: LociError.self) { try await client.status() }
        #expect(error?.code == .unavailable)
        #expect(error?.message == "No coordinator answers at \(endpoint).")
        #expect(error?.advice.contains("scripts/cluster up") == true)
        #expect(ContinuousClock.now - start < .seconds(2))
    }

    @Test("gives up a coordinator that it never heard of long before a long deadline")
    func reachTime() async throws {
        let endpoint = StandInCoordinator.freeEndpoint()
        let client = try LociClient(coordinator: endpoint, deadline: .seconds(60))
        let start = ContinuousClock.now
        let error = await #expect(throws: LociError.self) { try await client.status() }
        #expect(error?.code == .unavailable)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test("says DEADLINE_EXCEEDED when a coordinator that answered before is silent")
    func silence() async throws {
        let coordinator = StandInCoordinator { request in
            guard case .count = request.body else { return [] }
            return [answer(request, .acknowledged(Acknowledged(count: 1)))]
        }
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)
        _ = try await client.count("c")
        let hasty = client.withDeadline(.milliseconds(150))
        let error = await #expect(throws: LociError.self) { try await hasty.status() }
        #expect(error?.code == .deadlineExceeded)
        // The late question does not stand in the way of the next one.
        #expect(try await client.count("c").count == 1)
    }

    @Test("goes on when the coordinator comes back")
    func reconnect() async throws {
        let script: StandInCoordinator.Script = { request in
            [answer(request, .acknowledged(Acknowledged(count: 5)))]
        }
        let first = StandInCoordinator(script: script)
        let client = try LociClient(coordinator: first.endpoint)
        #expect(try await client.count("c").count == 5)
        first.stop()
        async let pending = client.count("c")
        try await Task.sleep(for: .milliseconds(50))
        let second = StandInCoordinator(at: first.endpoint, script: script)
        defer { second.stop() }
        // A request that was on the way to the first one is lost; others wait for the second.
        _ = try? await client.withDeadline(.seconds(3)).count("c")
        #expect(try await client.count("c").count == 5)
        _ = try? await pending
    }

    @Test("is not disturbed by bytes that are no message")
    func garbage() async throws {
        let noise = [Bytes(utf8: "GET / HTTP/1.1"), Bytes(zeros: 300)]
        let coordinator = StandInCoordinator(garbage: noise) { request in
            [answer(request, .acknowledged(Acknowledged(count: 3)))]
        }
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)
        #expect(try await client.count("c").count == 3)
    }

    @Test("says INTERNAL for an answer that does not fit the question")
    func misfit() async throws {
        let coordinator = StandInCoordinator { request in
            [answer(request, .acknowledged(Acknowledged(count: 1)))]
        }
        defer { coordinator.stop() }
        let client = try LociClient(coordinator: coordinator.endpoint)
        let error = await #expect(throws: LociError.self) { try await client.status() }
        #expect(error?.code == .internal)
    }

    @Test("refuses more waiting requests than its limit")
    func overload() async throws {
        let client = try LociClient(
            coordinator: StandInCoordinator.freeEndpoint(), deadline: .milliseconds(500),
            requestsInFlight: 1)
        let refused = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<(LociClient.waitingRequests + 100) {
                group.addTask {
                    do throws(LociError) {
                        _ = try await client.count("c")
                        return false
                    } catch {
                        return error.code == .resourceExhausted
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(refused > 0)
        #expect(refused < 200)
    }
}

@Suite("A connection")
struct ConnectionTests {
    @Test("answers one question after the other and passes over late answers")
    func calls() throws {
        let previous = Mutex<Message?>(nil)
        let coordinator = StandInCoordinator { request in
            // Each answer comes after the previous question's second one.
            let late = previous.withLock { previous in
                defer { previous = request }
                return previous
            }
            let echoes = late.map { [answer($0, .acknowledged(Acknowledged(count: 666)))] } ?? []
            let number = request.header.requestID
            return echoes + [answer(request, .acknowledged(Acknowledged(count: number)))]
        }
        defer { coordinator.stop() }
        let connection = try Connection(coordinator: coordinator.endpoint)
        for number in 1...50 {
            let reply = try connection.call(.describe, deadline: .seconds(5))
            #expect(reply.body == .acknowledged(Acknowledged(count: UInt64(number))))
        }
        #expect(try connection.receive(timeout: .milliseconds(20)) == nil)
    }

    @Test("says UNAVAILABLE when there is no coordinator")
    func noCoordinator() throws {
        let connection = try Connection(coordinator: StandInCoordinator.freeEndpoint())
        let error = #expect(throws: LociError.self) {
            try connection.call(.status, deadline: .milliseconds(100))
        }
        #expect(error?.code == .unavailable)
    }
}
