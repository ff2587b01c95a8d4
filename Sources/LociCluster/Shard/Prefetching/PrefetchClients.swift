import LociBase
import LociModel
import LociTiering

/// What each client has of what all of them share: announced pages, announcements, and memory for
/// pages that are kept or on their way for it.
///
/// A client may announce as much as it would leave to others: the rule of Choudhury and Hahne,
/// "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches" (IEEE/ACM Transactions on
/// Networking, 1998). One alone gets half, and something is left for whoever comes next; a few
/// pages while there is any place.
///
/// Invariants:
/// - A client is listed while it has batches or memory.
/// - `references` and `batches` are the sums over clients.
struct PrefetchClients: Sendable {
    /// A page that is kept, and the batch for which it is.
    struct Kept: Sendable {
        let address: PageAddress
        let batch: UInt64
    }

    private struct Holding: Sendable {
        var batches = 0
        var references = 0
        var bytes = 0
        /// In the order in which they were kept; some are not any more.
        var kept: [Kept] = []
        var start = 0
        var compactedAt = 64
    }

    /// Pages that a client may announce even if others have left less.
    static let leastReferences = 1024

    private var holdings: [PrefetchClient: Holding] = [:]
    private(set) var references = 0
    private(set) var batches = 0

    var count: Int { holdings.count }

    /// Why a client may not announce so many pages. Nil if it may.
    func refusal(of pageCount: Int, _ client: PrefetchClient) -> Prefetching.Refusal? {
        let own = holdings[client]
        let left = Prefetching.mostReferences - references
        let wanted = (own?.references ?? 0) + pageCount
        guard pageCount <= left, wanted <= max(left, Self.leastReferences) else {
            return .tooManyPages
        }
        guard (own?.batches ?? 0) < Prefetching.mostBatches - batches else {
            return .tooManyBatches
        }
        return nil
    }

    mutating func begin(_ client: PrefetchClient, references count: Int) {
        holdings[client, default: Holding()].batches += 1
        holdings[client]!.references += count
        batches += 1
        references += count
    }

    mutating func remove(references count: Int, of client: PrefetchClient) {
        holdings[client]!.references -= count
        references -= count
    }

    mutating func end(_ client: PrefetchClient) {
        holdings[client]!.batches -= 1
        batches -= 1
        forgetIfIdle(client)
    }

    // MARK: Memory

    func bytes(of client: PrefetchClient) -> Int { holdings[client]?.bytes ?? 0 }

    mutating func add(bytes: Int, to client: PrefetchClient) {
        holdings[client, default: Holding()].bytes += bytes
    }

    mutating func remove(bytes: Int, of client: PrefetchClient) {
        holdings[client]!.bytes -= bytes
        forgetIfIdle(client)
    }

    /// A page of the client is kept from now on.
    mutating func keep(
        _ kept: Kept, of client: PrefetchClient, stillKept: (Kept) -> Bool
    ) {
        holdings[client]!.kept.append(kept)
        guard holdings[client]!.kept.count >= holdings[client]!.compactedAt else { return }
        holdings[client]!.kept.removeFirst(holdings[client]!.start)
        holdings[client]!.start = 0
        holdings[client]!.kept.removeAll { !stillKept($0) }
        holdings[client]!.compactedAt = 2 * holdings[client]!.kept.count + 64
    }

    /// Who has the most memory, if that is more than so much.
    func mostBeyond(_ bytes: Int) -> PrefetchClient? {
        holdings.filter { $0.value.bytes > bytes }.max {
            ($0.value.bytes, $0.key.number, $0.key.isDirect ? 1 : 0)
                < ($1.value.bytes, $1.key.number, $1.key.isDirect ? 1 : 0)
        }?.key
    }

    /// The page that has been kept longest for a client.
    mutating func oldestKept(
        of client: PrefetchClient, stillKept: (Kept) -> Bool
    ) -> PageAddress? {
        while let holding = holdings[client], holding.start < holding.kept.count {
            let kept = holding.kept[holding.start]
            if stillKept(kept) { return kept.address }
            holdings[client]!.start += 1
        }
        return nil
    }

    private mutating func forgetIfIdle(_ client: PrefetchClient) {
        let holding = holdings[client]!
        if holding.batches == 0, holding.bytes == 0 { holdings[client] = nil }
    }
}
