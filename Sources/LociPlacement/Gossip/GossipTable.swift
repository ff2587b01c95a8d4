import LociBase

/// The entries that a node holds, in 256 leaves by a hash of their keys, with a fingerprint of each
/// leaf that is kept up to date as entries come and go.
///
/// Invariants:
/// - A leaf is sorted by key; of one key there is one entry, that of the highest rank ever taken in
///   since the key was last absent. (Merging is a maximum: it commutes and repeats.)
/// - An entry's instant of expiry never moves: hearing of it again does not lengthen its life.
/// - `count`, `memoryBytes`, `fingerprints` and `origins` agree with the leaves.
/// - `count`, `memoryBytes`, the entries of an origin and of a leaf stay within the limits;
///   the node's own entries are never refused or evicted for others', and count beyond a leaf's.
struct GossipTable {
    /// What the table has beside each payload, all in: a generous estimate.
    static let overheadBytes = 256
    static let bytesOfLargest = overheadBytes + GossipEntry.payloadBytesAtMost
    static let leafCount = 256

    struct Held {
        let key: GossipKey
        var rank: GossipRank
        var payload: Bytes
        var expiry: Instant
        /// Published by this node in this life.
        var isOwn: Bool
        /// Not yet taken as news.
        var isNews: Bool

        var size: Int { overheadBytes + payload.count }
        var fingerprint: UInt64 {
            mix64(key.spread ^ mix64(rank.version &+ UInt64(rank.check) << 17))
        }
    }

    enum Admission { case taken, old, refused }

    let node: UInt64
    let limits: GossipLimits
    private(set) var leaves: [[Held]]
    private(set) var fingerprints: [UInt64]
    private(set) var origins: [UInt64: [GossipKey]] = [:]
    private(set) var count = 0
    private(set) var memoryBytes = 0
    private(set) var expired: UInt64 = 0
    private(set) var evicted: UInt64 = 0
    /// The latest expiry that was evicted for want of room.
    private var evictedUpTo = Instant.zero
    /// Nothing expires before this.
    private var soonest = Instant.distantFuture

    init(node: UInt64, limits: GossipLimits) {
        self.node = node
        self.limits = limits
        leaves = Array(repeating: [], count: Self.leafCount)
        fingerprints = Array(repeating: 0, count: Self.leafCount)
    }

    subscript(key: GossipKey) -> Held? {
        let leaf = key.leaf
        let index = position(of: key, in: leaf)
        return index < leaves[leaf].count && leaves[leaf][index].key == key
            ? leaves[leaf][index] : nil
    }

    private func position(of key: GossipKey, in leaf: Int) -> Int {
        var low = 0
        var high = leaves[leaf].count
        while low < high {
            let middle = (low + high) / 2
            if leaves[leaf][middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Taking in

    /// Whether an entry of another rank and expiry would be taken in, as far as room goes.
    func hasRoom(for key: GossipKey, _ rank: GossipRank, expiry: Instant) -> Bool {
        if let known = origins[key.origin], known.count >= limits.entriesPerOrigin,
            let lowest = lowest(among: known), rank.version <= lowest.rank.version
        {
            return false
        }
        return key.origin == node || !isNearlyFull || expiry > evictedUpTo
    }

    /// Takes in what outranks the held entry of the key, if any, and finds room for it.
    mutating func merge(_ new: Held) -> Admission {
        let leaf = new.key.leaf
        let index = position(of: new.key, in: leaf)
        if index < leaves[leaf].count, leaves[leaf][index].key == new.key {
            guard leaves[leaf][index].rank < new.rank else { return .old }
            replace(leaf, index, with: new)
            return .taken
        }
        guard hasRoom(for: new.key, new.rank, expiry: new.expiry),
            leaves[leaf].count < limits.entriesPerLeaf
        else { return .refused }
        if let known = origins[new.key.origin], known.count >= limits.entriesPerOrigin,
            let lowest = lowest(among: known)
        {
            remove(lowest.key)
            evicted += 1
        }
        makeRoom(for: new.size)
        if new.key.origin != node, isNearlyFull, new.expiry <= evictedUpTo { return .refused }
        insert(new, in: leaf)
        return .taken
    }

    /// Puts the node's own entry in place of whatever is held of its key. There is always room: at
    /// the bound of the origin what an earlier life published goes first.
    mutating func publish(_ own: Held) {
        remove(own.key)
        if let known = origins[node], known.count >= limits.entriesPerOrigin,
            let lowest = known.compactMap({ self[$0] }).min(by: {
                $0.isOwn != $1.isOwn ? $1.isOwn : $0.rank < $1.rank
            })
        {
            remove(lowest.key)
            evicted += 1
        }
        makeRoom(for: own.size)
        insert(own, in: own.key.leaf)
    }

    private mutating func insert(_ new: Held, in leaf: Int) {
        leaves[leaf].insert(new, at: position(of: new.key, in: leaf))
        origins[new.key.origin, default: []].append(new.key)
        add(new, to: leaf)
    }

    private mutating func replace(_ leaf: Int, _ index: Int, with new: Held) {
        subtract(leaves[leaf][index], from: leaf)
        leaves[leaf][index] = new
        add(new, to: leaf)
        if memoryBytes > limits.memoryBytes { makeRoom(for: 0) }
    }

    private mutating func add(_ held: Held, to leaf: Int) {
        count += 1
        memoryBytes += held.size
        fingerprints[leaf] &+= held.fingerprint
        soonest = min(soonest, held.expiry)
    }

    private mutating func subtract(_ held: Held, from leaf: Int) {
        count -= 1
        memoryBytes -= held.size
        fingerprints[leaf] &-= held.fingerprint
    }

    private func lowest(among keys: [GossipKey]) -> Held? {
        keys.compactMap { self[$0] }.min { ($0.rank, $0.key) < ($1.rank, $1.key) }
    }

    // MARK: Letting go

    mutating func remove(_ key: GossipKey) {
        let leaf = key.leaf
        let index = position(of: key, in: leaf)
        guard index < leaves[leaf].count, leaves[leaf][index].key == key else { return }
        subtract(leaves[leaf].remove(at: index), from: leaf)
        forget(key)
    }

    private mutating func forget(_ key: GossipKey) {
        origins[key.origin]?.removeAll { $0 == key }
        if origins[key.origin]?.isEmpty == true { origins[key.origin] = nil }
    }

    /// Drops what has expired.
    mutating func sweep(at now: Instant) {
        guard soonest <= now else { return }
        soonest = .distantFuture
        for leaf in leaves.indices {
            var hasExpired = false
            for held in leaves[leaf] {
                guard held.expiry <= now else {
                    soonest = min(soonest, held.expiry)
                    continue
                }
                hasExpired = true
                subtract(held, from: leaf)
                forget(held.key)
                expired += 1
            }
            if hasExpired { leaves[leaf].removeAll { $0.expiry <= now } }
        }
    }

    private var isNearlyFull: Bool {
        count >= limits.entries - limits.entries / 16
            || memoryBytes >= limits.memoryBytes - limits.memoryBytes / 16
    }

    /// At the bounds, evicts the sixteenth part that expires first, other than the node's own.
    private mutating func makeRoom(for size: Int) {
        guard count >= limits.entries || memoryBytes + size > limits.memoryBytes else { return }
        let others = leaves.joined().filter { $0.key.origin != node }
            .sorted { ($0.expiry, $0.key) < ($1.expiry, $1.key) }
        let entriesToKeep = limits.entries - max(limits.entries / 16, 1)
        let bytesToKeep = limits.memoryBytes - max(limits.memoryBytes / 16, size)
        for held in others where count > entriesToKeep || memoryBytes > bytesToKeep {
            remove(held.key)
            evicted += 1
            evictedUpTo = max(evictedUpTo, held.expiry)
        }
    }

    // MARK: News

    /// What came in from others since the last call, in the order of keys.
    mutating func takeNews(at now: Instant) -> [Held] {
        var news: [Held] = []
        for leaf in leaves.indices {
            for index in leaves[leaf].indices where leaves[leaf][index].isNews {
                leaves[leaf][index].isNews = false
                if leaves[leaf][index].expiry > now { news.append(leaves[leaf][index]) }
            }
        }
        return news.sorted { $0.key < $1.key }
    }

    // MARK: Fingerprints

    /// Whether a digest may have so many fingerprints: a power of two, at most one for each leaf.
    static func isFineness(_ count: Int) -> Bool {
        count > 0 && count <= leafCount && count & (count - 1) == 0
    }

    /// Sums of the leaves' fingerprints: the more, the more there is in the table.
    var digest: [UInt64] {
        var fineness = 1
        while fineness < Self.leafCount, fineness * 8 < count { fineness *= 2 }
        return digest(fineness: fineness)
    }

    func digest(fineness: Int) -> [UInt64] {
        var sums = Array(repeating: UInt64(0), count: fineness)
        let width = Self.leafCount / fineness
        for leaf in fingerprints.indices { sums[leaf / width] &+= fingerprints[leaf] }
        return sums
    }
}
