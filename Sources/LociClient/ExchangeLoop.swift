import Foundation
import LociBase
import LociModel
import LociTransport
import LociWire

/// What the client's thread does: sends what callers submit, hands answers to those who wait for
/// them, and ends what is past its deadline.
///
/// Invariants:
/// - A request is in one of `waiting`, `held` and `inFlight`; at most `requestsInFlight` are in the
///   last. While there is room in it, `waiting` is empty after `send`.
/// - Requests for the coordinator are sent in the order of submission. One that only shards need
///   does not wait for them.
struct ExchangeLoop {
    private let exchange: Exchange
    private let router: RequestRouter
    /// Not tried yet, in the order of submission.
    private var waiting: [PendingRequest] = []
    /// Nobody could take these when they were tried; in the order of submission.
    private var held: [PendingRequest] = []
    private var nextTry = ContinuousClock.now
    private var inFlight: [UInt64: PendingRequest] = [:]
    private var answered = 0
    /// No request ends earlier than this.
    private var nextExpiry = ContinuousClock.now

    /// Between two attempts to send what is held.
    private static let retryInterval = Duration.milliseconds(10)
    /// How many held requests are tried at once with shards while the coordinator is away; the
    /// first ones.
    private static let shardAttempts = 16
    /// Between two looks at all deadlines.
    private static let shortestLook = Duration.milliseconds(1)
    private static let longestSleep = Duration.seconds(1)

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
            for request in submitted {
                nextExpiry = min(nextExpiry, request.end(ifUnheard: !router.hasHeard))
            }
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

    private var hasRoom: Bool { inFlight.count < exchange.requestsInFlight }

    private var sleepMilliseconds: Int {
        let due = held.isEmpty || !hasRoom ? nextExpiry : min(nextExpiry, nextTry)
        let time = min(due - ContinuousClock.now, Self.longestSleep)
        return Int(time.wireMicroseconds + 999) / 1000
    }

    private mutating func send() {
        if !held.isEmpty, hasRoom, ContinuousClock.now >= nextTry { sendHeld() }
        var tried = 0
        while tried < waiting.count, hasRoom {
            let request = waiting[tried]
            tried += 1
            if send(request, shardsOnly: !held.isEmpty) { continue }
            if held.isEmpty { nextTry = .now + Self.retryInterval }
            held.append(request)
        }
        waiting.removeFirst(tried)
    }

    /// What shards cannot take waits for the coordinator, without standing in others' way.
    private mutating func sendHeld() {
        var kept: [PendingRequest] = []
        var attempts = 0
        var isCoordinatorAway = false
        for (index, request) in held.enumerated() {
            guard hasRoom, attempts < Self.shardAttempts else {
                kept += held[index...]
                break
            }
            if isCoordinatorAway {
                guard request.routed.isForShards else {
                    kept.append(request)
                    continue
                }
                attempts += 1
            }
            if send(request, shardsOnly: isCoordinatorAway) { continue }
            kept.append(request)
            isCoordinatorAway = true
        }
        held = kept
        if isCoordinatorAway { nextTry = .now + Self.retryInterval }
    }

    /// - Returns: False while nobody can take the request.
    private mutating func send(_ request: PendingRequest, shardsOnly: Bool) -> Bool {
        if shardsOnly, !request.routed.isForShards { return false }
        do {
            guard try router.send(request.routed, shardsOnly: shardsOnly) else { return false }
            inFlight[request.id] = request
        } catch {
            finish(request, .failure(error))
        }
        return true
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
        guard now >= nextExpiry else { return }
        var next = now + Self.longestSleep
        for request in inFlight.values {
            guard request.expiry <= now else {
                next = min(next, request.expiry)
                continue
            }
            inFlight[request.id] = nil
            router.forget(request.id)
            finish(
                request,
                .failure(router.hasHeard ? lateAnswer : noCoordinator(exchange.coordinator)))
        }
        // With room among those in flight, what still waits waits for the socket.
        let isStuck = hasRoom
        let isUnheard = isStuck && !router.hasHeard
        let failure = isStuck ? noCoordinator(exchange.coordinator) : lateAnswer
        for request in held + waiting {
            let end = request.end(ifUnheard: isUnheard)
            if end <= now { finish(request, .failure(failure)) } else { next = min(next, end) }
        }
        held.removeAll { $0.end(ifUnheard: isUnheard) <= now }
        waiting.removeAll { $0.end(ifUnheard: isUnheard) <= now }
        nextExpiry = max(next, now + Self.shortestLook)
    }

    private mutating func finish(_ request: PendingRequest, _ result: Result<Reply, LociError>) {
        request.continuation.resume(returning: result)
        answered += 1
    }
}

extension PendingRequest {
    /// When a request that is not sent is given up: early if the coordinator was never heard of.
    fileprivate func end(ifUnheard isUnheard: Bool) -> ContinuousClock.Instant {
        isUnheard ? min(expiry, submitted + LociClient.reachTime) : expiry
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
