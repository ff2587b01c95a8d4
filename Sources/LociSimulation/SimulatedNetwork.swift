import LociBase
import LociWire

/// Loses, delays, repeats, reorders and damages messages, and cuts processes off, all from the
/// run's seed. Messages cross it as the bytes that would be on the wire.
struct SimulatedNetwork {
    struct Faults {
        var loss = 0.0
        var duplication = 0.0
        var damage = 0.0
        var delayMicroseconds: ClosedRange<UInt64> = 50...500
        /// Chance and length of a message that is much later than those after it.
        var straggling = 0.0
    }

    var faults = Faults()
    /// Shards that the coordinator cannot reach, and the direction that is cut.
    var isCutFromCoordinator: Set<Int> = []
    var isCutToCoordinator: Set<Int> = []
    private(set) var sent: UInt64 = 0
    private(set) var lost: UInt64 = 0
    private(set) var damaged: UInt64 = 0
    private(set) var duplicated: UInt64 = 0

    /// Whether nothing comes from one shard to another: either is cut off that way.
    func isCut(from shard: Int, to other: Int) -> Bool {
        isCutToCoordinator.contains(shard) || isCutFromCoordinator.contains(other)
    }

    /// Copies of a message with their delays in microseconds; none if it is lost.
    mutating func carry(
        _ frames: [Bytes], mayRepeat: Bool, _ random: inout SeededRandom
    ) -> [(frames: [Bytes], delay: UInt64)] {
        sent += 1
        if random.chance(faults.loss) {
            lost += 1
            return []
        }
        var copies = [(damagedCopy(of: frames, &random), delay(&random))]
        if mayRepeat, random.chance(faults.duplication) {
            duplicated += 1
            copies.append((frames, delay(&random) * 20))
        }
        return copies
    }

    private func delay(_ random: inout SeededRandom) -> UInt64 {
        let delay = UInt64.random(in: faults.delayMicroseconds, using: &random)
        return random.chance(faults.straggling) ? delay * 50 : delay
    }

    private mutating func damagedCopy(
        of frames: [Bytes], _ random: inout SeededRandom
    ) -> [Bytes] {
        guard random.chance(faults.damage) else { return frames }
        damaged += 1
        var frames = frames
        let index = random.below(frames.count)
        guard frames[index].count > 0 else { return frames }
        let position = random.below(frames[index].count)
        let flipped = frames[index][position] ^ UInt8(1 << random.below(8))
        frames[index].replace(at: position, with: Bytes([flipped]))
        return frames
    }
}
