/// What a node's gossip has done and holds.
public struct GossipVitals: Equatable, Sendable {
    public var rounds: UInt64 = 0
    public var messagesSent: UInt64 = 0
    public var messagesReceived: UInt64 = 0
    public var bytesSent: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// Entries of others that were taken in.
    public var taken: UInt64 = 0
    /// Entries that were no news.
    public var stale: UInt64 = 0
    /// Messages that answer nothing that was asked: late, repeated or forged.
    public var unasked: UInt64 = 0
    /// Messages and entries that make no sense, or come from nodes that may not publish.
    public var nonsense: UInt64 = 0
    /// Messages that went unanswered because a round's budget was spent.
    public var overBudget: UInt64 = 0
    /// Entries for which there was no room.
    public var refused: UInt64 = 0
    /// Entries that lived out their time, on arrival or in the table.
    public var expired: UInt64 = 0
    /// Entries that made room for others.
    public var evicted: UInt64 = 0
    public var entries = 0
    public var memoryBytes = 0
    /// Equal for two nodes that hold the same entries.
    public var fingerprint: UInt64 = 0

    public init() {}
}
