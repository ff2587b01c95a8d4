import LociBase

/// Hits of a stream in a memory of a fixed number of pages that starts empty.
public struct HitRatio: Sendable, Equatable {
    public let hits: Int
    public let requests: Int

    /// 0 if nothing was requested.
    public var ratio: Double { requests == 0 ? 0 : Double(hits) / Double(requests) }
}

extension AccessTrace {
    /// Replays the stream under a policy.
    ///
    /// - Parameters:
    ///   - capacity: pages that fit, at least 1.
    ///   - counts: which requests are counted; all are replayed.
    public func hitRatio(
        _ kind: EvictionKind, capacity: Int, seed: UInt64 = 1,
        counting counts: (_ request: Int) -> Bool = { _ in true }
    ) -> HitRatio {
        precondition(capacity > 0, "a memory holds at least one page")
        return switch kind {
        case .s3fifo: replay(S3FIFOPolicy.self, capacity, seed, counts)
        case .sieve: replay(SievePolicy.self, capacity, seed, counts)
        case .wTinyLFU: replay(WTinyLFUPolicy.self, capacity, seed, counts)
        case .lru: replay(LRUPolicy.self, capacity, seed, counts)
        case .fifo: replay(FIFOPolicy.self, capacity, seed, counts)
        case .clock: replay(ClockPolicy.self, capacity, seed, counts)
        }
    }

    private func replay<Policy: EvictionPolicy>(
        _: Policy.Type, _ capacity: Int, _ seed: UInt64, _ counts: (Int) -> Bool
    ) -> HitRatio {
        var policy = Policy(capacity: capacity, seed: seed)
        var slotOfKey = [Int32](repeating: -1, count: keys.count)
        var keyInSlot: [Int32] = []
        var hits = 0
        var counted = 0
        for (time, key) in requests.enumerated() {
            let isCounted = counts(time)
            if isCounted { counted += 1 }
            let slot = slotOfKey[Int(key)]
            if slot >= 0 {
                policy.touch(slot)
                if isCounted { hits += 1 }
                continue
            }
            var place = Int32(keyInSlot.count)
            if keyInSlot.count < capacity {
                keyInSlot.append(key)
            } else if let victim = policy.victim() {
                place = victim
                slotOfKey[Int(keyInSlot[Int(place)])] = -1
                keyInSlot[Int(place)] = key
            } else {
                preconditionFailure("no page is pinned, and none could leave")
            }
            slotOfKey[Int(key)] = place
            policy.insert(place, key: mix64(keys[Int(key)]))
        }
        return HitRatio(hits: hits, requests: counted)
    }
}
