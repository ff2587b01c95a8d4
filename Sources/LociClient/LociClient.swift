public import LociBase
public import LociModel
public import LociTransport
public import LociWire
import Synchronization

/// A program's way to a Loci cluster: typed verbs, many of them at once, over one connection to the
/// coordinator.
///
///     let client = try LociClient(coordinator: Endpoint("tcp://127.0.0.1:7100"))
///     try await client.createField("rows", elementType: .raw, shape: [1_000_000, 264])
///     try await client.write("rows", first: 42, bytes: cell)
///     let cells = try await client.read("rows", cells: [42, 7, 42])
///     print(cells.bytes.count, cells.receipt.pagesTouched)
///
/// Invariants:
/// - A request ends by its deadline at the latest: with an answer, with what the coordinator
///   refused, with DEADLINE_EXCEEDED, or with UNAVAILABLE when it could not even be sent.
/// - One background thread owns the socket. It reconnects by itself.
/// - At most `requestsInFlight` requests are with the coordinator; up to
///   `LociClient.waitingRequests` more wait their turn, and beyond those RESOURCE_EXHAUSTED is
///   thrown.
///
/// A request that failed with DEADLINE_EXCEEDED or UNAVAILABLE may have been carried out. All verbs
/// but `create` and `drop` can be repeated without harm.
public final class LociClient: Sendable {
    /// Requests that wait while `requestsInFlight` others are with the coordinator.
    public static let waitingRequests = 4096
    /// Time in which a coordinator that was never heard of must accept the connection.
    public static let reachTime = Duration.seconds(2)

    /// Where the coordinator is.
    public let coordinator: Endpoint
    public let routing: Routing
    /// Time that every request has for its answer.
    public let deadline: Duration
    let shared: SharedExchange

    /// Starts the background thread; the connection is made behind the scenes.
    /// - Parameters:
    ///   - deadline: Time that every request has; more than `Limits.deadlineMicroseconds` is cut.
    ///   - requestsInFlight: At least 1.
    ///   - routing: Which way reads, prefetches and releases of fields take.
    /// - Throws: RESOURCE_EXHAUSTED or UNAVAILABLE when the system has no socket for us.
    public init(
        coordinator: Endpoint, deadline: Duration = .seconds(10), requestsInFlight: Int = 64,
        routing: Routing = .coordinator
    ) throws(LociError) {
        precondition(requestsInFlight > 0)
        self.coordinator = coordinator
        self.routing = routing
        self.deadline = deadline
        shared = try SharedExchange(
            coordinator: coordinator, requestsInFlight: requestsInFlight, routing: routing)
    }

    private init(_ other: LociClient, deadline: Duration) {
        coordinator = other.coordinator
        routing = other.routing
        self.deadline = deadline
        shared = other.shared
    }

    /// The same connection with another deadline.
    public func withDeadline(_ deadline: Duration) -> LociClient {
        LociClient(self, deadline: deadline)
    }

    /// Sends one request and waits for its answer.
    /// - Throws: What the coordinator answered as a failure; RESOURCE_EXHAUSTED when the message
    ///   is too large; UNAVAILABLE; DEADLINE_EXCEEDED.
    public func call(_ body: Body, bulk: [Bytes] = []) async throws(LociError) -> Message {
        try await ask(body, bulk: bulk).message()
    }

    func ask(_ body: Body, bulk: [Bytes]) async throws(LociError) -> Reply {
        let request = try RoutedRequest(
            id: shared.nextRequestID(), body, bulk: bulk, deadline: deadline, routing: routing)
        let result = await withCheckedContinuation { continuation in
            shared.exchange.submit(
                PendingRequest(routed: request, submitted: .now, continuation: continuation))
        }
        return try result.get()
    }
}

/// The exchange of all clients that differ only in their deadlines; it ends with the last of them.
final class SharedExchange: Sendable {
    let exchange: Exchange
    private let lastRequestID = Atomic<UInt64>(0)
    /// What is known of fields, to cut reads into chunks.
    let fields = Mutex<[String: FieldDefinition]>([:])

    init(coordinator: Endpoint, requestsInFlight: Int, routing: Routing) throws(LociError) {
        exchange = try Exchange(
            coordinator: coordinator, requestsInFlight: requestsInFlight, routing: routing)
        exchange.start()
    }

    deinit { exchange.close() }

    func nextRequestID() -> UInt64 {
        lastRequestID.wrappingAdd(1, ordering: .relaxed).newValue
    }
}

extension Duration {
    /// Whole microseconds, from 1 to the longest deadline that the wire allows.
    var wireMicroseconds: UInt64 {
        let (seconds, attoseconds) = components
        let microseconds = Double(seconds) * 1e6 + Double(attoseconds) / 1e12
        return UInt64(min(max(microseconds, 1), Double(Limits.deadlineMicroseconds)))
    }
}

func unexpected(_ message: Message) -> LociError {
    LociError(
        .internal, "The coordinator's answer does not fit the question.",
        advice: "Use the same version of client and cluster; `loci --version` says the client's.")
}
