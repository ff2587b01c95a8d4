import CZeroMQ
public import LociBase

/// A client's socket: one connection, made again whenever it is lost. Used by one thread only.
public final class DealerSocket {
    let socket: Socket
    public let endpoint: Endpoint
    /// Messages thrown away because of too many frames.
    public private(set) var droppedMessages: UInt64 = 0
    /// Whether the last call found nothing to be received, and took in all news; see `Poller`.
    var isDrained = false

    /// Returns at once; whether somebody listens there shows in `canSend`.
    public init(
        _ context: TransportContext, connecting endpoint: Endpoint
    ) throws(TransportError) {
        let socket = try Socket.open(.dealer, context, endpoint)
        try socket.connect(endpoint)
        self.endpoint = endpoint
        self.socket = socket
    }

    /// Never waits. `wouldBlock` while there is no connection.
    /// - Throws: `tooLarge` before anything is sent.
    public func send(_ frames: [Bytes]) throws(TransportError) -> SendOutcome {
        isDrained = false
        return try socket.send(frames)
    }

    /// Waits until there is a connection with room for a message.
    /// - Returns: Whether there is one now.
    public func canSend(timeoutMilliseconds: Int) -> Bool {
        isDrained = false
        return socket.wait(
            for: ZMQ_POLLOUT, until: ContinuousClock.now + .milliseconds(timeoutMilliseconds))
    }

    /// Never waits.
    /// - Returns: nil when no message is there.
    public func receive() throws(TransportError) -> [Bytes]? {
        isDrained = false
        for _ in 0..<TransportPolicy.dropsPerReceive {
            switch try socket.receive(limit: Limits.frames) {
            case .empty:
                isDrained = true
                return nil
            case .dropped: droppedMessages += 1
            case .frames(let frames): return frames
            }
        }
        return nil
    }

    /// - Returns: nil when no message came in time.
    public func receive(timeoutMilliseconds: Int) throws(TransportError) -> [Bytes]? {
        let end = ContinuousClock.now + .milliseconds(timeoutMilliseconds)
        repeat {
            if let frames = try receive() { return frames }
            isDrained = false
        } while socket.wait(for: ZMQ_POLLIN, until: end)
        return nil
    }
}
