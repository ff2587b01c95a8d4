import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire

/// A request on its way: what has been asked of shards, and what came back.
///
/// Invariants:
/// - `outstanding` parts have been sent and not answered; when it reaches 0 the operation goes on.
/// - An operation ends once: answered, failed, or cut off at its deadline.
struct Operation: Sendable {
    let number: UInt64
    /// Nil for what the coordinator does of its own accord.
    let client: Client?
    let started: Instant
    var deadline: Instant
    var kind: Kind
    var outstanding = 0
    var requests: [UInt64] = []
    var receipt = Receipt()
    var shardsAsked: Set<ShardIndex> = []
    var shardsFailed: Set<ShardIndex> = []
    var failure: LociError?
    var decidingNanoseconds: UInt64 = 0
    /// Of a mutation; 0 for everything else.
    var sequence: UInt64 = 0

    /// The first failure counts, but one that no partial answer makes good comes before others.
    mutating func note(_ error: LociError) {
        if let failure, !failure.excusesPartialAnswer || error.excusesPartialAnswer { return }
        failure = error
    }

    struct Client: Sendable {
        let peer: UInt64
        let requestID: UInt64
    }

    enum Kind: Sendable {
        case definition(DefinitionOperation)
        case read(ReadOperation)
        case write(count: UInt64)
        case mutation(MutationOperation)
        case query(QueryOperation)
        case retrieve(RetrieveOperation)
        case scroll(ScrollOperation)
        case count(total: UInt64)
        case sample(SampleOperation)
        case plant(SpaceID)
        case findMoves(SpaceID, PartitionIndex, found: [PointID], hasMore: Bool)
        case memoryRead(MemoryReadOperation)
        case residency(ResidencyOperation)
        case scrub(ScrubOperation)
        case snapshot(SnapshotOperation)
        case listSnapshots
        case prefetch(TicketAnswer)
        case release(count: UInt64)
        case completion(CompletionOperation)
        case report(CollectionReport, CollectionDefinition)
        /// A mutation that waits for the point of a snapshot.
        case held(Body, [Bytes])

        /// The collection, if it looks for points in several places, one after the other.
        var readSpace: SpaceID? {
            switch self {
            case .query(let query): query.definition.space
            case .retrieve(let retrieve): retrieve.definition.space
            case .scroll(let scroll): scroll.definition.space
            case .completion(let completion): completion.definition.space
            default: nil
            }
        }
    }
}

/// A change of the catalog: first persisted, then installed.
struct DefinitionOperation: Sendable {
    let change: Body
    var isPersisted = false
}

/// Metadata on its way into its file, and the operation that waits for it; 0 if none does.
struct Persisting: Sendable {
    let operation: UInt64
    let metadata: ClusterMetadata
}

/// An upsert, a deletion, or bringing points home: to where they belong now, in one version.
struct MutationOperation: Sendable {
    enum Purpose: Sendable, Equatable {
        case upsert, delete
        /// Hard locations have changed; the search for such points goes on in this partition.
        case move(PartitionIndex)
        /// A mutation of them was interrupted.
        case mend

        var isBringingHome: Bool { self != .upsert && self != .delete }
    }

    enum Phase: Sendable, Equatable {
        case waiting, looking, gathering, choosing, claiming, putting, pausing, removing
    }

    let space: SpaceID
    let definition: CollectionDefinition
    let purpose: Purpose
    var ids: [PointID]
    var vectors: Bytes
    var payloads: [Bytes]
    var targets: [[UInt16]] = []
    var previous: [[UInt16]] = []
    /// Points that each part of the phase is about.
    var parts: [[Int]] = []
    var phase = Phase.waiting
    var sequence: UInt64 = 0
    /// Of the hard locations by which `targets` were chosen.
    var generation: UInt32 = 0
    var count: UInt64 = 0
    /// Of points that are brought home, the newest copy found so far.
    var gathered: [PointID: FoundMatch] = [:]
    /// Readers that may have asked where the old copies were: those go after the readers are done.
    var readers: Set<UInt64> = []
}

struct QueryOperation: Sendable {
    /// Who is asked.
    enum Reach: Equatable, Sendable {
        case address(AddressWidth)
        case everywhere
        /// The filter is selective: partitions that were not yet looked at as a whole.
        case rest
        /// No shard of the address answers: others are asked for what they have.
        case elsewhere
    }

    let definition: CollectionDefinition
    let query: Query
    let vector: [Float]
    var reach: Reach
    /// How often more hard locations were asked, because the address held too few points.
    var widenings = 0
    /// Hard locations that the last round asked for.
    var asked = 0
    /// Points that passed the filter in the last round, and in partitions that it did not ask any
    /// more.
    var passed: UInt64 = 0
    /// Partitions in which every point was compared that passes the filter: not asked again.
    var wholePartitions: Set<PartitionIndex> = []
    /// Some shard has skipped postings because of `maxTier`.
    var hasSkipped = false
    var matches: [FoundMatch] = []
}

/// A match with what travels beside it.
struct FoundMatch: Sendable {
    let match: Match
    let payload: Bytes
    let vector: Bytes
}

struct RetrieveOperation: Sendable {
    let definition: CollectionDefinition
    let ids: [PointID]
    let withVector: Bool
    var parts: [[Int]]
    /// Partitions that the directories name, and the ids to fetch from each.
    var targets: [UInt16: [PointID]] = [:]
    var isFetching = false
    var points: [PointID: FoundMatch] = [:]
}

struct ScrollOperation: Sendable {
    let definition: CollectionDefinition
    let limit: Int
    let withVector: Bool
    /// Not 0: of a sample.
    let sampleSeed: UInt64
    var points: [FoundMatch] = []
    var hasMore = false
    /// Up to this id, every shard has said what it has.
    var knownTo = PointID.max
}

struct SampleOperation: Sendable {
    let definition: CollectionDefinition
    var rows: [Float] = []
}
