import LociBase

/// One step of a push-pull exchange between two nodes:
///
///     A -> B  digest   fingerprints of A's table; if B's are equal, nothing follows
///     B -> A  stamps   what B holds in the leaves that differ, without payloads
///     A -> B  delta    what A has newer, and the keys that A wants
///     B -> A  delta    what A wanted
///
/// Each step but the first names the step that it answers (`echo`), and each that awaits an answer
/// carries a number of its own (`number`). So a node takes nothing that it did not ask for, and it
/// can count the whole time since it asked against an entry's life.
public enum GossipMessage: Equatable, Sendable {
    case digest(number: UInt64, fingerprints: [UInt64])
    /// `leaves` ascend; `stamps` are in the order of their leaves, then of their keys.
    case stamps(echo: UInt64, number: UInt64, leaves: [UInt8], stamps: [GossipStamp])
    /// `number` is 0 where nothing is wanted.
    case delta(echo: UInt64, number: UInt64, entries: [GossipEntry], wanted: [GossipKey])

    /// Largest encoded message of all.
    public static let bytesAtMost = 1 << 20

    static let digestBytes = 2 + 8 + 2
    static let stampsBytes = 2 + 16 + 2 + 4
    static let deltaBytes = 2 + 16 + 4 + 4
    static let keyBytes = 13
    static let stampBytes = keyBytes + 8 + 4 + 4
    static let entryBytes = keyBytes + 8 + 4 + 2

    static func bytesOfLeaf(_ entries: Int) -> Int { stampsBytes + 1 + entries * stampBytes }

    /// Bytes of `encoded`, without encoding.
    public var encodedCount: Int {
        switch self {
        case .digest(_, let fingerprints): Self.digestBytes + fingerprints.count * 8
        case .stamps(_, _, let leaves, let stamps):
            Self.stampsBytes + leaves.count + stamps.count * Self.stampBytes
        case .delta(_, _, let entries, let wanted):
            Self.deltaBytes + wanted.count * Self.keyBytes
                + entries.reduce(0) { $0 + Self.entryBytes + $1.payload.count }
        }
    }
}
