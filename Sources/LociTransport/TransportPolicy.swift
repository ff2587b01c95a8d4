import LociBase

/// Every setting of every socket. The facts behind them were measured with ZeroMQ 4.3.4, whose own
/// defaults are unlimited message size, closing that can hang, no heartbeats, and silent drops.
/// Routing identifiers are never set: a fixed one can black-hole a peer after a reconnect.
public enum TransportPolicy {
    /// Messages that may wait to be sent to one peer. Beyond it `send` answers `wouldBlock`.
    public static let sendHighWaterMark: Int32 = 1000
    /// Messages that may wait to be received from one peer. Beyond it the peer's sends wait.
    public static let receiveHighWaterMark: Int32 = 1000
    /// A peer that sends a larger frame is disconnected, without a word to it; so senders refuse
    /// first.
    public static let frameBytes = Int64(Limits.frameBytes)
    /// Closing drops what was not sent; whoever needs delivery waits for an answer.
    public static let lingerMilliseconds: Int32 = 0
    /// A connection that does not greet in time is closed.
    public static let handshakeMilliseconds: Int32 = 2000
    /// A stopped peer is noticed within about 0.8 s.
    public static let heartbeatMilliseconds: Int32 = 200
    public static let heartbeatTimeoutMilliseconds: Int32 = 600
    /// First and longest pause between attempts to connect; it doubles in between.
    public static let reconnectMilliseconds: Int32 = 50
    public static let longestReconnectMilliseconds: Int32 = 2000
    /// Connections that may wait to be accepted.
    public static let backlog: Int32 = 1024
    /// Sockets of one process.
    public static let sockets: Int32 = 4096
    /// File descriptors that a process asks the system for; every peer takes one.
    public static let fileDescriptors: UInt = 65_536
    /// Frames up to this size are copied between ZeroMQ and `Bytes`; larger ones share memory.
    public static let copiedFrameBytes = 1024
    /// Bad messages that one `receive` passes over before it lets others have their turn.
    public static let dropsPerReceive = 64
}
