/// The eviction policies, by the names that configurations and tables use.
public enum EvictionKind: String, CaseIterable, Sendable {
    /// Few and cheap decisions, and the best or near it on most streams.
    case s3fifo = "s3-fifo"
    case sieve
    /// Keeps what came often; the only one that holds part of a loop. Hits cost the most.
    case wTinyLFU = "w-tinylfu"
    case lru
    case fifo
    case clock

    public static let standard = EvictionKind.s3fifo

    /// A policy with nothing resident; see `EvictionPolicy.init(capacity:seed:)`.
    public func make(capacity: Int, seed: UInt64) -> any EvictionPolicy {
        switch self {
        case .s3fifo: S3FIFOPolicy(capacity: capacity, seed: seed)
        case .sieve: SievePolicy(capacity: capacity, seed: seed)
        case .wTinyLFU: WTinyLFUPolicy(capacity: capacity, seed: seed)
        case .lru: LRUPolicy(capacity: capacity, seed: seed)
        case .fifo: FIFOPolicy(capacity: capacity, seed: seed)
        case .clock: ClockPolicy(capacity: capacity, seed: seed)
        }
    }
}
