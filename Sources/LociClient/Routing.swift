/// Which way reads, prefetches and releases of fields take. Everything else always goes through the
/// coordinator.
public enum Routing: Equatable, Sendable {
    /// Through the coordinator: two hops, and nothing that a client must know.
    case coordinator
    /// Straight to the shards, all at once: one hop. The client learns from the coordinator where
    /// cells live. Where that does not work - its map is stale, a shard cannot be reached, refuses
    /// or stays silent - the request goes through the coordinator within the same deadline. So it
    /// does while the client is new and has no map or connections yet. Answers are those that the
    /// coordinator would give, but for dropped fields: a shard out of the coordinator's touch may
    /// still answer for one that is read by its name, and by its identity as well until it hears of
    /// the drop.
    case direct
}
