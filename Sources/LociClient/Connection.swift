public import LociBase
public import LociModel
public import LociTransport
public import LociWire

/// A connection for one thread: blocking, without a thread behind it, so with the least latency.
/// For benchmarks and for programs that have a thread to spare; others use `LociClient`.
///
///     let connection = try Connection(coordinator: Endpoint("tcp://127.0.0.1:7100"))
///     let answer = try connection.call(.status, deadline: .seconds(1))
public final class Connection {
    public let coordinator: Endpoint
    public let routing: Routing
    private let router: RequestRouter
    private var lastRequestID: UInt64 = 0

    /// - Parameter routing: With `direct`, reads, prefetches and releases of fields are put
    ///   together from the shards' answers; what is sent and received here stays the same.
    /// - Throws: RESOURCE_EXHAUSTED or UNAVAILABLE when the system has no socket for us.
    public init(coordinator: Endpoint, routing: Routing = .coordinator) throws(LociError) {
        self.coordinator = coordinator
        self.routing = routing
        do {
            router = try RequestRouter(
                try TransportContext(), coordinator: coordinator, routing: routing)
        } catch {
            throw error.sentence
        }
    }

    /// Sends a request without waiting for its answer.
    /// - Returns: The id that the answer will carry.
    /// - Throws: UNAVAILABLE when no coordinator accepts it before the deadline; RESOURCE_EXHAUSTED
    ///   when it is too large.
    public func send(
        _ body: Body, bulk: [Bytes] = [], deadline: Duration
    ) throws(LociError) -> UInt64 {
        lastRequestID += 1
        let request = try RoutedRequest(
            id: lastRequestID, body, bulk: bulk, deadline: deadline, routing: routing)
        while try !router.send(request) {
            let remaining = request.expiry - ContinuousClock.now
            let milliseconds = Int(clamping: (remaining.wireMicroseconds + 999) / 1000)
            guard remaining > .zero, router.coordinator.canSend(timeoutMilliseconds: milliseconds)
            else { throw noCoordinator(coordinator) }
        }
        return request.id
    }

    /// The next answer to any request, `failure` included; nil when none comes in time.
    public func receive(timeout: Duration) throws(LociError) -> Message? {
        guard let (id, reply) = try next(timeout) else { return nil }
        do {
            return try reply.message()
        } catch {
            return Message(Header(requestID: id), .failure(error))
        }
    }

    private func next(_ timeout: Duration) throws(LociError) -> (id: UInt64, reply: Reply)? {
        let expiry = ContinuousClock.now + timeout
        var remaining = timeout
        while true {
            router.look()
            if let next = router.receive() { return next }
            do {
                try router.wait(
                    milliseconds: Int(clamping: (remaining.wireMicroseconds + 999) / 1000))
            } catch {
                throw error.sentence
            }
            if let next = router.receive() { return next }
            remaining = expiry - ContinuousClock.now
            if remaining <= .zero { return nil }
        }
    }

    /// One request and its answer; late answers to earlier requests are passed over.
    /// - Throws: What the coordinator answered as a failure; UNAVAILABLE; DEADLINE_EXCEEDED.
    public func call(
        _ body: Body, bulk: [Bytes] = [], deadline: Duration
    ) throws(LociError) -> Message {
        try ask(body, bulk: bulk, deadline: deadline).message()
    }

    private func ask(
        _ body: Body, bulk: [Bytes], deadline: Duration
    ) throws(LociError) -> Reply {
        let expiry = ContinuousClock.now + deadline
        let id = try send(body, bulk: bulk, deadline: deadline)
        while true {
            let remaining = expiry - ContinuousClock.now
            guard remaining > .zero, let (answered, reply) = try next(remaining) else {
                router.forget(id)
                throw lateAnswer
            }
            if answered == id { return reply }
        }
    }
}
