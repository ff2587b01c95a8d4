import Foundation
import LociBase
import LociModel
import LociTransport
import LociWire

/// What the client's thread does: sends what callers submit, hands answers to those who wait for
/// them, and ends what is past its deadline.
///
/// Invariants:
/// - A request is in `waiting` or in `inFlight`, never in both; at most `requestsInFlight` are in
///   the latter.
struct ExchangeLoop {
    private let exchange: Exchange
    private let router: RequestRouter
    /// In the order of submission, from `waitingStart` on.
    private var waiting: [PendingRequest] = []
    private var inFlight: [UInt64: PendingRequest] = [:]
    private var answered = 0
    private var nextExpiryCheck = ContinuousClock.now

    /// Longest sleep while requests wait for a connection.
    private static let reconnectMilliseconds = 10
    /// How often deadlines are looked at.
    private static let expiryMilliseconds = 20

    init(_ exchange: Exchange, context: TransportContext) throws(TransportError) {
        self.exchange = exchange
        router = try RequestRouter(
            context, coordinator: exchange.coordinator, routing: exchange.routing,
            wakeUp: exchange.wakeUp)
    }

    mutating func run() {
        while true {
            exchange.wakeUp.drain()
            guard let submitted = exchange.take(answered: answered) else { return }
            answered = 0
            waiting.append(contentsOf: submitted)
            router.look()
            send()
            receive()
            expire()
            if answered > 0 { continue }
            // A poller that fails would make this loop spin; deadlines still end every request.
            if (try? router.wait(milliseconds: sleepMilliseconds)) == nil {
                Thread.sleep(forTimeInterval: 0.01)
            }
        }
    }

    private var sleepMilliseconds: Int {
        if !waiting.isEmpty && inFlight.count < exchange.requestsInFlight {
            return Self.reconnectMilliseconds
        }
        return waiting.isEmpty && inFlight.isEmpty ? 1000 : Self.expiryMilliseconds
    }

    private mutating func send() {
        var sent = 0
        while sent < waiting.count, inFlight.count < exchange.requestsInFlight {
            let request = waiting[sent]
            do {
                guard try router.send(request.routed) else { break }
                inFlight[request.id] = request
            } catch {
                finish(request, .failure(error))
            }
            sent += 1
        }
        waiting.removeFirst(sent)
    }

    private mutating func receive() {
        while let (id, reply) = router.receive() {
            // What nobody waits for any more is dropped.
            guard let request = inFlight.removeValue(forKey: id) else { continue }
            finish(request, .success(reply))
        }
    }

    private mutating func expire() {
        let now = ContinuousClock.now
        guard now >= nextExpiryCheck else { return }
        nextExpiryCheck = now + .milliseconds(Self.expiryMilliseconds)
        for request in inFlight.values where request.expiry <= now {
            inFlight[request.id] = nil
            router.forget(request.id)
            finish(
                request,
                .failure(router.hasHeard ? lateAnswer : noCoordinator(exchange.coordinator)))
        }
        // With room among those in flight, what still waits waits for the socket.
        let isStuck = inFlight.count < exchange.requestsInFlight
        let reach = isStuck && !router.hasHeard ? now - LociClient.reachTime : nil
        func isOver(_ request: PendingRequest) -> Bool {
            request.expiry <= now || reach.map { request.submitted <= $0 } ?? false
        }
        for request in waiting where isOver(request) {
            finish(request, .failure(isStuck ? noCoordinator(exchange.coordinator) : lateAnswer))
        }
        waiting.removeAll(where: isOver)
    }

    private mutating func finish(_ request: PendingRequest, _ result: Result<Reply, LociError>) {
        request.continuation.resume(returning: result)
        answered += 1
    }
}

let lateAnswer = LociError(
    .deadlineExceeded, "No answer came before the request's deadline.",
    advice: "Ask for less at once, allow more time with --deadline, or see `loci status`.")

func noCoordinator(_ endpoint: Endpoint) -> LociError {
    LociError(
        .unavailable, "No coordinator answers at \(endpoint).",
        advice: "Start one with scripts/cluster up, or name it with --coordinator.")
}
