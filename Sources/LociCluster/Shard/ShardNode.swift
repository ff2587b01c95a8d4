public import LociBase
public import LociModel
public import LociSearch
public import LociStorage
public import LociTiering
public import LociWire

/// What happens to a shard.
public enum ShardEvent: Sendable {
    /// A message from the peer with this number.
    case received(from: UInt64, Message)
    /// A message from another shard, over this one's connection to it.
    case heard(from: ShardIndex, Message)
    case pageArrived(PageAddress, Result<PageArrival, LociError>)
    /// Events and directives that came before have been let go of, and with them the pages that
    /// they held. To be told while `isWaitingForRoom`.
    case released
    /// The node's `nextWake` has come.
    case woken
    /// A page's file did not take a write whose record is durable.
    case writeFailed(PageAddress, LociError)
    /// A group of records is durable up to the LSN. RESOURCE_EXHAUSTED: the disk is full and
    /// nothing was written; any other error is final.
    case committed(PartitionIndex, Result<LSN, LociError>)
    /// The partition's log now has so many bytes.
    case checkpointed(PartitionIndex, Result<UInt64, LociError>)
    /// Files of a partition failed in a way that only recovery can put right.
    case storageFailed(LociError)
    /// How storage stands.
    case storageReported(StorageVitals)
    case surveyed(SurveyRequest, Result<Survey, LociError>)
    /// A scrub goes on, or has ended.
    case scrubbed(ScrubProgress)
    /// What the partition's part of a snapshot holds is fixed, whatever is written from now on.
    case snapshotCut(SnapshotPlace, PartitionIndex)
    /// The partition's part is complete and durable, with so many bytes, or will not be. After a
    /// failure there need not have been a cut.
    case snapshotDone(SnapshotPlace, PartitionIndex, Result<UInt64, LociError>)
}

/// What became of a page-in.
public enum PageArrival: Sendable {
    /// `dram` if a write that is not in the file yet had all of the page.
    case loaded(Bytes, from: Tier)
    /// It lies in this tier, which is slower than was allowed.
    case beyond(Tier)
    /// Its time was up before it was begun.
    case dropped
}

extension PageAnswer {
    /// What the node is to be told.
    public var arrival: Result<PageArrival, LociError> {
        switch self {
        case .loaded(let bytes, let tier): .success(.loaded(bytes, from: tier))
        case .skipped(let tier): .success(.beyond(tier))
        case .failed(let error): .failure(error.sentence)
        }
    }
}

/// What a shard wants done. Directives about one page, and those about one partition's log, must be
/// carried out in the order in which they were given, but for background page-ins, which later
/// work may overtake, and which may never overtake earlier writes of their page.
public enum ShardDirective: Sendable {
    case send(to: UInt64, Message)
    /// Send to another shard, over this one's own connection to it; it may be lost.
    case tell(ShardIndex, Message)
    /// Load pages; each is answered by a `pageArrived` of its own.
    case load([PageRequest])
    /// Somebody waits for these page-ins, which were ordered as background: they are not to wait
    /// any longer for other work than they must. Advice.
    case hasten([PageAddress])
    case write(PageWrite)
    /// Append to the partition's log and make durable.
    case commit(PartitionIndex, [Bytes])
    /// Make all writes given so far durable, keep the state's snapshot, and let go of the log
    /// below the LSN.
    case checkpoint(PartitionIndex, LSN, PartitionState)
    case drop(PartitionIndex, SpaceID)
    /// Say which extents lie on tiers of files.
    case survey(SurveyRequest)
    /// Read and check everything that is stored at this rate (0: as it suits), in the background.
    /// It is reported by `scrubbed`, the last time with `isRunning` false.
    case scrub(bytesPerSecond: UInt64)
    /// Copy a partition as it is at the LSN, after all writes given so far: report the cut at once,
    /// then the end. No write is given to the partition until the cut is reported.
    case snapshot(SnapshotPlace, PartitionIndex, LSN, PartitionState)
    /// End the process: going on would risk data.
    case stop(LociError)
}

/// Everything a shard decides. A value: events in, directives out. It has no socket, file, thread
/// or clock; the stopwatch only fills receipts and no decision depends on it.
///
/// Invariants:
/// - A write is applied, and seen by reads, only after its record is durable; it is acknowledged
///   after that.
/// - At most one group of records per partition is being made durable; what comes meanwhile forms
///   the next group.
/// - Mutations of a coordinator that has been superseded, or older than the fence, change nothing.
public struct ShardNode: Sendable {
    public struct Settings: Sendable {
        public var clusterID: UInt64
        public var shard: ShardIndex
        public var incarnation: UInt64
        public var partitions: Int
        public var shards: Int
        /// Memory for pages; page-ins are to be read into its arena.
        public var dram: MemoryTier
        /// A second, farther memory, for what leaves the first.
        public var far: MemoryTier?
        /// Whether to count how often extents are used, which costs each page of a request time.
        public var countsHeat: Bool
        /// Whether to fetch what reads let expect, and what an earlier life had.
        public var guesses: Bool
        /// Log bytes of a partition after which a checkpoint is due.
        public var checkpointLogBytes: UInt64
        /// Nil if the shard takes no part in gossip.
        public var gossip: GossipSettings?
        /// Whether clients may announce what they will read; else they are told that they may not.
        public var takesPrefetches: Bool
        /// Points that are written in one event, about, before others have their turn.
        public var pointsPerTurn = SearchTuning().pointsPerTurn

        public init(
            clusterID: UInt64, shard: ShardIndex, incarnation: UInt64, partitions: Int,
            shards: Int, dram: MemoryTier, far: MemoryTier? = nil, countsHeat: Bool = false,
            guesses: Bool = true, takesPrefetches: Bool = true, checkpointLogBytes: UInt64,
            gossip: GossipSettings? = nil
        ) {
            self.clusterID = clusterID
            self.shard = shard
            self.incarnation = incarnation
            self.partitions = partitions
            self.shards = shards
            self.dram = dram
            self.far = far
            self.countsHeat = countsHeat
            self.guesses = guesses
            self.checkpointLogBytes = checkpointLogBytes
            self.gossip = gossip
            self.takesPrefetches = takesPrefetches
        }
    }

    public let settings: Settings
    let stopwatch: @Sendable () -> Instant
    var workers: [PartitionIndex: PartitionWorker] = [:]
    var pages: PageTable
    var fields = FieldIndex()
    var tasks: [UInt64: PageTask] = [:]
    var nextTask: UInt64 = 0
    /// Tasks that go on when the node is woken, the next one first.
    var paused: [UInt64] = []
    /// Partitions with durable records that are not applied yet, the next one first.
    var applying: [PartitionIndex] = []
    var guardian = MutationGuard()
    var installs: [UInt64: PendingInstall] = [:]
    var rejectedMessages: UInt64 = 0
    var storageVitals = StorageVitals()
    /// Of the scrub that was started last; nil if none was since the shard began.
    var scrubProgress: ScrubProgress?
    var surveys: [UInt64: Asker] = [:]
    var snapshot: ShardSnapshotState?
    var prefetching = Prefetching()
    /// Nil if it makes none.
    var guesses: ShardGuesses?
    var gossip: ShardGossip?
    var now = Instant.zero

    /// - Parameter recovered: The shard's partitions with the LSN up to which they were replayed,
    ///   and the bytes in their logs.
    public init(
        _ settings: Settings, recovered: [(state: PartitionState, lsn: LSN, logBytes: UInt64)],
        stopwatch: @escaping @Sendable () -> Instant
    ) {
        self.settings = settings
        self.stopwatch = stopwatch
        pages = PageTable(dram: settings.dram, far: settings.far, countsHeat: settings.countsHeat)
        gossip = settings.gossip.map { gossip in
            ShardGossip(
                ClusterGossip(
                    gossip, node: ClusterGossip.node(of: settings.shard),
                    incarnation: settings.incarnation, shards: settings.shards),
                budgetBytes: settings.dram.arena.budgetBytes)
        }
        if settings.guesses {
            guesses = ShardGuesses(seed: mix64(settings.clusterID ^ UInt64(settings.shard)))
        }
        for (state, lsn, logBytes) in recovered {
            workers[state.partition] = PartitionWorker(
                state: state, lsn: lsn, logBytes: logBytes)
        }
    }

    public mutating func handle(
        _ event: ShardEvent, at now: Instant, into directives: inout [ShardDirective]
    ) {
        self.now = now
        beginEvent()
        switch event {
        case .received(let peer, let message):
            receive(message, from: peer, into: &directives)
        case .heard(let shard, let message): heard(message, from: shard, into: &directives)
        case .pageArrived(let address, let result):
            pageArrived(address, result, into: &directives)
        case .released: pages.noteRelease()
        case .woken:
            pages.noteRelease()
            resumePaused(into: &directives)
            applySome(into: &directives)
        case .writeFailed(_, let error), .storageFailed(let error):
            directives.append(.stop(error))
        case .committed(let partition, let result):
            committed(partition, result, into: &directives)
        case .checkpointed(let partition, let result):
            checkpointed(partition, result, into: &directives)
        case .storageReported(let vitals): storageVitals = vitals
        case .surveyed(let request, let result): surveyed(request, result, into: &directives)
        case .scrubbed(let progress): scrubProgress = progress
        case .snapshotCut(let place, let partition):
            snapshotCut(place, partition, into: &directives)
        case .snapshotDone(let place, let partition, let result):
            snapshotDone(place, partition, result, into: &directives)
        }
        admitWaiting(into: &directives)
        advanceGossip(into: &directives)
        endEvent(into: &directives)
    }

    /// Whether a request waits for room in memory.
    public var isWaitingForRoom: Bool { pages.firstWaiting != nil }

    private mutating func receive(
        _ message: Message, from peer: UInt64, into directives: inout [ShardDirective]
    ) {
        let allowed = message.header.deadlineMicroseconds
        let asker = Asker(
            peer: peer, requestID: message.header.requestID, arrived: now,
            expires: now.advanced(
                microseconds: allowed == 0 ? Limits.defaultDeadlineMicroseconds : allowed))
        if case .hello(let hello) = message.body {
            return greet(hello, message.header, asker, into: &directives)
        }
        if case .gossip(let gossip) = message.body {
            return heard(gossip, message.bulk, asker, into: &directives)
        }
        let isDirect = message.header.senderIncarnation == 0
        if isDirect {
            guard message.body.isForShardsFromClients else {
                rejectedMessages += 1
                return
            }
            if let stale = staleness(of: message.header) {
                return refuse(asker, stale, into: &directives)
            }
        } else {
            guard guardian.accepts(message.header, incarnation: settings.incarnation) else {
                rejectedMessages += 1
                return
            }
        }
        do throws(LociError) {
            try message.validated()
        } catch {
            rejectedMessages += 1
            return refuse(asker, error, into: &directives)
        }
        if message.header.sequence > 0, !isDirect {
            return mutate(message, asker, into: &directives)
        }
        switch message.body {
        case .ping: answerPing(message.header, asker, into: &directives)
        case .askNews(let question): answer(question, asker, into: &directives)
        case .install(let install):
            self.install(install, message.bulk, asker, into: &directives)
        case .shardRead(let read): self.read(read, message.bulk, asker, into: &directives)
        case .shardPrefetch(let prefetch):
            let client = PrefetchClient(
                number: isDirect ? asker.peer : prefetch.client, isDirect: isDirect)
            self.prefetch(prefetch, message.bulk, client, asker, into: &directives)
        case .shardRelease(let release):
            let client = PrefetchClient(number: asker.peer, isDirect: isDirect)
            self.release(release, message.bulk, client, asker, into: &directives)
        case .ticket(let ticket): answer(ticket, asker, into: &directives)
        case .hint(let hint): take(hint, message.bulk, into: &directives)
        case .claim(let claim) where claim.isLookup:
            lookUp(claim, message.bulk, asker, into: &directives)
        case .shardQuery(let query): search(query, message.bulk, asker, into: &directives)
        case .shardComplete(let step): complete(step, message.bulk, asker, into: &directives)
        case .shardCollectionInfo(let question): report(question, asker, into: &directives)
        case .fetch(let fetch): self.fetch(fetch, message.bulk, asker, into: &directives)
        case .shardMemoryRead(let read):
            self.read(read, message.bulk, asker, into: &directives)
        case .shardScroll(let scroll): self.scroll(scroll, asker, into: &directives)
        case .shardCount(let count): self.count(count, asker, into: &directives)
        case .shardResidency(let question): survey(question, asker, into: &directives)
        case .scrub(let scrub): self.scrub(scrub, asker, into: &directives)
        case .shardSnapshot(let step): snapshot(step, asker, into: &directives)
        default: rejectedMessages += 1
        }
    }

    /// Why a client that talks to the shard itself means another start of it; nil if it does not.
    private func staleness(of header: Header) -> LociError? {
        if [0, settings.incarnation].contains(header.receiverIncarnation) { return nil }
        return LociError(
            .failedPrecondition,
            "Shard \(settings.shard) was started anew since it was found here.",
            advice: "Ask the coordinator again where the shards are.")
    }

    // MARK: Answers

    func answer(
        _ asker: Asker, _ body: Body, bulk: [Bytes] = [], into directives: inout [ShardDirective]
    ) {
        var header = Header(requestID: asker.requestID)
        header.senderIncarnation = settings.incarnation
        directives.append(.send(to: asker.peer, Message(header, body, bulk: bulk)))
    }

    func refuse(
        _ asker: Asker, _ error: LociError, into directives: inout [ShardDirective]
    ) {
        answer(asker, .failure(error), into: &directives)
    }

    /// Starts a receipt's shard part; `finish` closes it.
    func finish(_ receipt: Receipt, _ asker: Asker) -> Receipt {
        var receipt = receipt
        receipt.shardMicroseconds = stopwatch().microseconds(since: asker.arrived)
        return receipt
    }

    func unknownSpace(_ space: SpaceID) -> LociError {
        LociError(
            .unavailable,
            "Shard \(settings.shard) does not know space \(space) (yet, or any more).",
            advice: "Try again.")
    }

    /// The collection's slices that live here, in the order of their partitions.
    func slices(of space: SpaceID) -> [CollectionSlice] {
        workers.keys.sorted().compactMap { workers[$0]!.state.slices[space] }
    }
}

/// Who wants an answer, and since when.
struct Asker: Sendable {
    let peer: UInt64
    let requestID: UInt64
    let arrived: Instant
    /// After which nobody waits for the answer any more.
    let expires: Instant
}

extension Body {
    /// Whether a shard takes it from clients themselves: it changes nothing that is stored.
    fileprivate var isForShardsFromClients: Bool {
        switch self {
        case .shardRead, .shardPrefetch, .shardRelease, .ticket: true
        default: false
        }
    }
}
