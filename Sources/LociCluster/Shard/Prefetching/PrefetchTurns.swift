import LociBase

/// Clients take turns, a page each: whoever announces much does not hold up who announces little.
/// Among one client's batches the one that expires first goes first.
///
/// Invariants:
/// - `ring` has each client that has batches in `lines`, once.
struct PrefetchTurns: Sendable {
    private var lines: [PrefetchClient: InstantQueue] = [:]
    private var ring: [PrefetchClient] = []
    private var turn = 0
    private(set) var count = 0

    var clientCount: Int { ring.count }

    mutating func add(_ batch: UInt64, of client: PrefetchClient, expiring: Instant) {
        if lines[client] == nil {
            lines[client] = InstantQueue()
            ring.append(client)
        }
        lines[client]!.add(batch, at: expiring)
        count += 1
    }

    /// The batch whose turn it is.
    var first: UInt64? { ring.isEmpty ? nil : lines[ring[turn]]!.first!.number }

    /// A page was taken from `first`, or its client has its part: it is the next client's turn.
    mutating func pass() { turn = (turn + 1) % ring.count }

    /// Nothing is left in `first`.
    mutating func removeFirst() {
        let client = ring[turn]
        lines[client]!.removeFirst()
        count -= 1
        if lines[client]!.count == 0 { removeClient(at: turn) }
    }

    /// Forgets batches that are over.
    mutating func removeAll(where isOver: (UInt64) -> Bool) {
        for place in ring.indices.reversed() {
            lines[ring[place]]!.removeAll(where: isOver)
            if lines[ring[place]]!.count == 0 { removeClient(at: place) }
        }
        count = lines.values.reduce(0) { $0 + $1.count }
    }

    private mutating func removeClient(at place: Int) {
        lines[ring[place]] = nil
        ring.remove(at: place)
        if place < turn { turn -= 1 }
        if turn >= ring.count { turn = 0 }
    }
}
