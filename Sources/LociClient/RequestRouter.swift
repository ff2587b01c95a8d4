import LociBase
import LociModel
import LociTransport
import LociWire

/// The sockets of one thread, and where each request goes: to the coordinator or, with
/// `Routing.direct`, to the shards at once and back to the coordinator where that does not work.
///
/// Invariants:
/// - Whoever sends a request gets at most one reply for it, whichever ways it took.
/// - A request goes to shards only when all that it needs have accepted a connection; so requests
///   never wait for the placement or for connections, which are made ahead.
/// - A request that shards have not answered after a quarter of the time that it had left goes to
///   the coordinator; one whose time is up is forgotten without a reply.
/// - At most `mostShards` shards are connected to; requests for others go to the coordinator.
///
/// Used by one thread.
final class RequestRouter {
    /// Connections that one client opens to shards.
    static let mostShards = 256
    /// No request has this id: it asks for the placement.
    static let placementID = UInt64.max

    let endpoint: Endpoint
    let routing: Routing
    let context: TransportContext
    let coordinator: DealerSocket
    /// Tells this client's prefetches from those of others.
    let client = UInt64.random(in: 1...UInt64.max)
    /// Whether the coordinator has ever answered.
    private(set) var hasHeard = false
    private let wakeUp: WakeUp?
    private var poller = Poller()
    /// What each slot of the poller is.
    private var slots: [Slot] = []
    /// Slots that may have something to be received.
    private var readable: [Poller.Slot] = []
    private var replies: [(id: UInt64, reply: Reply)] = []

    var operations: [UInt64: DirectOperation] = [:]
    var placement: ClusterPlacement?
    var fields: [String: PlacedField] = [:]
    var links: [ShardLink] = []
    /// A shard's refusal cast doubt on the placement: until there is a newer one, or until then,
    /// only the coordinator is asked.
    var doubtedUntil: ContinuousClock.Instant?
    var placementAsked: ContinuousClock.Instant?
    /// Until then the placement is asked for ahead of all requests; nil once that was done.
    var aheadUntil: ContinuousClock.Instant?
    /// When something has to be looked at again, at the earliest.
    var nextCheck: ContinuousClock.Instant?

    private enum Slot {
        case wakeUp
        case coordinator
        case shard(Int, DealerSocket)
    }

    /// - Parameter wakeUp: Ends a `wait`, too.
    init(
        _ context: TransportContext, coordinator endpoint: Endpoint, routing: Routing,
        wakeUp: WakeUp? = nil
    ) throws(TransportError) {
        self.context = context
        self.endpoint = endpoint
        self.routing = routing
        self.wakeUp = wakeUp
        coordinator = try DealerSocket(context, connecting: endpoint)
        if routing == .direct {
            aheadUntil = .now + LociClient.reachTime
            nextCheck = .now
        }
        watchAll()
    }

    /// Takes a request.
    /// - Parameter shardsOnly: It does not go to the coordinator for now.
    /// - Returns: False while nobody can take it: the caller keeps it and tries later.
    /// - Throws: RESOURCE_EXHAUSTED when it is too large, or what the socket says.
    func send(_ request: RoutedRequest, shardsOnly: Bool = false) throws(LociError) -> Bool {
        if routing == .direct, let cells = request.cells, sendDirectly(request, cells) {
            return true
        }
        // Nothing has been sent yet.
        return shardsOnly ? false : try sendToCoordinator(try request.frames())
    }

    func sendToCoordinator(_ frames: [Bytes]) throws(LociError) -> Bool {
        do {
            return try coordinator.send(frames) == .sent
        } catch {
            throw error.sentence
        }
    }

    /// The next reply to any request. Never waits.
    func receive() -> (id: UInt64, reply: Reply)? {
        while true {
            if !replies.isEmpty { return replies.removeFirst() }
            guard let slot = readable.last else { return nil }
            switch slots[slot] {
            case .wakeUp: readable.removeLast()
            case .coordinator:
                guard let message = next(of: coordinator) else { continue }
                hasHeard = true
                take(coordinator: message)
            case .shard(let shard, let socket):
                guard let message = next(of: socket) else { continue }
                take(message, from: shard)
            }
        }
    }

    /// The next message of the last readable socket; nil when it has no more, or sent what is not
    /// a message.
    private func next(of socket: DealerSocket) -> Message? {
        guard let frames = try? socket.receive() else {
            readable.removeLast()
            return nil
        }
        return try? Message(frames: frames)
    }

    private func take(coordinator message: Message) {
        let id = message.header.requestID
        if id == Self.placementID { return take(placement: message) }
        if let operation = operations[id] {
            guard case .fallingBack = operation.stage else { return }
            finish(operation, .message(message))
        } else {
            replies.append((id, .message(message)))
        }
    }

    /// Ends an operation with a reply.
    func finish(_ operation: DirectOperation, _ reply: Reply) {
        guard operations.removeValue(forKey: operation.request.id) != nil else { return }
        replies.append((operation.request.id, reply))
    }

    /// Nobody waits for the request any more.
    func forget(_ id: UInt64) {
        if !operations.isEmpty { operations[id] = nil }
    }

    /// Sleeps until something can be received, `look` has something to do, or the time is over.
    func wait(milliseconds: Int) throws(TransportError) {
        guard replies.isEmpty else { return }
        var time = milliseconds
        if let nextCheck {
            let rest = (nextCheck - ContinuousClock.now).wireMicroseconds
            time = min(time, Int(rest + 999) / 1000)
        }
        readable = try poller.wait(timeoutMilliseconds: max(0, time))
    }

    /// Waits from now on for the connections that there are.
    func watchAll() {
        poller = Poller()
        slots = []
        readable = []
        poller.add(coordinator)
        slots.append(.coordinator)
        if let wakeUp {
            poller.add(wakeUp)
            slots.append(.wakeUp)
        }
        for (shard, link) in links.enumerated() {
            if let socket = link.socket { watch(socket, shard: shard) }
        }
    }

    /// Adds a connection to those that are waited for.
    func watch(_ socket: DealerSocket, shard: Int) {
        poller.add(socket)
        slots.append(.shard(shard, socket))
    }
}
