import LociBase

/// How often keys came lately, in four-bit counters: a count-min sketch (Cormode and
/// Muthukrishnan, 2005) of four rows with the ageing of TinyLFU (Einziger, Friedman and Manes,
/// "TinyLFU: A Highly Efficient Cache Admission Policy", ACM ToS 2017): after ten times as many
/// additions as the capacity all counters are halved. A key's counters lie in one cache line.
///
/// Estimates are 0 to 15 and never too low between two halvings, up to the limit.
struct FrequencySketch: Sendable {
    private static let blockWords = 8
    /// 16 KiB: in a small sketch collisions, and so the seed, would decide too much.
    private static let fewestWords = 2048
    private static let oddBits: UInt64 = 0x7777_7777_7777_7777
    private static let lowBits: UInt64 = 0x1111_1111_1111_1111

    private var words: [UInt64]
    private let blockMask: UInt64
    private let seed: UInt64
    private let period: Int
    private var additions = 0

    /// Sixteen counters for each entry of the capacity, rounded up to a power of two.
    init(capacity: Int, seed: UInt64) {
        var count = Self.fewestWords
        while count < capacity { count *= 2 }
        words = Array(repeating: 0, count: count)
        blockMask = UInt64(count / Self.blockWords - 1)
        self.seed = seed
        period = 10 * max(capacity, 1)
    }

    /// Counts one more of the key.
    mutating func add(_ key: UInt64) {
        let hash = mix64(key ^ seed)
        var didGrow = false
        for row in 0..<4 {
            let (word, shift) = place(of: hash, row)
            if (words[word] >> shift) & 15 < 15 {
                words[word] += 1 << shift
                didGrow = true
            }
        }
        guard didGrow else { return }
        additions += 1
        if additions == period { halve() }
    }

    func estimate(_ key: UInt64) -> UInt64 {
        let hash = mix64(key ^ seed)
        var least: UInt64 = 15
        for row in 0..<4 {
            let (word, shift) = place(of: hash, row)
            least = min(least, (words[word] >> shift) & 15)
        }
        return least
    }

    /// A row owns two words of the block; five bits of the hash pick one of their counters.
    private func place(of hash: UInt64, _ row: Int) -> (word: Int, shift: UInt64) {
        let bits = hash >> UInt64(row * 8)
        let block = (hash >> 32) & blockMask
        let word = Int(block) * Self.blockWords + row * 2 + Int(bits & 1)
        return (word, (bits >> 1 & 15) * 4)
    }

    private mutating func halve() {
        var odd = 0
        for index in words.indices {
            odd += (words[index] & Self.lowBits).nonzeroBitCount
            words[index] = words[index] >> 1 & Self.oddBits
        }
        additions = (additions - odd / 4) / 2
    }
}
