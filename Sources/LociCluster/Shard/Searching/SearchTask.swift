import LociBase
import LociModel
import LociSearch
import LociTiering
import LociWire

/// A query, or one step of a completion: first the codes of its postings are scanned, in rounds;
/// then the vectors that the codes do not rule out are compared; then what the answer holds is
/// gathered.
struct SearchTask: Sendable {
    let asker: Asker
    let space: SpaceID
    let definition: CollectionDefinition
    let vector: [Float]
    let wanted: [LocationKey]
    let filter: Filter?
    let purpose: Purpose
    /// Those of the wanted that were here when it began: dropped together, but not at once.
    var partitions: [PartitionIndex] = []
    /// Once the plan is made.
    var scan: CodeScanning?
    /// Those of the partitions in which every point that passes the filter is to be compared,
    /// whatever its code says. They are chosen when the plan is made.
    var wholePartitions: [PartitionIndex] = []
    /// Once everything is scanned.
    var comparing: Comparing?
    /// What was compared before points were taken up that had changed meanwhile.
    var compared: Comparing?
    /// Once everything is compared.
    var gathering: Gathering?

    enum Purpose: Sendable {
        case query(ShardQuery)
        case completion(ShardComplete)
    }

    var k: Int {
        switch purpose {
        case .query(let query): Int(query.k)
        case .completion: 1
        }
    }

    /// All partitions are wanted as a whole.
    var isExhaustive: Bool { wanted.contains { $0.location == ShardQuery.everyLocation } }

    /// No posting is to be scanned.
    var isWhole: Bool { wholePartitions.count == partitions.count }

    func isWhole(_ partition: PartitionIndex) -> Bool { wholePartitions.contains(partition) }
}

/// Scanning postings a few pages at a time, while they may change.
///
/// Invariants:
/// - Of each posting in `scanned`, that many rows have been looked at; rows are only appended, and
///   a posting that was rewritten is another location.
/// - `scanned` is in the order of its keys, each of which is there once.
/// - A candidate counts in the end if its point is still the version that it was.
struct CodeScanning: Sendable {
    /// Part of a posting on one page.
    struct Run: Sendable {
        let key: LocationKey
        let origin: CodeOrigin
        let run: RowRun
    }

    /// How far a posting has been looked at, or will have been once `pending` is empty.
    struct Scanned: Sendable {
        let key: LocationKey
        let rows: Int
    }

    var scanner: PostingScanner
    var candidates: CandidateSet
    var scanned: [Scanned] = []
    /// Runs to come, the next one last.
    var pending: [Run] = []
    /// Runs whose pages were asked for.
    var asked: [Run] = []
    /// How often the postings were looked over for rows that had come meanwhile.
    var plans = 0
    var filters: [PartitionIndex: PartitionFilter] = [:]
    /// Candidates whose payloads were looked at.
    var verified: UInt64 = 0
    /// Candidates whose payloads still have to be looked at, the most promising last.
    var unverified: [Candidate]?
    var verifying: [Candidate] = []
    /// Candidates that were found changed when their payloads came.
    var changed: [ChangedPoint] = []

    /// Those of which some posting was looked at.
    var partitions: UInt32 {
        var count: UInt32 = 0
        var last: PartitionIndex?
        for posting in scanned where posting.key.partition != last {
            count += 1
            last = posting.key.partition
        }
        return count
    }
}

/// A point that was replaced or removed between its code and its vector.
struct ChangedPoint: Sendable {
    let partition: PartitionIndex
    let id: PointID
}

/// A filter as the indexes of one partition answer it.
struct PartitionFilter: Sendable {
    /// Of the slice, when the indexes were asked.
    let revision: UInt64
    let plan: FilterPlan
}

/// Comparing full vectors, the most promising first, in rounds: those that were compared may rule
/// out others.
///
/// Invariants:
/// - The parts before `next` have been compared, but for those in `asked`, whose pages were asked
///   for.
/// - An item whose point has changed is not compared, but noted in `changed`: what it is now has to
///   be looked at, and its code may have ruled out others.
/// - What is left out costs more than the best that are wanted, as far as its code can tell.
struct Comparing: Sendable {
    struct Item: Sendable {
        let partition: PartitionIndex
        let cell: CellNumber
        let id: PointID
        let version: UInt64
        /// What the code says, for a vector that must not be read.
        let estimate: Float
        /// Its distance is believed to be at least this.
        let lower: Float

        init(_ candidate: Candidate) {
            partition = candidate.partition
            cell = candidate.cell
            id = candidate.id
            version = candidate.version
            estimate = candidate.estimate
            lower = candidate.lower
        }
    }

    /// Items whose vectors lie on one page.
    struct Part: Sendable {
        var items: Range<Int>
        let address: PageAddress
        /// Of the first item's vector in the page.
        let offset: Int
        /// The least of the items' bounds.
        var lower: Float
    }

    struct Compared: Sendable {
        let item: Item
        let score: Float
    }

    /// By partition and cell.
    let items: [Item]
    /// By the least of their bounds.
    let parts: [Part]
    var next = 0
    var asked: [Part] = []
    /// Whether some were compared in an earlier event than others, so that they may have changed.
    var hasWaited = false
    var best: TopK<Compared>
    var completion: SoftmaxPartial?
    var changed: [ChangedPoint] = []
}
