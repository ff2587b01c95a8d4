import CZeroMQ
import Glibc
import LociBase

/// What became of a message. One that was not sent left nothing behind.
public enum SendOutcome: Equatable, Sendable {
    case sent
    /// The peer's queue is full, or there is no connection now: try later, or give up.
    case wouldBlock
    /// The peer is gone; it comes back under another identity if at all.
    case unreachable
}

/// A ZeroMQ socket with the options of `TransportPolicy`.
///
/// Invariants:
/// - Used by one thread.
/// - Between calls there is never half a message, neither sent nor received.
@safe struct Socket: ~Copyable {
    let pointer: UnsafeMutableRawPointer
    private let context: TransportContext
    private let subject: String

    enum Kind { case router, dealer }

    enum Reception {
        case empty
        case frames([Bytes])
        /// A message of too many frames was taken from the queue and thrown away.
        case dropped
    }

    static func open(
        _ kind: Kind, _ context: TransportContext, _ endpoint: Endpoint
    ) throws(TransportError) -> Socket {
        let type = kind == .router ? ZMQ_ROUTER : ZMQ_DEALER
        guard let pointer = unsafe zmq_socket(context.pointer, type) else {
            throw .last(endpoint.text)
        }
        let socket = unsafe Socket(pointer: pointer, context: context, subject: endpoint.text)
        try socket.setOptions(kind, isIPv6: endpoint.isIPv6)
        return socket
    }

    private init(pointer: UnsafeMutableRawPointer, context: TransportContext, subject: String) {
        unsafe self.pointer = pointer
        self.context = context
        self.subject = subject
    }

    deinit { unsafe zmq_close(pointer) }

    private func setOptions(_ kind: Kind, isIPv6: Bool) throws(TransportError) {
        var options: [(Int32, Int32)] = [
            (ZMQ_LINGER, TransportPolicy.lingerMilliseconds),
            (ZMQ_SNDHWM, TransportPolicy.sendHighWaterMark),
            (ZMQ_RCVHWM, TransportPolicy.receiveHighWaterMark),
            (ZMQ_HANDSHAKE_IVL, TransportPolicy.handshakeMilliseconds),
            (ZMQ_HEARTBEAT_IVL, TransportPolicy.heartbeatMilliseconds),
            (ZMQ_HEARTBEAT_TIMEOUT, TransportPolicy.heartbeatTimeoutMilliseconds),
            (ZMQ_HEARTBEAT_TTL, TransportPolicy.heartbeatTimeoutMilliseconds),
            (ZMQ_RECONNECT_IVL, TransportPolicy.reconnectMilliseconds),
            (ZMQ_RECONNECT_IVL_MAX, TransportPolicy.longestReconnectMilliseconds),
            (ZMQ_BACKLOG, TransportPolicy.backlog),
            (ZMQ_IPV6, isIPv6 ? 1 : 0),
        ]
        switch kind {
        case .router: options += [(ZMQ_ROUTER_MANDATORY, 1), (ZMQ_ROUTER_HANDOVER, 1)]
        case .dealer: options += [(ZMQ_IMMEDIATE, 1)]
        }
        for (option, value) in options { try set(option, value) }
        try set(ZMQ_MAXMSGSIZE, TransportPolicy.frameBytes)
    }

    private func set<Value: BitwiseCopyable>(
        _ option: Int32, _ value: Value
    ) throws(TransportError) {
        let result = unsafe withUnsafeBytes(of: value) { bytes in
            unsafe zmq_setsockopt(pointer, option, bytes.baseAddress, bytes.count)
        }
        guard result == 0 else { throw .last(subject) }
    }

    /// Becomes readable when there is news for the socket; see `Poller`.
    var descriptor: Int32 {
        let number: Int32? = option(ZMQ_FD)
        return number ?? -1
    }

    /// Whether a message is there. A socket that cannot say has something, too: `receive` tells.
    var hasInput: Bool {
        let events: Int32? = option(ZMQ_EVENTS)
        return events.map { $0 & ZMQ_POLLIN != 0 } ?? true
    }

    private func option(_ option: Int32) -> Int32? {
        var value: Int32 = 0
        var size = MemoryLayout<Int32>.size
        return retried { unsafe zmq_getsockopt(pointer, option, &value, &size) } == 0 ? value : nil
    }

    /// - Returns: The endpoint bound; it has a number where the system was to choose the port.
    func bind(_ endpoint: Endpoint) throws(TransportError) -> Endpoint {
        if let path = endpoint.path { try UnixSocketFile.checkFree(path, endpoint) }
        guard unsafe zmq_bind(pointer, endpoint.text) == 0 else { throw .last(endpoint.text) }
        var text = [CChar](repeating: 0, count: 256)
        var size = text.count
        guard unsafe zmq_getsockopt(pointer, ZMQ_LAST_ENDPOINT, &text, &size) == 0 else {
            throw .last(endpoint.text)
        }
        let bound = String(decoding: text.prefix(max(size - 1, 0)).map(UInt8.init), as: UTF8.self)
        do { return try Endpoint(bound) } catch { return endpoint }
    }

    func connect(_ endpoint: Endpoint) throws(TransportError) {
        guard unsafe zmq_connect(pointer, endpoint.text) == 0 else { throw .last(endpoint.text) }
    }

    /// Sends all frames or none.
    func send(_ frames: [Bytes], routing: PeerID? = nil) throws(TransportError) -> SendOutcome {
        precondition(!frames.isEmpty)
        for frame in frames where frame.count > Limits.frameBytes {
            throw TransportError(.tooLarge, "a frame of \(frame.count) bytes")
        }
        var failure: Int32 = 0
        if let routing { failure = sendRouting(routing) }
        for (index, part) in frames.enumerated() {
            // The first part was refused: nothing has been sent. A later one was: the peer went
            // away meanwhile, and ZeroMQ takes back the parts before and swallows those behind.
            if failure != 0, index == (routing == nil ? 1 : 0) { break }
            let number = sendPart(part, hasMore: index < frames.count - 1)
            if number != 0 { failure = number }
        }
        switch failure {
        case 0: return .sent
        case EAGAIN: return .wouldBlock
        case EHOSTUNREACH: return .unreachable
        default: throw TransportError(number: failure, subject)
        }
    }

    /// The identity by which a router finds the connection.
    private func sendRouting(_ peer: PeerID) -> Int32 {
        // 0, then the number in four bytes, the highest first.
        let bytes = (peer.value << 24).bigEndian
        return unsafe withUnsafeBytes(of: bytes) { source in
            retried {
                unsafe zmq_send(
                    pointer, source.baseAddress, PeerID.routingBytes, ZMQ_DONTWAIT | ZMQ_SNDMORE)
            }
        }
    }

    /// - Returns: 0 or an error number.
    private func sendPart(_ part: Bytes, hasMore: Bool) -> Int32 {
        let flags = ZMQ_DONTWAIT | (hasMore ? ZMQ_SNDMORE : 0)
        guard part.count > TransportPolicy.copiedFrameBytes else {
            return unsafe part.withUnsafeBytes { source in
                retried { unsafe zmq_send(pointer, source.baseAddress, source.count, flags) }
            }
        }
        var message = zmq_msg_t()
        return unsafe withUnsafeMutablePointer(to: &message) { message in
            guard unsafe part.lend(to: message) == 0 else { return zmq_errno() }
            let number = retried { unsafe zmq_msg_send(message, pointer, flags) }
            if number != 0 { unsafe zmq_msg_close(message) }
            return number
        }
    }

    private func retried(_ call: () -> Int32) -> Int32 {
        while call() < 0 {
            let number = zmq_errno()
            if number != EINTR { return number }
        }
        return 0
    }

    /// Takes one whole message if one is there. Frames beyond `limit` are never kept.
    func receive(limit: Int) throws(TransportError) -> Reception {
        var frames: [Bytes] = []
        var count = 0
        var message = zmq_msg_t()
        var hasMore = true
        while hasMore {
            let number = unsafe withUnsafeMutablePointer(to: &message) { message in
                unsafe zmq_msg_init(message)
                let number = retried { unsafe zmq_msg_recv(message, pointer, ZMQ_DONTWAIT) }
                if number == 0 {
                    hasMore = unsafe zmq_msg_more(message) != 0
                    count += 1
                    if count <= limit { frames.append(unsafe Bytes(receiving: message)) }
                }
                unsafe zmq_msg_close(message)
                return number
            }
            if number == EAGAIN { return .empty }
            guard number == 0 else { throw TransportError(number: number, subject) }
        }
        return count <= limit ? .frames(frames) : .dropped
    }

    /// Sleeps until the socket can do one of `events`, or until `end`.
    /// - Returns: Whether it can.
    func wait(for events: Int32, until end: ContinuousClock.Instant) -> Bool {
        while true {
            let (seconds, attoseconds) = (end - ContinuousClock.now).components
            // Rounded up: a rest of less than a millisecond is slept, too.
            let rest = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
            var item = unsafe zmq_pollitem_t(
                socket: pointer, fd: 0, events: Int16(events), revents: 0)
            let count = unsafe zmq_poll(&item, 1, max(0, Int(rest)))
            if count > 0 { return true }
            if count == 0 || zmq_errno() != EINTR { return false }
        }
    }
}
