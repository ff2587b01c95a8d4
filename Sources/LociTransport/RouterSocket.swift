public import LociBase

/// A peer of a router, as long as its connection lasts. A peer that reconnects is another one.
public struct PeerID: Hashable, Sendable {
    /// The five bytes that ZeroMQ generated, the first of them 0, as a big-endian number.
    public let value: UInt64

    public init(value: UInt64) { self.value = value }

    static let routingBytes = 5

    /// nil for an identity that ZeroMQ did not generate: our own peers never set one.
    init?(routing: Bytes) {
        guard routing.count == Self.routingBytes, routing[0] == 0 else { return nil }
        value = UInt64(routing.load(UInt32.self, at: 1).bigEndian)
    }
}

/// A server's socket. Used by one thread only.
public final class RouterSocket {
    let socket: Socket
    /// Where it listens; with a port where the system was asked to choose one.
    public let endpoint: Endpoint
    /// Messages thrown away because of too many frames or an identity that ZeroMQ did not generate.
    public private(set) var droppedMessages: UInt64 = 0
    /// Whether the last call found nothing to be received, and took in all news; see `Poller`.
    var isDrained = false

    public init(
        _ context: TransportContext, binding endpoint: Endpoint
    ) throws(TransportError) {
        let socket = try Socket.open(.router, context, endpoint)
        self.endpoint = try socket.bind(endpoint)
        self.socket = socket
    }

    /// Never waits.
    /// - Throws: `tooLarge` before anything is sent.
    public func send(_ frames: [Bytes], to peer: PeerID) throws(TransportError) -> SendOutcome {
        isDrained = false
        return try socket.send(frames, routing: peer)
    }

    /// Never waits.
    /// - Returns: nil when no message is there.
    public func receive() throws(TransportError) -> (peer: PeerID, frames: [Bytes])? {
        isDrained = false
        for _ in 0..<TransportPolicy.dropsPerReceive {
            switch try socket.receive(limit: Limits.frames + 1) {
            case .empty:
                isDrained = true
                return nil
            case .dropped: droppedMessages += 1
            case .frames(let frames):
                if frames.count > 1, let peer = PeerID(routing: frames[0]) {
                    return (peer, Array(frames.dropFirst()))
                }
                droppedMessages += 1
            }
        }
        return nil
    }
}
