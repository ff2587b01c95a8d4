import LociBase

/// Keys of pages that left, oldest forgotten first: a ring of keys and an open-addressed index
/// of where they lie in it (linear probing, deletion by shifting back; Knuth, volume 3, 6.4,
/// algorithm R). Fixed memory: 8 bytes per key of the ring, 4 per place of the index.
///
/// Invariants:
/// - `index` has a power of two of places, at most half of them used; each holds a ring place + 1,
///   or 0.
/// - A key is in the index at most once. What was taken out leaves a hole in the ring.
struct GhostQueue: Sendable {
    private var ring: [UInt64]
    private var index: [UInt32]
    private let mask: Int
    private let seed: UInt64
    private var next = 0
    private(set) var count = 0

    init(capacity: Int, seed: UInt64) {
        let places = max(capacity, 1)
        precondition(places < Int(UInt32.max / 4), "a ghost queue holds up to a billion keys")
        var size = 4
        while size < places * 2 { size *= 2 }
        ring = Array(repeating: 0, count: places)
        index = Array(repeating: 0, count: size)
        mask = size - 1
        self.seed = seed
    }

    /// Remembers a key; forgets the oldest if there is no room.
    mutating func insert(_ key: UInt64) {
        if let place = find(key) { erase(place) }
        // What lies at this place of the ring goes, if it has not been taken out before.
        if let place = find(ring[next]), index[place] == UInt32(next + 1) { erase(place) }
        ring[next] = key
        var place = home(of: key)
        while index[place] != 0 { place = (place + 1) & mask }
        index[place] = UInt32(next + 1)
        count += 1
        next = next + 1 == ring.count ? 0 : next + 1
    }

    /// Whether the key was here; it is not any more.
    mutating func take(_ key: UInt64) -> Bool {
        guard let place = find(key) else { return false }
        erase(place)
        return true
    }

    private func home(of key: UInt64) -> Int { Int(truncatingIfNeeded: mix64(key ^ seed)) & mask }

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
            // It may move back if its home is not between the hole and itself.
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
