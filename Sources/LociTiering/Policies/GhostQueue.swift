import LociBase

/// Keys of pages that left; the oldest are forgotten first. A ring of keys and an open-addressed
/// index of where they lie in it (linear probing, deletion by shifting back; Knuth, volume 3,
/// section 6.4, algorithm R). Fixed memory: 16 bytes for each key of the capacity, and 4 for each
/// place of the index.
///
/// Invariants:
/// - `index` has a power of two of places, at most half of them used; each holds a place of the
///   ring + 1, or 0. A key is in it at most once, and `count <= capacity`.
/// - What was taken out leaves a hole in the ring. The ring has room for as many holes as keys;
///   when there are more, the oldest keys go early.
struct GhostQueue: Sendable {
    private let capacity: Int
    private var ring: [UInt64]
    private var index: [UInt32]
    private let mask: Int
    private let seed: UInt64
    /// Places in the ring: where the next key goes, and the oldest key or a hole before it.
    private var next = 0
    private var oldest = 0
    private(set) var count = 0

    init(capacity: Int, seed: UInt64) {
        self.capacity = max(capacity, 1)
        precondition(capacity < Int(UInt32.max / 4), "a ghost queue holds up to a billion keys")
        var size = 4
        while size < self.capacity * 2 { size *= 2 }
        ring = Array(repeating: 0, count: self.capacity * 2)
        index = Array(repeating: 0, count: size)
        mask = size - 1
        self.seed = seed
    }

    /// Remembers a key as the youngest; forgets the oldest if there is no room.
    mutating func insert(_ key: UInt64) {
        if let place = find(key) { erase(place) }
        while count == capacity { forgetOldest() }
        ring[next] = key
        var place = home(of: key)
        while index[place] != 0 { place = (place + 1) & mask }
        index[place] = UInt32(next + 1)
        count += 1
        next = after(next)
        if next == oldest { forgetOldest() }
    }

    /// Whether the key was here; it is not any more.
    mutating func take(_ key: UInt64) -> Bool {
        guard let place = find(key) else { return false }
        erase(place)
        return true
    }

    private func after(_ place: Int) -> Int { place + 1 == ring.count ? 0 : place + 1 }

    /// Passes one place of the ring, and forgets its key if it is not a hole.
    private mutating func forgetOldest() {
        if let place = find(ring[oldest]), index[place] == UInt32(oldest + 1) { erase(place) }
        oldest = after(oldest)
    }

    private func home(of key: UInt64) -> Int { Int(truncatingIfNeeded: mix64(key ^ seed)) & mask }

    /// Where in the index the key is.
    private func find(_ key: UInt64) -> Int? {
        var place = home(of: key)
        while index[place] != 0 {
            if ring[Int(index[place]) - 1] == key { return place }
            place = (place + 1) & mask
        }
        return nil
    }

    private mutating func erase(_ place: Int) {
        var hole = place
        var probe = (place + 1) & mask
        while index[probe] != 0 {
            let home = home(of: ring[Int(index[probe]) - 1])
            // It may move back if its home does not lie between the hole and itself.
            if (probe - home) & mask >= (probe - hole) & mask {
                index[hole] = index[probe]
                hole = probe
            }
            probe = (probe + 1) & mask
        }
        index[hole] = 0
        count -= 1
    }
}
