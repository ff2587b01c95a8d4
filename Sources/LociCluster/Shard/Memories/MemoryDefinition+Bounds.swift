import LociBase
import LociModel
import LociSearch
import LociStorage

/// How many hard locations one address may activate.
extension MemoryDefinition {
    /// Of new counters in one record, with what belongs to them: well below the most that a log
    /// takes.
    static let recordBytes = SliceStore.recordBytes / 4 * 3

    /// Of one hard location in a record, or while that is worked out.
    var recordBytesOfLocation: Int { bits + 32 }

    /// Whether shards can bear what an address activates on average: the counters of a write in one
    /// record of each partition, and those of a read on one shard. Addresses differ little in this;
    /// half of what a shard takes at most is left for that.
    /// - Throws: INVALID_ARGUMENT with the largest radius that is possible.
    func checkActivation(partitions: Int, shards: Int) throws(LociError) {
        let ofPartition = Self.recordBytes / 2 / recordBytesOfLocation * partitions
        let most = Double(min(ofPartition, MemoryReadTask.mostUses / 2 * shards))
        guard expectedActive > most else { return }
        let advice =
            largestRadius(mostActive: most).map {
                "Choose a radius of at most \($0); for as many patterns as a hundredth of the hard "
                    + "locations "
                    + "\(Self.radius(bits: bits, locations: locations, items: locations / 100)) "
                    + "is best."
            } ?? "Choose fewer hard locations, or more bits."
        throw LociError(
            .invalidArgument,
            "With a radius of \(radius) of \(bits) bits an address activates "
                + "\(Int(expectedActive)) of \(locations) hard locations; \(Int(most)) are "
                + "possible.", advice: advice)
    }

    func tooMany(_ count: Int) -> LociError {
        LociError(
            .resourceExhausted,
            "\(count) vectors of the memory '\(name)' are too many for one request.",
            advice: "Send at most \(vectorsPerRequest) at once.")
    }

    func tooActive(_ most: Int) -> LociError {
        LociError(
            .resourceExhausted,
            "An address activates more than \(most) hard locations of one partition in the memory "
                + "'\(name)'.", advice: "Create a memory with a smaller radius.")
    }
}
