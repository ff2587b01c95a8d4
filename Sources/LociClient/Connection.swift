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
    private let context: TransportContext
    private let socket: DealerSocket
    private var lastRequestID: UInt64 = 0

    /// - Throws: RESOURCE_EXHAUSTED or UNAVAILABLE when the system has no socket for us.
    public init(coordinator: Endpoint) throws(LociError) {
        self.coordinator = coordinator
        do {
            context = try TransportContext()
            socket = try DealerSocket(context, connecting: coordinator)
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
        let header = Header(
            requestID: lastRequestID, deadlineMicroseconds: deadline.wireMicroseconds)
        let frames = try Message(header, body, bulk: bulk).encoded()
        let expiry = ContinuousClock.now + deadline
        while try isRefused(frames) {
            let remaining = expiry - ContinuousClock.now
            let milliseconds = Int(clamping: (remaining.wireMicroseconds + 999) / 1000)
            guard remaining > .zero, socket.canSend(timeoutMilliseconds: milliseconds) else {
                throw noCoordinator(coordinator)
            }
        }
        return header.requestID
    }

    /// Whether the socket has no connection or no room.
    private func isRefused(_ frames: [Bytes]) throws(LociError) -> Bool {
        do {
            return try socket.send(frames) != .sent
        } catch {
            throw error.sentence
        }
    }

    /// The next answer to any request, `failure` included; nil when none comes in time.
    public func receive(timeout: Duration) throws(LociError) -> Message? {
        let expiry = ContinuousClock.now + timeout
        var remaining = timeout
        while true {
            let milliseconds = Int(clamping: (remaining.wireMicroseconds + 999) / 1000)
            let frames: [Bytes]?
            do {
                frames = try socket.receive(timeoutMilliseconds: milliseconds)
            } catch {
                throw error.sentence
            }
            // What is not a message is dropped.
            if let frames, let message = try? Message(frames: frames) { return message }
            remaining = expiry - ContinuousClock.now
            if remaining <= .zero { return nil }
        }
    }

    /// One request and its answer; late answers to earlier requests are passed over.
    /// - Throws: What the coordinator answered as a failure; UNAVAILABLE; DEADLINE_EXCEEDED.
    public func call(
        _ body: Body, bulk: [Bytes] = [], deadline: Duration
    ) throws(LociError) -> Message {
        let expiry = ContinuousClock.now + deadline
        let id = try send(body, bulk: bulk, deadline: deadline)
        while true {
            let remaining = expiry - ContinuousClock.now
            guard remaining > .zero, let answer = try receive(timeout: remaining) else {
                throw lateAnswer
            }
            guard answer.header.requestID == id else { continue }
            if case .failure(let error) = answer.body { throw error }
            return answer
        }
    }
}
