import LociBase
import LociModel
import LociSearch
import LociText

/// What the coordinator knows of a collection: a copy of all hard locations, how far it follows
/// each partition, and how learning stands.
///
/// Invariants:
/// - `locations` holds what the partitions had at their `known` versions.
/// - All of it can be learned again from the shards; a restart loses nothing but time.
struct CollectionState: Sendable {
    /// How far the copy follows one partition.
    struct Following: Sendable {
        /// The partition has been heard of since this start of the coordinator.
        var isHeard = false
        var known: UInt64 = 0
        var announced: UInt64 = 0
        /// The last news said that there is more.
        var isContinuing = false
        /// When news was asked for that has not come yet.
        var askedAt: Instant?
        var points: UInt64 = 0
        /// Points whose mutation was interrupted, as last heard.
        var interrupted = 0

        /// Whether the copy of this partition's hard locations is the newest that was announced.
        var isCurrent: Bool { isHeard && known >= announced }
    }

    enum Learning: Equatable, Sendable {
        /// Since the collection had so many points.
        case resting(points: UInt64)
        /// A sample, the learning itself, or the planting is under way.
        case busy
        /// Points of older generations are being moved: from this partition and id on.
        case moving(PartitionIndex, from: PointID)
        /// A batch is on its way.
        case movingBatch(PartitionIndex)
    }

    let definition: CollectionDefinition
    var locations: LocationIndex
    var following: [Following]
    var learning = Learning.resting(points: 0)
    var learningNotBefore = Instant.zero
    /// Generation of hard locations by which points are placed: one that all partitions are known
    /// to have. 0 places by id.
    var placement: UInt32 = 0
    /// A learning failed in part and has to be repeated.
    var mustLearn = false
    /// Points were placed by an older generation while others moved: they have to move too.
    var mustMoveAgain = false
    var encoder: LexicalEncoder?
    var isRarityUnsaved = false
    /// Interrupted points are being mended.
    var isMending = false
    /// Queries by address since this start, and the partitions that they went to.
    var queries: UInt64 = 0
    var partitionsAsked: UInt64 = 0

    init(_ definition: CollectionDefinition, partitions: Int, encoder: LexicalEncoder?) {
        self.definition = definition
        locations = LocationIndex(dimension: definition.dimension, keepsExact: false)
        following = Array(repeating: Following(), count: partitions)
        self.encoder = encoder
    }

    var points: UInt64 { following.reduce(0) { $0 + $1.points } }
    var isCurrent: Bool { following.allSatisfy(\.isCurrent) }
    var isMended: Bool { !isMending && following.allSatisfy { $0.interrupted == 0 } }
    /// Every point lies where the newest hard locations say, as far as is known.
    var isSettled: Bool {
        guard case .resting(let points) = learning else { return false }
        return points > 0 && placement > 0 && placement == locations.latestGeneration
    }

    /// Takes the newest generation for placing points once every partition has it. One that was
    /// planted in part, as a new start of the coordinator may find it, is learned again.
    mutating func choosePlacement() {
        let latest = locations.latestGeneration
        guard latest > placement, learning != .busy, !mustLearn else { return }
        var having: Set<PartitionIndex> = []
        for (key, generation) in zip(locations.keys, locations.generations)
        where generation == latest {
            having.insert(key.partition)
        }
        if having.count == following.count {
            placement = latest
        } else if case .resting = learning {
            mustLearn = true
            learning = .resting(points: max(points, 1))
        }
    }

    var isMoving: Bool {
        switch learning {
        case .moving, .movingBatch: true
        default: false
        }
    }
}

/// When hard locations are learned.
enum LearningPolicy {
    /// Time for each step of it; one that takes longer is tried again.
    static let stepMilliseconds: UInt64 = 5_000
    /// They are learned anew when the fullest partition has this many times its share ...
    static let imbalance = 2.0
    /// ... and the collection has grown by this factor since.
    static let growth: UInt64 = 8
    /// Vectors in a sample, over all partitions.
    static let sampleRows = 4096
}
