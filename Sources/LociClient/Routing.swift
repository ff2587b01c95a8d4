/// Which way reads, prefetches and releases of fields take. Everything else always goes through the
/// coordinator.
public enum Routing: Equatable, Sendable {
    /// Through the coordinator: two hops, and nothing that a client must know.
    case coordinator
    /// Straight to the shards, all at once: one hop. The client learns from the coordinator where
    /// cells live. Where that does not work - its map is stale, a shard cannot be reached, refuses
    /// or stays silent - the request goes through the coordinator within the same deadline, so an
    /// answer is never another one than the coordinator would give.
    case direct
}
