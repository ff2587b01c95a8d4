import LociBase
import LociModel
import LociSearch

/// A partition's state and the queue of what is to be logged next.
///
/// Invariants:
/// - `inFlight` is the group that is being made durable, in the log's order, without those that
///   have been applied; `queue` comes after it.
/// - `lsn` is the end of the last group that `state` has applied, as a whole unless `durableEnd`
///   says that one is being applied.
struct PartitionWorker: Sendable {
    struct Pending: Sendable {
        var record: LogRecord
        var encoded: Bytes
        var reply: Reply
        /// What the part of it came to that is applied already.
        var done = Done()

        /// What is applied first, and the rest of a put with more points.
        func cut(after points: Int) -> (first: Pending, rest: Pending?) {
            guard case .put(let space, let sequence, let generation, let put) = record,
                put.ids.count > points
            else { return (self, nil) }
            func part(_ members: Range<Int>) -> LogRecord {
                .put(
                    space: space, sequence: sequence, generation: generation,
                    points: put.part(members))
            }
            return (
                Pending(record: part(0..<points), encoded: Bytes(), reply: .none, done: done),
                Pending(record: part(points..<put.ids.count), encoded: Bytes(), reply: reply)
            )
        }
    }

    /// What applying a record came to.
    struct Done: Sendable {
        var count: UInt64 = 0
        var pagesTouched: UInt64 = 0
    }

    /// What to say once the record is applied.
    enum Reply: Sendable {
        case acknowledge(Asker)
        /// The targets are read when the claim is applied, before it.
        case claimed(Asker)
        case install(UInt64)
        /// The last of what each has asked to be written; what reading the pages took.
        case memoryWritten([Asker], Receipt)
        case none
    }

    var state: PartitionState
    var lsn: LSN
    var logBytes: UInt64
    var isCheckpointing = false
    /// Whether one is due for another reason than the length of the log.
    var wantsCheckpoint = false
    /// Not before then: the last one found no space.
    var checkpointNotBefore = Instant.zero
    private(set) var queue: [Pending] = []
    /// Of the records in `queue`, encoded.
    private(set) var queuedBytes = 0
    var inFlight: [Pending] = []
    /// Where the group in flight ends in the log, once it is durable: it is being applied, in
    /// several events.
    var durableEnd: LSN?
    var memoryWrites = MemoryWrites()
    var rewrites: [RewriteKey: RewriteProgress] = [:]
    /// Rows that postings on their way into a rewrite have got since it began.
    var appended: [RewriteKey: [SplitRow]] = [:]
    /// What is to be looked at once a split has been applied.
    var afterSplit: [RewriteKey: SplitAftermath] = [:]
    /// Postings with few points that cannot be given up, and how many hard locations there were
    /// when that was found. Looked at again when a tenth more or fewer are there.
    private var strays: [RewriteKey: Int] = [:]

    init(state: PartitionState, lsn: LSN, logBytes: UInt64) {
        self.state = state
        self.lsn = lsn
        self.logBytes = logBytes
    }

    struct RewriteKey: Hashable, Comparable {
        let space: SpaceID
        let location: LocationID

        static func < (left: RewriteKey, right: RewriteKey) -> Bool {
            (left.space, left.location) < (right.space, right.location)
        }
    }

    enum RewriteProgress {
        /// Pages are on their way.
        case loading
        /// All rows that the posting had when it began.
        case ready([SplitRow])
        /// The record is being made durable.
        case logged
    }

    mutating func endRewrite(_ key: RewriteKey) {
        rewrites[key] = nil
        appended[key] = nil
        afterSplit[key] = nil
        if state.slices[key.space]?.postings[key.location] == nil { strays[key] = nil }
    }

    /// Whether a posting is to be rewritten, or may be given up.
    mutating func isWorthRewriting(_ key: RewriteKey) -> Bool {
        guard let slice = state.slices[key.space], slice.postings[key.location] != nil else {
            return false
        }
        if slice.overfull.contains(key.location) || slice.postings[key.location]!.live == 0 {
            return true
        }
        let count = slice.locations.count
        if let before = strays[key], abs(count - before) * 10 <= before { return false }
        strays[key] = slice.canBeGivenUp(key.location) ? nil : count
        return strays[key] == nil
    }

    mutating func note(_ placed: [PlacedRow], _ space: SpaceID) {
        for row in placed {
            let key = RewriteKey(space: space, location: row.location)
            appended[key]?.append(SplitRow(cell: row.cell, tag: row.tag, vector: row.vector))
        }
    }

    /// One group of records: bounded, so that a posting cannot outgrow its extent before it can be
    /// split, and so that one commit does not take for ever.
    static let groupBytes = 8 << 20
    static let groupPoints = 4096
    /// A posting so many times too large holds back further puts until it is split.
    static let holdFactor = 4

    /// Whether the next put of a collection has to wait for a split.
    func mustHold(_ record: LogRecord) -> Bool {
        guard case .put(let space, _, _, _) = record, let slice = state.slices[space] else {
            return false
        }
        return slice.overfull.contains {
            (slice.postings[$0]?.rows ?? 0) > Self.holdFactor * slice.splitAbove
                && rewrites[RewriteKey(space: space, location: $0)] != nil
        }
    }

    /// Whether one more record may wait. A large one may if it waits alone.
    func hasRoom(for encoded: Bytes) -> Bool {
        if queue.isEmpty { return true }
        return queue.count < Limits.requestsInFlight
            && queuedBytes + encoded.count <= Limits.waitingMutationBytes
    }

    mutating func append(_ pending: Pending) {
        queue.append(pending)
        queuedBytes += pending.encoded.count
    }

    /// Takes the next group from the queue.
    mutating func takeGroup() -> [Pending] {
        var bytes = 0
        var points = 0
        var taken = 0
        while taken < queue.count {
            let next = queue[taken]
            if mustHold(next.record) { break }
            if case .put(_, _, _, let put) = next.record { points += put.ids.count }
            bytes += next.encoded.count
            if taken > 0, bytes > Self.groupBytes || points > Self.groupPoints { break }
            taken += 1
        }
        let group = Array(queue[..<taken])
        queue.removeFirst(taken)
        queuedBytes -= group.reduce(0) { $0 + $1.encoded.count }
        return group
    }
}
