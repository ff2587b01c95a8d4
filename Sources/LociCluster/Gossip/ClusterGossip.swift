import LociBase
import LociModel
import LociPlacement
import LociWire

/// How a process gossips.
public struct GossipSettings: Equatable, Sendable {
    /// Between two rounds.
    public var intervalMicroseconds: UInt64
    /// Decides which peers are asked. Give each process another.
    public var seed: UInt64
    /// After the start: what a process published before, it would say without knowing its past.
    public var silenceMicroseconds: UInt64 = 5_000_000
    /// Between two looks at what is worth publishing.
    public var publicationMicroseconds: UInt64 = 3_000_000

    public init(intervalMicroseconds: UInt64, seed: UInt64) {
        self.intervalMicroseconds = intervalMicroseconds
        self.seed = seed
    }
}

/// One process's part in the cluster's gossip: rounds in time, and messages as the wire has them.
/// Node 0 is the coordinator, node i + 1 is shard i.
///
/// Invariants:
/// - What the cluster's own nodes have not published is not taken in; a forger that the transport
///   lets in can pretend to be one of them (see `GossipNode`), so payloads are foreign bytes.
/// - Between two rounds at most `messagesPerRound` messages are decoded; more are dropped.
struct ClusterGossip: Sendable {
    static let coordinator: UInt64 = 0
    private static let messagesPerRound = 1024
    /// What the past has left is of use for so long after the start.
    static let youthMicroseconds: UInt64 = 60_000_000
    /// The first rounds follow each other faster: a process that has just started knows nothing.
    private static let eagerRounds = 8
    private static let eagerMicroseconds: UInt64 = 50_000

    static func node(of shard: ShardIndex) -> UInt64 { UInt64(shard) + 1 }

    private let settings: GossipSettings
    private(set) var node: GossipNode
    /// When the next round is due.
    private(set) var nextRound = Instant.zero
    private var startedAt: Instant?
    private var nextPublication = Instant.zero
    private var rounds = 0
    private var messagesLeft = ClusterGossip.messagesPerRound
    private var dropped: UInt64 = 0

    init(_ settings: GossipSettings, node number: UInt64, incarnation: UInt64, shards: Int) {
        self.settings = settings
        node = GossipNode(
            node: number, incarnation: min(incarnation, UInt64(UInt32.max) - 1),
            seed: mix64(settings.seed ^ number))
        node.origins = Set(0...UInt64(shards))
    }

    /// Opens exchanges if a round is due.
    mutating func startRound(
        among peers: [UInt64], at now: Instant
    ) -> [(to: UInt64, content: Bytes)] {
        if startedAt == nil { startedAt = now }
        guard nextRound <= now else { return [] }
        rounds += 1
        let isEager = rounds < Self.eagerRounds
        let interval = settings.intervalMicroseconds
        nextRound = now.advanced(
            microseconds: isEager ? min(interval / 10, Self.eagerMicroseconds) : interval)
        messagesLeft = Self.messagesPerRound
        return node.startRound(among: peers, at: now).map { ($0.to, $0.message.encoded) }
    }

    /// Since the first round.
    private func age(at now: Instant) -> UInt64 {
        startedAt.map { now.microseconds(since: $0) } ?? 0
    }

    func isYoung(at now: Instant) -> Bool { age(at: now) < Self.youthMicroseconds }

    private static let itemsPerWait: UInt64 = 4096

    /// Whether it is time to look what is worth publishing; if so, the next time is later: looking
    /// takes the deciding thread time for each item, so the more there are, the later.
    mutating func mayPublish(at now: Instant, items: Int = 0) -> Bool {
        guard age(at: now) >= settings.silenceMicroseconds, nextPublication <= now else {
            return false
        }
        let wait = settings.publicationMicroseconds
        nextPublication = now.advanced(
            microseconds: wait + wait * UInt64(items) / Self.itemsPerWait)
        return true
    }

    /// Opens an exchange with a peer that has just appeared.
    mutating func greet(_ peer: UInt64, at now: Instant) -> [(to: UInt64, content: Bytes)] {
        node.startRound(among: [peer], at: now).map { ($0.to, $0.message.encoded) }
    }

    /// Takes a message. Returns what is to be answered, to the same peer.
    /// - Parameter peer: Who sent it, as the transport knows: a node, or a stranger's number.
    mutating func receive(
        _ gossip: Gossip, _ bulk: [Bytes], from peer: UInt64, at now: Instant
    ) -> [Bytes] {
        guard bulk.count == 1, bulk[0].count <= node.limits.messageBytes, messagesLeft > 0,
            node.origins?.contains(gossip.node) ?? true, gossip.node != node.node
        else {
            dropped += 1
            return []
        }
        messagesLeft -= 1
        do throws(LociError) {
            let message = try GossipMessage(encoded: bulk[0])
            return node.receive(message, from: peer, at: now).map { $0.message.encoded }
        } catch {
            dropped += 1
            return []
        }
    }

    mutating func publish(
        _ updates: [PartUpdate], _ kind: GossipKind, timeToLive: UInt64, at now: Instant
    ) {
        for update in updates {
            if let payload = update.payload {
                node.publish(kind, part: update.part, payload, timeToLive: timeToLive, at: now)
            } else {
                node.withdraw(kind, part: update.part)
            }
        }
    }

    /// What came in since the last call and was published by an earlier life of this process; none
    /// when this life is not young any more.
    mutating func takeOwnPast(at now: Instant) -> [GossipEntry] {
        let news = node.takeNews()
        guard isYoung(at: now) else { return [] }
        return news.filter { $0.origin == node.node && !$0.isWithdrawn }
    }

    var vitals: LociWire.GossipVitals {
        let counts = node.vitals
        var vitals = LociWire.GossipVitals()
        vitals.rounds = counts.rounds
        vitals.messages = counts.messagesSent + counts.messagesReceived
        vitals.bytesSent = counts.bytesSent
        vitals.bytesReceived = counts.bytesReceived
        vitals.entries = UInt64(counts.entries)
        vitals.dropped =
            dropped + counts.nonsense + counts.unasked + counts.refused + counts.overBudget
        return vitals
    }
}
