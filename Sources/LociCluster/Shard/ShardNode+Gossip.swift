import LociBase
import LociModel
import LociPlacement
import LociTiering
import LociWire

/// A shard's part in gossip, and what it remembers through it.
///
/// Invariants:
/// - Nothing that is heard touches more than the queue of hinted pages, and that only in the first
///   minute, while memory has room, and for at most the bytes of the memory.
struct ShardGossip: Sendable {
    static let heatTimeToLive: UInt64 = 600_000_000
    /// Parts that are published at once.
    static let partsPerPublication = 16
    /// Pages that are handed on to be fetched at a time.
    static let pagesPerStep = 256

    var gossip: ClusterGossip
    var heat = PublishedHeat()
    /// Pages of the past that are to be fetched, by part, the warmest last.
    var warming: [UInt32: [PageNeed]] = [:]
    /// Bytes that the past may still have fetched.
    var warmingBytes: Int

    init(_ gossip: ClusterGossip, budgetBytes: Int) {
        self.gossip = gossip
        warmingBytes = budgetBytes
    }
}

extension ShardNode {
    /// Peers that the shard knows by their connection to it are told apart from nodes.
    private static let stranger: UInt64 = 1 << 63

    var gossipVitals: LociWire.GossipVitals { gossip?.gossip.vitals ?? LociWire.GossipVitals() }

    /// A message from whoever is connected to the shard; answers go back that way.
    mutating func heard(
        _ body: Gossip, _ bulk: [Bytes], _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        guard gossip != nil else { return }
        let answers = gossip!.gossip.receive(
            body, bulk, from: Self.stranger | asker.peer, at: now)
        for content in answers {
            answer(asker, .gossip(Gossip(node: ownNode)), bulk: [content], into: &directives)
        }
        learnPast()
    }

    /// An answer of another shard, over the connection to it.
    mutating func heard(
        _ message: Message, from shard: ShardIndex, into directives: inout [ShardDirective]
    ) {
        guard gossip != nil, case .gossip(let body) = message.body else {
            rejectedMessages += 1
            return
        }
        let answers = gossip!.gossip.receive(
            body, message.bulk, from: ClusterGossip.node(of: shard), at: now)
        for content in answers { tell(shard, content, into: &directives) }
        learnPast()
    }

    private var ownNode: UInt64 { ClusterGossip.node(of: settings.shard) }

    private func tell(
        _ shard: ShardIndex, _ content: Bytes, into directives: inout [ShardDirective]
    ) {
        var header = Header()
        header.senderIncarnation = settings.incarnation
        directives.append(
            .tell(shard, Message(header, .gossip(Gossip(node: ownNode)), bulk: [content])))
    }

    /// What is due, after an event.
    mutating func advanceGossip(into directives: inout [ShardDirective]) {
        guard gossip != nil else { return }
        if gossip!.gossip.nextRound <= now {
            publishHeat()
            let peers = (0..<settings.shards).map { ClusterGossip.node(of: ShardIndex($0)) }
                .filter { $0 != ownNode }
            for (node, content) in gossip!.gossip.startRound(among: peers, at: now) {
                tell(ShardIndex(node - 1), content, into: &directives)
            }
        }
        if !gossip!.warming.isEmpty { warm(into: &directives) }
    }

    // MARK: The past

    /// Takes what earlier lives of this shard have left with others.
    private mutating func learnPast() {
        for entry in gossip!.gossip.takeOwnPast(at: now) where entry.kind == .heat {
            guard entry.part < PublishedHeat.mostParts,
                let pages = PageRuns.decoded(entry.payload, most: PublishedHeat.pagesPerPart)
            else { continue }
            let needs = pages.compactMap { need(of: $0) }
            gossip!.heat.adopt(needs.map(\.address), part: Int(entry.part))
            if settings.guesses { gossip!.warming[entry.part] = needs.reversed() }
        }
    }

    /// The page, if it is one of a field's, and lives here.
    private func need(of address: PageAddress) -> PageNeed? {
        guard let worker = workers[address.partition],
            let field = worker.state.catalog.field(space: address.space),
            address.page < field.pageCount,
            FieldGeometry(field, partitions: settings.partitions).page(at: address)
                < field.pageCount
        else { return nil }
        return PageNeed(address: address, pageBytes: field.pageBytes)
    }

    /// Hands on what the past has left, a little at a time, until memory is full.
    private mutating func warm(into directives: inout [ShardDirective]) {
        guard prefetching.suggestions.hintedCount < ShardGossip.pagesPerStep / 4 else { return }
        let vitals = pages.dramVitals
        // The last sixteenth is left, and what waits is counted as if it were as large as the next.
        var room = vitals.budgetBytes / 16 * 15 - vitals.residentBytes - pages.reservedBytes
        let waiting = prefetching.suggestions.hintedCount
        var needs: [PageNeed] = []
        while needs.count < ShardGossip.pagesPerStep, let part = gossip!.warming.keys.min() {
            guard let need = gossip!.warming[part]!.popLast() else {
                gossip!.warming[part] = nil
                continue
            }
            room -= need.pageBytes
            gossip!.warmingBytes -= need.pageBytes
            if gossip!.warmingBytes < 0 || room < waiting * need.pageBytes {
                gossip!.warming = [:]
            } else {
                needs.append(need)
            }
        }
        suggest(
            needs, source: .hinted,
            until: now.advanced(microseconds: ClusterGossip.youthMicroseconds), into: &directives)
    }

    // MARK: Heat

    /// Says which pages are warm, when it is time.
    private mutating func publishHeat() {
        let isRemembering = !gossip!.warming.isEmpty && gossip!.gossip.isYoung(at: now)
        guard !isRemembering,
            gossip!.gossip.mayPublish(
                at: now, items: min(pages.pageCount, 2 * PublishedHeat.mostPages))
        else { return }
        let spaces = Set(
            workers.keys.min().map { workers[$0]!.state.catalog.fields.map(\.space) } ?? [])
        let updates = gossip!.heat.follow(
            &pages, most: ShardGossip.partsPerPublication,
            renewalMicroseconds: ShardGossip.heatTimeToLive / 2, at: now
        ) { spaces.contains($0.space) }
        gossip!.gossip.publish(
            updates, .heat, timeToLive: ShardGossip.heatTimeToLive, at: now)
    }
}
