import LociBase
import LociModel
import LociPlacement
import LociWire

/// The coordinator's part in gossip: it starts rounds with shards that it is in touch with, keeps
/// what they publish, and publishes which pages follow each other across shards.
extension CoordinatorNode {
    mutating func advanceGossip(into directives: inout [CoordinatorDirective]) {
        guard gossip != nil, gossip!.nextRound <= now else { return }
        publishTransitions()
        let peers = sessions.indices.filter { sessions[$0].isUp }
            .map { ClusterGossip.node(of: ShardIndex($0)) }
        for (node, content) in gossip!.startRound(among: peers, at: now) {
            gossip(content, with: ShardIndex(node - 1), into: &directives)
        }
    }

    /// A shard that has just come learns at once what the others know, of its own past above all.
    mutating func greetWithGossip(
        _ shard: ShardIndex, into directives: inout [CoordinatorDirective]
    ) {
        guard gossip != nil else { return }
        for (_, content) in gossip!.greet(ClusterGossip.node(of: shard), at: now) {
            gossip(content, with: shard, into: &directives)
        }
    }

    /// A message of a shard that the coordinator is in touch with.
    mutating func heard(
        _ body: Gossip, _ bulk: [Bytes], _ shard: ShardIndex,
        into directives: inout [CoordinatorDirective]
    ) {
        guard gossip != nil else { return }
        let answers = gossip!.receive(
            body, bulk, from: ClusterGossip.node(of: shard), at: now)
        for content in answers { gossip(content, with: shard, into: &directives) }
        learnTransitions()
    }

    private mutating func gossip(
        _ content: Bytes, with shard: ShardIndex, into directives: inout [CoordinatorDirective]
    ) {
        post(
            .gossip(Gossip(node: ClusterGossip.coordinator)), bulk: [content], to: shard,
            into: &directives)
    }

    // MARK: Transitions

    /// Says which pages follow each other across shards, when it is time.
    private mutating func publishTransitions() {
        guard gossip!.mayPublish(at: now), let updates = hints?.transitions.follow(at: now) else {
            return
        }
        gossip!.publish(
            updates, .transition, timeToLive: TransitionBook.timeToLive, at: now)
    }

    /// Takes what earlier lives of the coordinator have left with the shards.
    private mutating func learnTransitions() {
        for entry in gossip!.takeOwnPast(at: now) where entry.kind == .transition {
            hints?.remember(entry.payload, metadata.catalog, metadata.map)
        }
    }
}
