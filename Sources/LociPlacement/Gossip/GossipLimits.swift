/// Every bound of gossip, with what happens at it. All nodes of a cluster should have the same:
/// tables that differ in size agree only on what all of them can hold.
public struct GossipLimits: Equatable, Sendable {
    /// Peers that a node opens an exchange with in each round.
    public var fanOut = 2
    /// Longest life of an entry. What claims more is cut to it, so no forgery outlives it from the
    /// time it was last told. Not more than 2^32 - 1 us, the widest that travels.
    public var timeToLiveAtMost: UInt64 = 600_000_000
    /// With less life than this left (microseconds) an entry is neither sent nor asked for.
    public var leastTimeToLive: UInt64 = 100_000
    /// Entries in a table. At the bound the sixteenth part that expires first is evicted, other
    /// than the node's own, and while the table stays nearly full nothing that expires as early is
    /// taken in or asked for.
    public var entries = 16_384
    /// Memory of a table: payloads, and `GossipTable.overheadBytes` for each entry. As `entries`.
    public var memoryBytes = 16 << 20
    /// Entries of one origin. At the bound that with the lowest version goes, so that all nodes
    /// keep the same, and an origin cannot push out others.
    public var entriesPerOrigin = 64
    /// Entries in one of the table's 256 leaves, which keys fall into by a hash. Beyond it new keys
    /// are refused; only keys made on purpose get there.
    public var entriesPerLeaf = 1024
    /// Bytes of one message. What does not fit waits for the next round; a larger one is dropped.
    public var messageBytes = 64 << 10
    /// Bytes that a node sends between two rounds. Beyond it it answers nothing until the next.
    public var bytesPerRound = 512 << 10
    /// Digests of others that a node answers between two rounds. More are dropped.
    public var answersPerRound = 64
    /// Of these, digests of one peer; and a peer gets a quarter of `bytesPerRound` at most.
    public var answersPerPeer = 4
    /// Messages sent whose answers are awaited. An answer to an older one is dropped.
    public var exchanges = 512

    public init() {}

    /// Whether the bounds fit each other.
    public var areSound: Bool {
        fanOut > 0 && timeToLiveAtMost > 0 && timeToLiveAtMost <= UInt64(UInt32.max)
            && entriesPerOrigin > 0 && entries >= entriesPerOrigin * 2 && entriesPerLeaf > 0
            && memoryBytes >= entriesPerOrigin * 4 * GossipTable.bytesOfLargest
            && messageBytes <= GossipMessage.bytesAtMost
            && messageBytes >= GossipMessage.bytesOfLeaf(entriesPerLeaf + entriesPerOrigin)
            && bytesPerRound / 4 >= messageBytes && answersPerRound > 0 && answersPerPeer > 0
            && exchanges >= 2 * (fanOut + answersPerRound)
    }
}
