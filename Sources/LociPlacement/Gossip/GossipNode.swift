public import LociBase

/// Spreads small advisory entries among nodes by push-pull anti-entropy (Demers et al., "Epidemic
/// algorithms for replicated database maintenance", PODC 1987, section 1.4): in each round a node
/// compares tables with a few random others, and each gives the other what it lacks. Whatever is
/// lost, repeated, late or out of order, all nodes that can reach each other come to hold the same,
/// in a number of rounds that grows as the logarithm of their number.
///
/// A value that decides: it has no clock, socket or thread. Whoever drives it calls `startRound` at
/// a steady pace, passes on the messages that it returns, and calls `receive` with what arrives.
/// The transport says truly from which peer a message came; nothing else in it is believed.
///
/// Invariants:
/// - Entries come in only with an answer to one of this node's own messages, one answer to each. So
///   a peer can make a node take in no more than `messageBytes` for each message that it gets.
/// - Among honest nodes nothing outlives its time to live: the whole time from asking to receiving
///   counts against it. Only durations travel; clocks may differ, but not run at different speeds.
/// - Memory, messages and bytes per round stay within `GossipLimits`.
///
/// What a forger can do. Entries are not signed. A version, origin or time to live may be forged by
/// a peer that the transport lets in; what follows is bounded:
/// - A forged time to live is cut to `timeToLiveAtMost`. When the forger is gone, its entries are
///   gone after that time.
/// - A forged version holds up one key of the origin, or with many keys as many as
///   `entriesPerOrigin`, for as long. The origin itself, when it hears of a newer entry of a key
///   that it has published, publishes above it at once, unless the version is the highest there is.
/// - Forged origins are refused where `origins` says who may publish. Where it does not, they may
///   push out what expires before them, within the bound of the table.
/// - Fingerprints are no secret. Keys made so that two tables seem equal hide differences from each
///   other's eyes; that delays advice.
public struct GossipNode: Sendable {
    public let node: UInt64
    public let limits: GossipLimits
    /// Nodes whose entries are taken in, beside the node's own; nil for any.
    public var origins: Set<UInt64>?
    var table: GossipTable
    var exchanges: GossipExchanges
    var random: SeededRandom
    var counts = GossipVitals()
    private var latest: UInt64
    private var clock = Instant.zero

    /// - Parameters:
    ///   - node: The number of this node; the origin of what it publishes.
    ///   - incarnation: Larger at each start, below 2^32 - 1: what it publishes in this life then
    ///     replaces what it published before. What it does not publish again comes back to it from
    ///     its peers, as news.
    ///   - seed: Decides which peers are chosen; give each node another.
    public init(
        node: UInt64, incarnation: UInt64, limits: GossipLimits = GossipLimits(), seed: UInt64
    ) {
        precondition(incarnation < UInt64(UInt32.max) && limits.areSound)
        self.node = node
        self.limits = limits
        latest = incarnation << 32
        table = GossipTable(node: node, limits: limits)
        exchanges = GossipExchanges(limits: limits)
        random = SeededRandom(seed: seed)
    }

    /// Publishes, in place of what this node last published of the key. Of more keys than
    /// `entriesPerOrigin` those published longest ago go, on all nodes.
    ///
    /// Give a key the same time to live each time: a node that was cut off may still hold an older
    /// version, and it comes back when a newer one with a shorter life has expired.
    /// - Precondition: The payload has 1 to 4,096 bytes.
    /// - Parameter timeToLive: Microseconds; cut to the limit. Should be many rounds.
    public mutating func publish(
        _ kind: GossipKind, part: UInt32, _ payload: Bytes, timeToLive: UInt64, at now: Instant
    ) {
        precondition(!payload.isEmpty && payload.count <= GossipEntry.payloadBytesAtMost)
        let key = GossipKey(origin: node, kind: kind, part: part)
        let life = min(timeToLive, limits.timeToLiveAtMost)
        publish(key, payload.compact(), expiry: now.advanced(microseconds: life), above: table[key])
    }

    /// Takes back what this node published of the key: others learn it as an entry without payload.
    public mutating func withdraw(_ kind: GossipKind, part: UInt32) {
        let key = GossipKey(origin: node, kind: kind, part: part)
        guard let held = table[key], !held.payload.isEmpty else { return }
        publish(key, Bytes(), expiry: held.expiry, above: held)
    }

    mutating func publish(
        _ key: GossipKey, _ payload: Bytes, expiry: Instant, above held: GossipTable.Held?
    ) {
        latest = min(latest + 1, GossipEntry.versionAtMost)
        let above = held.map { min($0.rank.version + 1, GossipEntry.versionAtMost) } ?? 0
        let rank = GossipRank(
            version: max(latest, above), check: GossipEntry.check(of: payload))
        table.publish(
            GossipTable.Held(
                key: key, rank: rank, payload: payload, expiry: expiry, isOwn: true,
                isNews: false))
    }

    /// Drops what has expired and opens an exchange with `fanOut` random peers.
    /// - Parameter peers: The nodes that can be reached; this node itself is passed over.
    public mutating func startRound(
        among peers: [UInt64], at now: Instant
    ) -> [(to: UInt64, message: GossipMessage)] {
        clock = max(clock, now)
        table.sweep(at: now)
        exchanges.startRound()
        counts.rounds += 1
        var messages: [(to: UInt64, message: GossipMessage)] = []
        for peer in chosen(from: peers) {
            let number = exchanges.open(.stamps, with: peer, at: now, &random)
            send(.digest(number: number, fingerprints: table.digest), to: peer, &messages)
        }
        return messages
    }

    private mutating func chosen(from peers: [UInt64]) -> [UInt64] {
        var chosen: [UInt64] = []
        // Picks without a copy of the list; a few misses are cheaper than a shuffle.
        for _ in 0..<(4 * limits.fanOut) where !peers.isEmpty && chosen.count < limits.fanOut {
            let peer = peers[random.below(peers.count)]
            if peer != node, !chosen.contains(peer) { chosen.append(peer) }
        }
        return chosen
    }

    func room(for peer: UInt64) -> Int { exchanges.room(for: peer) }

    mutating func send(
        _ message: GossipMessage, to peer: UInt64,
        _ messages: inout [(to: UInt64, message: GossipMessage)]
    ) {
        let size = message.encodedCount
        exchanges.spend(size, on: peer)
        counts.messagesSent += 1
        counts.bytesSent += UInt64(size)
        messages.append((peer, message))
    }

    /// Takes a message and returns the answers to it. Nonsense is counted and dropped.
    public mutating func receive(
        _ message: GossipMessage, from peer: UInt64, at now: Instant
    ) -> [(to: UInt64, message: GossipMessage)] {
        clock = max(clock, now)
        counts.messagesReceived += 1
        let size = message.encodedCount
        counts.bytesReceived += UInt64(size)
        guard size <= limits.messageBytes else {
            counts.nonsense += 1
            return []
        }
        switch message {
        case .digest(let number, let fingerprints):
            return answer(digest: fingerprints, number, from: peer, at: now)
        case .stamps(let echo, let number, let leaves, let stamps):
            guard let asked = exchanges.close(echo, .stamps, with: peer) else {
                counts.unasked += 1
                return []
            }
            return answer(stamps, in: leaves, number, from: peer, asked: asked, at: now)
        case .delta(let echo, let number, let entries, let wanted):
            guard let asked = exchanges.close(echo, .delta, with: peer) else {
                counts.unasked += 1
                return []
            }
            for entry in entries { takeIn(entry, asked: asked, at: now) }
            return answer(wanted: wanted, number, from: peer, at: now)
        }
    }

    // MARK: Looking at it

    /// Entries of others, and of this node's earlier lives, that are new or newer since the last
    /// call; what has expired meanwhile is left out. Bounded by the table.
    public mutating func takeNews() -> [GossipEntry] {
        table.takeNews(at: clock).map { Self.entry($0, at: clock) }
    }

    /// What is alive of a kind, this node's own included, by origin and part. Withdrawn ones are
    /// not.
    public func entries(kind: GossipKind, at now: Instant) -> [GossipEntry] {
        table.leaves.joined()
            .filter { $0.key.kind == kind && $0.expiry > now && !$0.payload.isEmpty }
            .sorted { $0.key < $1.key }
            .map { Self.entry($0, at: now) }
    }

    static func entry(_ held: GossipTable.Held, at now: Instant) -> GossipEntry {
        GossipEntry(
            key: held.key, version: held.rank.version,
            timeToLive: held.expiry.microseconds(since: now), payload: held.payload)
    }

    public var vitals: GossipVitals {
        var vitals = counts
        vitals.expired += table.expired
        vitals.evicted = table.evicted
        vitals.entries = table.count
        vitals.memoryBytes = table.memoryBytes
        vitals.fingerprint = table.digest(fineness: 1)[0]
        return vitals
    }
}
