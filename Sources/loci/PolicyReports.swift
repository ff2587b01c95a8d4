import Foundation
import LociBase
import LociClient
import LociTiering

/// What a scan costs a stream that it interrupts, policy by policy.
///
/// The stream is Zipf's with exponent .99 over 100,000 pages, of which a tenth fits; it runs for
/// 1,000,000 requests; the scan reads ten times as many pages as fit; counted are as many requests
/// after it as pages fit.
struct PolicyScanReport: Encodable {
    struct Loss: Encodable {
        let undisturbed: Double
        let disturbed: Double
        let points: Double
    }

    private static let keys: UInt64 = 100_000
    private static let exponent = 0.99
    private static let requests = 1_000_000

    let version = LociVersion.program
    let commit = ProcessInfo.processInfo.environment["LOCI_COMMIT"] ?? "unknown"
    let seed: UInt64
    let pages = Int(keys / 10)
    let scanPages = Int(keys)
    let losses: [String: Loss]

    init(seed: UInt64) {
        self.seed = seed
        let pages = Int(Self.keys / 10)
        let zipf = ZipfDistribution(count: Self.keys, exponent: Self.exponent)
        var random = SeededRandom(seed: seed)
        let stream = (0..<(Self.requests + pages)).map { _ in zipf.next(&random) }
        losses = Dictionary(
            uniqueKeysWithValues: EvictionKind.allCases.map { kind in
                let loss = ScanLoss(
                    kind, stream: stream, resumption: pages, scanLength: 10 * pages,
                    capacity: pages, seed: seed)
                return (
                    kind.rawValue,
                    Loss(
                        undisturbed: loss.undisturbed.ratio, disturbed: loss.disturbed.ratio,
                        points: loss.points)
                )
            })
    }

    func print(asJSON: Bool) throws {
        if asJSON { return try Terminal.printJSON(self) }
        var table = Table("policy", "#without scan", "#after scan", "#points lost")
        for kind in EvictionKind.allCases {
            guard let loss = losses[kind.rawValue] else { continue }
            table.add(
                kind.rawValue, Show.decimal(loss.undisturbed, places: 4),
                Show.decimal(loss.disturbed, places: 4), Show.decimal(loss.points, places: 2))
        }
        table.print()
    }
}

/// Processor time of a hit and of a miss, policy by policy, beside a look-up in a dictionary of the
/// same keys: the best of several rounds over 32,768 pages, called as a page table calls them.
struct PolicyCostReport: Encodable {
    struct Cost: Encodable {
        let hitNanoseconds: Double
        let missNanoseconds: Double
    }

    private static let pages = 32_768
    private static let rounds = 5
    private static let requests = 1_000_000

    let version = LociVersion.program
    let commit = ProcessInfo.processInfo.environment["LOCI_COMMIT"] ?? "unknown"
    let seed: UInt64
    let costs: [String: Cost]
    let dictionaryNanoseconds: Double

    init(seed: UInt64) {
        self.seed = seed
        var random = SeededRandom(seed: seed)
        let order = (0..<Self.requests).map { _ in Int32(random.below(Self.pages)) }
        costs = Dictionary(
            uniqueKeysWithValues: EvictionKind.allCases.map {
                ($0.rawValue, Self.cost($0, order: order, seed: seed))
            })
        let keys = order.map { mix64(UInt64($0)) }
        var places: [UInt64: Int32] = [:]
        for page in 0..<Int32(Self.pages) { places[mix64(UInt64(page))] = page }
        var found = 0
        dictionaryNanoseconds = Self.nanoseconds {
            for key in keys where places[key] != nil { found += 1 }
        }
        precondition(found == Self.rounds * Self.requests)
    }

    private static func cost(_ kind: EvictionKind, order: [Int32], seed: UInt64) -> Cost {
        var policy = kind.make(capacity: pages, seed: seed)
        for page in 0..<Int32(pages) { policy.insert(page, key: mix64(UInt64(page))) }
        let hit = nanoseconds { for page in order { policy.touch(page) } }
        var key = UInt64(pages)
        let miss = nanoseconds {
            for _ in 0..<requests {
                guard let page = policy.victim() else { preconditionFailure("nothing is pinned") }
                key += 1
                policy.insert(page, key: mix64(key))
            }
        }
        return Cost(hitNanoseconds: hit, missNanoseconds: miss)
    }

    /// Of one of the requests in the body, in the best round.
    private static func nanoseconds(_ body: () -> Void) -> Double {
        let times = (0..<rounds).map { _ in ContinuousClock().measure(body).inSeconds }
        return (times.min() ?? 0) * 1e9 / Double(requests)
    }

    func print(asJSON: Bool) throws {
        if asJSON { return try Terminal.printJSON(self) }
        var table = Table("policy", "#ns per hit", "#ns per miss")
        for kind in EvictionKind.allCases {
            guard let cost = costs[kind.rawValue] else { continue }
            table.add(
                kind.rawValue, Show.decimal(cost.hitNanoseconds, places: 1),
                Show.decimal(cost.missNanoseconds, places: 1))
        }
        table.add("dictionary look-up", Show.decimal(dictionaryNanoseconds, places: 1), "")
        table.print()
    }
}
