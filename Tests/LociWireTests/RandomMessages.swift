import LociBase
import LociModel
import LociWire

/// Valid messages of every kind with values from a seed.
struct RandomMessages {
    var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    static let kinds = 75

    /// Small numbers, large ones, and the ends of the range, all of them often.
    mutating func number<Value: FixedWidthInteger & UnsignedInteger>() -> Value {
        switch random.below(4) {
        case 0: 0
        case 1: .max
        case 2: Value(truncatingIfNeeded: random.below(300))
        default: Value(truncatingIfNeeded: random.next())
        }
    }

    mutating func flag() -> Bool { random.chance(0.5) }

    mutating func name() -> String {
        let letters = Array("abcXYZ019-_.é".dropLast())
        let count = random.below(20)
        return "n" + String((0..<count).map { _ in letters[random.below(letters.count)] })
    }

    mutating func text() -> String {
        let pieces = ["", "word ", "né", "\u{0}", "數", "🧠", "\n"]
        return (0..<random.below(6)).map { _ in pieces[random.below(pieces.count)] }.joined()
    }

    mutating func bytes(_ count: Int) -> Bytes {
        Bytes((0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    mutating func floats(_ count: Int) -> Bytes {
        Bytes(values: (0..<count).map { _ in Float(random.unit() * 200 - 100) })
    }

    mutating func payloads(_ count: Int) -> [Bytes] {
        let list = PayloadList((0..<count).map { _ in bytes(random.below(30)) })
        return [list.lengths, list.blob]
    }

    mutating func targets(_ count: Int) -> Bytes {
        TargetList((0..<count).map { _ in (0..<random.below(17)).map { _ in number() } }).encoded
    }

    mutating func receipt() -> Receipt {
        var receipt = Receipt()
        receipt.shardsAsked = number()
        receipt.shardsAnswered = number()
        receipt.partitions = number()
        receipt.pagesTouched = number()
        for tier in Tier.allCases where flag() { receipt.tiers[tier] = tierCost() }
        receipt.bytesRead = number()
        receipt.vectorsScored = number()
        receipt.locationsActive = number()
        receipt.totalMicroseconds = number()
        receipt.coordinatorMicroseconds = number()
        receipt.shardMicroseconds = number()
        receipt.scoringMicroseconds = number()
        receipt.codesScanned = number()
        receipt.wholePartitions = number()
        receipt.rounds = number()
        return receipt
    }

    mutating func tierCost() -> TierCost {
        var cost = TierCost()
        cost.hits = number()
        cost.soft = number()
        cost.hard = number()
        cost.skipped = number()
        cost.bytes = number()
        cost.waitMicroseconds = number()
        return cost
    }

    mutating func vitals() -> ShardVitals {
        var vitals = ShardVitals()
        vitals.partitions = number()
        vitals.points = number()
        vitals.residentBytes = number()
        vitals.budgetBytes = number()
        vitals.pagesRequested = number()
        vitals.pagesHit = number()
        vitals.logBytes = number()
        vitals.requestsInFlight = number()
        vitals.rejectedMessages = number()
        vitals.tiers = Tier.allCases.filter { _ in flag() }.map { tierVitals($0) }
        vitals.pagesVerified = number()
        vitals.pagesDamaged = number()
        vitals.overflowBytes = number()
        vitals.isFull = flag()
        vitals.told = tally()
        vitals.guessed = tally()
        vitals.hinted = tally()
        vitals.gossip = gossipVitals()
        return vitals
    }

    mutating func tally() -> PrefetchTally {
        var tally = PrefetchTally()
        tally.issued = number()
        tally.used = number()
        tally.late = number()
        tally.wasted = number()
        tally.dropped = number()
        tally.bytes = number()
        return tally
    }

    mutating func gossipVitals() -> GossipVitals {
        var vitals = GossipVitals()
        vitals.rounds = number()
        vitals.messages = number()
        vitals.bytesSent = number()
        vitals.bytesReceived = number()
        vitals.entries = number()
        vitals.dropped = number()
        return vitals
    }

    mutating func shardPlace() -> ShardPlace {
        ShardPlace(endpoint: "tcp://a-machine.example:7402", incarnation: number())
    }

    mutating func tierVitals(_ tier: Tier) -> TierVitals {
        var vitals = TierVitals(tier)
        vitals.residentBytes = number()
        vitals.budgetBytes = number()
        vitals.requests = number()
        vitals.hits = number()
        vitals.movedIn = number()
        vitals.movedOut = number()
        vitals.isEmulated = flag()
        vitals.dirtyBytes = number()
        return vitals
    }

    mutating func snapshotEntry() -> SnapshotEntry {
        SnapshotEntry(
            name: name(), id: number(), unixSeconds: number(), bytes: number(),
            partitions: number(), shards: number())
    }

    mutating func tier() -> Tier? { flag() ? nil : Tier.allCases[random.below(6)] }

    mutating func message(kind: Int) -> Message {
        var header = Header(requestID: number(), deadlineMicroseconds: number())
        header.senderIncarnation = number()
        header.receiverIncarnation = number()
        header.sequence = number()
        header.fence = number()
        let (body, bulk) =
            kind < 14
            ? request(kind)
            : kind < 21
                ? answer(kind)
                : kind < 40
                    ? betweenServers(kind)
                    : kind < 49
                        ? aboutStorage(kind)
                        : kind < 59 ? aboutPrefetch(kind) : aboutContent(kind)
        return Message(header, body, bulk: bulk)
    }

    private mutating func request(_ kind: Int) -> (Body, [Bytes]) {
        let n = 1 + random.below(5)
        switch kind {
        case 0:
            let types: [ElementType] = [.raw, .float32, .bfloat16, .uint8, .packed(bits: 3)]
            let shape: [UInt64] = (0..<(2 + random.below(7))).map { _ in number() }
            return (
                .createField(
                    CreateField(
                        name: name(), elementType: types[random.below(5)], shape: shape,
                        pageBytes: number())), []
            )
        case 1: return (.dropField(DropField(name: name())), [])
        case 2:
            return (
                .createCollection(
                    CreateCollection(
                        name: name(), dimension: number(), metric: Metric.allCases[random.below(3)],
                        isText: flag(), codeBits: number(), copies: number(),
                        indexedFields: (0..<random.below(4)).map { _ in text() })), []
            )
        case 3: return (.dropCollection(DropCollection(name: name())), [])
        case 4: return (.describe, [])
        case 5: return (.status, [])
        case 6:
            let scattered = flag()
            return (
                .readCells(
                    ReadCells(
                        field: name(), first: 7, count: UInt64(n), isScattered: scattered,
                        maxTier: tier(), identity: number(), withTiers: flag(),
                        allowsPartial: flag())),
                scattered ? [bytes(n * 8)] : []
            )
        case 7:
            let scattered = flag()
            return (
                .writeCells(
                    WriteCells(
                        field: name(), first: 7, count: UInt64(n), isScattered: scattered)),
                scattered ? [bytes(n * 8), bytes(n * 33)] : [bytes(n * 33)]
            )
        case 8:
            let isText = flag()
            let body = Upsert(collection: name(), count: UInt32(n), isText: isText)
            return (
                .upsert(body),
                [bytes(n * 8)] + (isText ? payloads(n) : [floats(n * 9)])
                    + payloads(n)
            )
        case 9:
            let text = text()
            return (
                .query(
                    Query(
                        collection: name(), k: UInt32(n), isExact: flag(), withPayload: flag(),
                        withVector: flag(), probes: number(), text: text,
                        maxTier: tier(), filter: self.text(), recall: recall(),
                        radius: radius())),
                text.isEmpty ? [floats(12)] : []
            )
        case 10:
            return (.retrieve(Retrieve(collection: name(), withVector: flag())), [bytes(n * 8)])
        case 11:
            return (
                .scroll(
                    Scroll(
                        collection: name(), from: number(), limit: UInt32(n), withVector: flag(),
                        sampleSeed: number(), idsOnly: flag())),
                []
            )
        case 12: return (.count(Count(collection: name())), [])
        default: return (.deletePoints(DeletePoints(collection: name())), [bytes(n * 8)])
        }
    }

    private mutating func answer(_ kind: Int) -> (Body, [Bytes]) {
        let n = random.below(5)
        let vectors = flag() ? floats(n * 3) : Bytes()
        switch kind {
        case 14:
            let code = ErrorCode.allCases[random.below(ErrorCode.allCases.count)]
            return (.failure(LociError(code, text(), advice: text())), [])
        case 15:
            return (
                .acknowledged(
                    Acknowledged(count: number(), receipt: receipt(), locationsVersion: number())),
                []
            )
        case 16: return (.catalog(CatalogAnswer(version: number())), [bytes(random.below(50))])
        case 17: return (.statusAnswer(statusAnswer(shards: n, collections: n)), [])
        case 18:
            let body = CellsAnswer(cellBytes: 9, count: UInt64(n), receipt: receipt())
            let parts = [bytes(n * 9), positions(n), flag() ? Bytes() : bytes(n), positions(n)]
            return (.cells(body), Array(parts.prefix(1 + random.below(4))))
        case 19:
            let body = MatchesAnswer(
                count: UInt32(n), receipt: receipt(), isDegraded: flag(), isExhausted: flag(),
                passed: number(),
                wholePartitions: (0..<random.below(4)).map { _ in number() })
            return (
                .matches(body),
                [bytes(n * 8), bytes(n * 8), floats(n)] + payloads(n) + [vectors]
            )
        default:
            let body = PointsAnswer(
                count: UInt32(n), receipt: receipt(), hasMore: flag(), isDegraded: flag())
            return (.points(body), [bytes(n * 8), bytes(n * 8)] + payloads(n) + [vectors])
        }
    }

    private mutating func positions(_ count: Int) -> Bytes {
        Bytes(values: (0..<UInt32(count)).filter { _ in flag() })
    }

    mutating func statusAnswer(shards: Int, collections: Int) -> StatusAnswer {
        StatusAnswer(
            clusterID: number(), incarnation: number(), partitions: number(),
            requestsInFlight: number(),
            shards: (0..<shards).map { _ in
                ShardStatus(
                    shard: number(), isUp: flag(), incarnation: number(),
                    endpoint: "tcp://a-machine.example:7401", vitals: vitals())
            },
            collections: (0..<collections).map { _ in
                CollectionStatus(
                    name: String(repeating: "c", count: Limits.nameBytes), locations: number(),
                    generation: number(), isUnroutable: flag(), isMoving: flag(), points: number())
            })
    }

    private mutating func betweenServers(_ kind: Int) -> (Body, [Bytes]) {
        let n = 1 + random.below(5)
        let space: SpaceID = number()
        let partition: PartitionIndex = number()
        switch kind {
        case 21:
            let body = Hello(
                clusterID: number(), shard: number(), partitions: number(), shards: number())
            return (.hello(body), [])
        case 22: return (.welcome(Welcome(catalogVersion: number())), [])
        case 23: return (.ping, [])
        case 24: return (.pong(Pong(catalogVersion: number(), vitals: vitals())), [bytes(n * 24)])
        case 25: return (.install(Install(version: number())), [bytes(n)])
        case 26:
            return (
                .shardRead(
                    ShardRead(
                        space: space, maxTier: tier(), identity: number(), withTiers: flag(),
                        session: number())),
                [bytes(n * 8)]
            )
        case 27:
            return (
                .shardWrite(ShardWrite(space: space, partition: partition)),
                [bytes(n * 8), bytes(n * 5)]
            )
        case 28:
            return (
                .claim(Claim(space: space, partition: partition, isLookup: flag())),
                [bytes(n * 8), targets(n)]
            )
        case 29: return (.claimed(Claimed(count: UInt32(n))), [targets(n)])
        case 30:
            return (
                .settle(Settle(space: space, partition: partition)), [bytes(n * 8), targets(n)]
            )
        case 31:
            return (
                .put(
                    Put(
                        space: space, partition: partition,
                        generation: number())),
                [bytes(n * 8), bytes(n), floats(n * 4)] + payloads(n)
            )
        case 32: return (.remove(Remove(space: space, partition: partition)), [bytes(n * 8)])
        case 33:
            let body = Plant(space: space, partition: partition, generation: number())
            return (.plant(body), [floats(n * 4)])
        case 34:
            return (
                .askNews(
                    AskNews(
                        space: space, partition: partition, since: number(),
                        isContinued: flag())), []
            )
        case 35:
            return (
                .news(
                    News(
                        space: space, partition: partition, since: number(), version: number(),
                        hasMore: flag())),
                [bytes(n * 4), bytes(n * 4), floats(n * 6), bytes(8)]
            )
        case 36:
            return (
                .shardQuery(
                    ShardQuery(
                        space: space, k: UInt32(n), withPayload: flag(), withVector: flag(),
                        maxTier: tier(), filter: text(), bound: Float(random.unit()),
                        selectiveShare: Float(random.unit()))),
                [floats(6), bytes(n * 8)]
            )
        case 37:
            let body = Fetch(space: space, partition: partition, withVector: flag())
            return (.fetch(body), [bytes(n * 8)])
        case 38:
            return (
                .shardScroll(
                    ShardScroll(
                        space: space, partition: partition, from: number(), limit: UInt32(n),
                        withVector: flag(), idsOnly: flag(), generationBelow: number(),
                        sampleSeed: number())), []
            )
        default: return (.shardCount(ShardCount(space: space)), [])
        }
    }

    private mutating func aboutStorage(_ kind: Int) -> (Body, [Bytes]) {
        let n = random.below(5)
        switch kind {
        case 40:
            return (.residency(Residency(field: name(), partition: number(), extent: number())), [])
        case 41: return (.scrub(Scrub(bytesPerSecond: number(), isQuestion: flag())), [])
        case 42: return (.createSnapshot(CreateSnapshot(name: name())), [])
        case 43: return (.listSnapshots, [])
        case 44:
            let body = ResidencyAnswer(
                pageBytes: number(), partition: number(), extent: number(), hasMore: flag(),
                receipt: receipt())
            return (.residencyAnswer(body), [bytes(n * 20)])
        case 45:
            let body = ScrubAnswer(
                shardsRunning: number(), pagesVerified: number(), pagesDamaged: number(),
                receipt: receipt())
            return (.scrubAnswer(body), [bytes(n * 16)])
        case 46:
            let body = SnapshotsAnswer(
                snapshots: (0..<n).map { _ in snapshotEntry() }, active: text())
            return (.snapshots(body), [])
        case 47:
            return (
                .shardResidency(
                    ShardResidency(space: number(), partition: number(), extent: number())), []
            )
        default:
            let steps = ShardSnapshot.Step.allCases
            let body = ShardSnapshot(name: name(), id: number(), step: steps[random.below(3)])
            return (.shardSnapshot(body), [])
        }
    }

    private mutating func aboutPrefetch(_ kind: Int) -> (Body, [Bytes]) {
        let n = 1 + random.below(5)
        let isScattered = flag()
        switch kind {
        case 49: return (.placement, [])
        case 50:
            let body = PrefetchCells(
                field: name(), first: 7, count: UInt64(n), isScattered: isScattered,
                identity: number(), ticket: 1 + UInt64(random.below(1000)),
                lifetimeMicroseconds: number(), neededInMicroseconds: number())
            return (.prefetchCells(body), isScattered ? [bytes(n * 8)] : [])
        case 51:
            let body = ReleaseCells(
                field: name(), first: 7, count: UInt64(n), isScattered: isScattered,
                identity: number(), neededInMicroseconds: number())
            return (.releaseCells(body), isScattered ? [bytes(n * 8)] : [])
        case 52: return (.ticket(Ticket(ticket: number(), isCancelled: flag())), [])
        case 53: return (.ticketAnswer(ticketAnswer()), [])
        case 54:
            let body = PlacementAnswer(
                clusterID: number(), partitions: number(),
                shards: (0..<n).map { _ in shardPlace() })
            return (.placementAnswer(body), [bytes(n)])
        case 55:
            let body = ShardPrefetch(
                space: number(), identity: number(), ticket: number(), client: number(),
                lifetimeMicroseconds: number(), neededInMicroseconds: number())
            return (.shardPrefetch(body), [bytes(n * 8)])
        case 56:
            let body = ShardRelease(
                space: number(), identity: number(), neededInMicroseconds: number())
            return (.shardRelease(body), [bytes(n * 8)])
        case 57:
            let body = Hint(timeToLiveMicroseconds: number())
            return (.hint(body), [bytes(n * PageHint.encodedBytes)])
        default: return (.gossip(Gossip(node: number())), [bytes(n)])
        }
    }

    private mutating func ticketAnswer() -> TicketAnswer {
        var answer = TicketAnswer(ticket: number())
        answer.pages = number()
        answer.resident = number()
        answer.waiting = number()
        answer.loading = number()
        answer.arrived = number()
        answer.expired = number()
        answer.cancelled = number()
        answer.failed = number()
        answer.receipt = receipt()
        return answer
    }
}
