import LociBase

/// Keys of pages that left; the oldest are forgotten first. A queue over places for keys, and an
/// open-addressed index of which key lies where (linear probing, deletion by shifting back; Knuth,
/// volume 3, section 6.4, algorithm R). Fixed memory: 16 bytes for each key of the capacity, and 4
/// for each place of the index.
///
/// Invariants:
/// - Each place is in one of `remembered` and `vacant`.
/// - `index` has a power of two of entries, at most half of them used; each holds a place + 1, or
///   0. It names the places that are remembered, no other; their keys differ.
struct GhostQueue: Sendable {
    private var keys: [UInt64]
    private var links: SlotLinks
    private var remembered = SlotQueue()
    private var vacant = SlotQueue()
    private var index: [UInt32]
    private let mask: Int
    private let seed: UInt64

    init(capacity: Int, seed: UInt64) {
        let places = max(capacity, 1)
        precondition(places < Int(Int32.max / 4), "a ghost queue holds up to half a billion keys")
        var size = 4
        while size < places * 2 { size *= 2 }
        keys = Array(repeating: 0, count: places)
        links = SlotLinks(capacity: places)
        for place in 0..<Int32(places) { links.push(place, onto: &vacant) }
        index = Array(repeating: 0, count: size)
        mask = size - 1
        self.seed = seed
    }

    /// Remembers a key as the youngest; forgets the oldest if there is no room.
    mutating func insert(_ key: UInt64) {
        if let entry = find(key) { forget(entry) }
        if vacant.count == 0, let oldest = find(keys[Int(remembered.oldest)]) { forget(oldest) }
        let place = vacant.oldest
        links.unlink(place, from: &vacant)
        links.push(place, onto: &remembered)
        keys[Int(place)] = key
        var entry = home(of: key)
        while index[entry] != 0 { entry = (entry + 1) & mask }
        index[entry] = UInt32(place + 1)
    }

    /// Whether the key was here; it is not any more.
    mutating func take(_ key: UInt64) -> Bool {
        guard let entry = find(key) else { return false }
        forget(entry)
        return true
    }

    private func home(of key: UInt64) -> Int { Int(truncatingIfNeeded: mix64(key ^ seed)) & mask }

    private func key(at entry: Int) -> UInt64 { keys[Int(index[entry]) - 1] }

    /// The key's entry in the index.
    private func find(_ key: UInt64) -> Int? {
        var entry = home(of: key)
        while index[entry] != 0 {
            if self.key(at: entry) == key { return entry }
            entry = (entry + 1) & mask
        }
        return nil
    }

    private mutating func forget(_ entry: Int) {
        let place = Int32(index[entry] - 1)
        links.unlink(place, from: &remembered)
        links.push(place, onto: &vacant)
        var hole = entry
        var probe = (entry + 1) & mask
        while index[probe] != 0 {
            // It may move back if its home does not lie between the hole and itself.
            if (probe - home(of: key(at: probe))) & mask >= (probe - hole) & mask {
                index[hole] = index[probe]
                hole = probe
            }
            probe = (probe + 1) & mask
        }
        index[hole] = 0
    }
}
