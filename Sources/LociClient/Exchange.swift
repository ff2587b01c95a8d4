import Foundation
import LociBase
import LociModel
import LociTransport
import LociWire
import Synchronization

/// A request between its caller and the thread that owns the socket.
struct PendingRequest: Sendable {
    let routed: RoutedRequest
    let submitted: ContinuousClock.Instant
    let continuation: CheckedContinuation<Result<Reply, LociError>, Never>

    var id: UInt64 { routed.id }
    var expiry: ContinuousClock.Instant { routed.expiry }

    func fail(_ error: LociError) { continuation.resume(returning: .failure(error)) }
}

/// Where callers leave requests, and the thread that carries them.
///
/// Invariants:
/// - Every submitted request's continuation is resumed exactly once.
/// - The thread ends after `close()`; until then it keeps the exchange alive.
final class Exchange: Sendable {
    private struct Inbox {
        var submitted: [PendingRequest] = []
        /// Requests that were submitted and have no answer yet.
        var unanswered = 0
        var isClosed = false
    }

    let coordinator: Endpoint
    let requestsInFlight: Int
    let routing: Routing
    let wakeUp: WakeUp
    private let context: TransportContext
    private let inbox = Mutex(Inbox())

    init(coordinator: Endpoint, requestsInFlight: Int, routing: Routing) throws(LociError) {
        self.coordinator = coordinator
        self.routing = routing
        self.requestsInFlight = requestsInFlight
        do {
            context = try TransportContext()
            wakeUp = try WakeUp()
        } catch {
            throw error.sentence
        }
    }

    func start() {
        let thread = Thread { self.run() }
        thread.name = "loci-client"
        thread.start()
    }

    func close() {
        inbox.withLock { $0.isClosed = true }
        wakeUp.signal()
    }

    func submit(_ request: PendingRequest) {
        let limit = requestsInFlight + LociClient.waitingRequests
        let isAccepted = inbox.withLock { inbox in
            guard inbox.unanswered < limit else { return false }
            inbox.unanswered += 1
            inbox.submitted.append(request)
            return true
        }
        guard isAccepted else {
            request.fail(
                LociError(
                    .resourceExhausted, "\(limit) requests of this client wait already.",
                    advice: "Wait for some answers first."))
            return
        }
        wakeUp.signal()
    }

    /// What was submitted since the last call; nil when the thread shall end.
    func take(answered: Int) -> [PendingRequest]? {
        inbox.withLock { inbox in
            inbox.unanswered -= answered
            guard !inbox.isClosed || inbox.unanswered > 0 else { return nil }
            defer { inbox.submitted.removeAll(keepingCapacity: true) }
            return inbox.submitted
        }
    }

    private func run() {
        do {
            var loop = try ExchangeLoop(self, context: context)
            loop.run()
        } catch {
            refuseAll(error.sentence)
        }
    }

    /// There is no socket: every request gets the reason until the client is closed.
    private func refuseAll(_ reason: LociError) {
        var answered = 0
        while let requests = take(answered: answered) {
            for request in requests { request.fail(reason) }
            answered = requests.count
            if answered == 0 { Thread.sleep(forTimeInterval: 0.02) }
        }
    }
}
