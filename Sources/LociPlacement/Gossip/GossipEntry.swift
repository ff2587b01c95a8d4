public import LociBase

/// What an entry advises about. Gossip carries the payload; it does not read it.
public enum GossipKind: UInt8, CaseIterable, Comparable, Sendable {
    /// Pages that will be needed.
    case hint = 1
    /// Pages that are hot where the entry comes from.
    case heat = 2
    /// Learned transitions between pages.
    case transition = 3

    public static func < (left: GossipKind, right: GossipKind) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// What an entry is about: a later one of the same key takes its place.
public struct GossipKey: Hashable, Comparable, Sendable {
    /// The node that published it.
    public let origin: UInt64
    public let kind: GossipKind
    /// The origin's own numbering: a partition, a space, a slot.
    public let part: UInt32

    public init(origin: UInt64, kind: GossipKind, part: UInt32) {
        self.origin = origin
        self.kind = kind
        self.part = part
    }

    public static func < (left: GossipKey, right: GossipKey) -> Bool {
        if left.origin != right.origin { return left.origin < right.origin }
        if left.kind != right.kind { return left.kind < right.kind }
        return left.part < right.part
    }

    /// The leaf of the table that the key falls into, the same on every node.
    public var leaf: Int { Int(spread >> 56) }

    /// An even spread of keys, the same on every node.
    var spread: UInt64 {
        mix64(mix64(origin &+ 0x9E37_79B9_7F4A_7C15) ^ (UInt64(kind.rawValue) << 32 | UInt64(part)))
    }
}

/// One piece of advice as it travels. It never changes an answer: losing, repeating, delaying or
/// forging one changes only what is fetched early.
public struct GossipEntry: Equatable, Sendable {
    public let key: GossipKey
    /// The origin's incarnation times 2^32, plus a count of its publications. The larger wins.
    public let version: UInt64
    /// Microseconds that it may still live. Durations travel, never instants: clocks differ.
    public let timeToLive: UInt64
    /// 1 to `payloadBytesAtMost` bytes; none says that the origin has withdrawn the key.
    public let payload: Bytes

    public static let payloadBytesAtMost = 4096
    /// No honest version is larger; an entry with a larger one is dropped.
    public static let versionAtMost: UInt64 = 0xFFFF_FFFE_FFFF_FFFF

    public init(key: GossipKey, version: UInt64, timeToLive: UInt64, payload: Bytes) {
        self.key = key
        self.version = version
        self.timeToLive = timeToLive
        self.payload = payload
    }

    public var origin: UInt64 { key.origin }
    public var kind: GossipKind { key.kind }
    public var part: UInt32 { key.part }
    public var isWithdrawn: Bool { payload.isEmpty }

    var rank: GossipRank { GossipRank(version: version, check: Self.check(of: payload)) }

    static func check(of payload: Bytes) -> UInt32 {
        UInt32(truncatingIfNeeded: payload.checksum())
    }
}

/// The order in which entries of one key replace each other: by version, and where two differ under
/// one version (only a forger makes that) by the checksum of the payload, so that all nodes choose
/// the same.
struct GossipRank: Comparable {
    let version: UInt64
    let check: UInt32

    static func < (left: GossipRank, right: GossipRank) -> Bool {
        left.version != right.version
            ? left.version < right.version : left.check < right.check
    }
}

/// An entry without its payload: enough to tell who has the newer one, and whether it is wanted.
public struct GossipStamp: Equatable, Sendable {
    public let key: GossipKey
    public let version: UInt64
    /// The low half of the payload's XXH3-64.
    public let check: UInt32
    /// Microseconds left, as in the entry.
    public let timeToLive: UInt64

    public init(key: GossipKey, version: UInt64, check: UInt32, timeToLive: UInt64) {
        self.key = key
        self.version = version
        self.check = check
        self.timeToLive = timeToLive
    }

    var rank: GossipRank { GossipRank(version: version, check: check) }
}
