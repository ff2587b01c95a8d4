import LociBase
import LociModel
import LociWire

/// What the simulated clients do, and what they know: a register for each cell and point that they
/// touch. Under faults they write, read and search; when the cluster has come to rest, they check
/// everything.
struct Workload {
    enum Phase {
        case creating, working, checking, done
    }

    static let deadlineMicroseconds: UInt64 = 500_000
    static let cellBytes = 24
    static let cellCount: UInt64 = 4_000_000
    static let dimension = 6
    static let field = "rows"
    static let collection = "points"

    let clients: Int
    var random: SeededRandom
    var phase = Phase.creating
    var cells: [CellIndex: Register] = [:]
    var points: [PointID: Register] = [:]
    /// Every token that was ever written to a point.
    var history: [PointID: Set<UInt64>] = [:]
    let cellNames: [CellIndex]
    var requests: [Int: Request] = [:]
    var nextToken: UInt64 = 1
    var nextRequest: UInt64 = 0
    var operationsLeft = 240
    /// Of a client's last upsert that was acknowledged, a point that it asks for next.
    var fresh: [Int: PointID] = [:]
    /// Points that a search by address found, as it had to.
    var foundByAddress = 0
    /// ... of them in partitions that compared all points that pass a filter.
    var foundBySelection = 0
    var created = 0
    var checks: [Check] = []
    /// Points that the final retrieves have shown.
    var found: [PointID: Bool] = [:]
    var violation: String?
    var acknowledged = 0
    var unknown = 0
    var reads = 0
    var degraded = 0
    /// Prefetches that were asked for, by their tickets.
    var tickets: [UInt64] = []
    var advised = 0
    /// Hash over what was answered, in order.
    var answers: UInt64 = 0

    struct Request {
        let id: UInt64
        let action: Action
    }

    enum Action {
        case create(Body)
        case write([CellIndex: UInt64])
        case read([CellIndex])
        case upsert([PointID: UInt64])
        case delete([PointID: UInt64])
        case retrieve([PointID])
        /// A search for a point by its own vector, which must find it, with its token.
        case search(PointID, token: UInt64, isExact: Bool, groups: Range<UInt64>)
        /// What says how pages will be used, and changes no answer.
        case advice
        case check(Check)
    }

    enum Check {
        case cells([CellIndex])
        case points([PointID])
        case scroll(from: PointID, seen: Int)
        case count
        case search(PointID)
    }

    init(seed: UInt64, clients: Int) {
        self.clients = clients
        random = SeededRandom(seed: seed ^ 0xC11E47)
        var names: [CellIndex] = []
        for _ in 0..<30 { names.append(UInt64.random(in: 0..<Self.cellCount, using: &random)) }
        // Neighbours too, and the ends.
        names += [0, 1, 2, Self.cellCount - 1]
        cellNames = Array(Set(names)).sorted()
        for cell in cellNames { cells[cell] = Register() }
        for id in Self.ids { points[id] = Register() }
    }

    static let ids: ClosedRange<PointID> = 1...150

    var isDone: Bool { phase == .done || violation != nil }
    var state: String { "\(phase), \(checks.count) checks to come, \(requests.count) requests" }
    func isBusy(_ client: Int) -> Bool { requests[client] != nil }

    /// Until a client's next request: writes are spread over the time of the faults.
    func pauseMicroseconds(_ client: Int, _ random: inout SeededRandom) -> UInt64 {
        if fresh[client] != nil { return 1 }
        return phase == .working && operationsLeft > 0 ? UInt64(random.below(120_000)) : 500
    }

    mutating func stopWriting() {
        operationsLeft = 0
    }

    // MARK: The next request of a client

    mutating func next(_ client: Int, isCalm: Bool) -> Message? {
        guard requests[client] == nil else { return nil }
        guard let (action, body, bulk) = choose(client, isCalm: isCalm) else { return nil }
        nextRequest += 1
        requests[client] = Request(id: nextRequest, action: action)
        return Message(
            Header(requestID: nextRequest, deadlineMicroseconds: Self.deadlineMicroseconds), body,
            bulk: bulk)
    }

    private mutating func choose(
        _ client: Int, isCalm: Bool
    ) -> (Action, Body, [Bytes])? {
        switch phase {
        case .creating: return create(client)
        case .working:
            if let id = fresh.removeValue(forKey: client), points[id]!.isCertain,
                points[id]!.possible.first! != 0
            {
                return search(for: id, isExact: false)
            }
            if operationsLeft > 0 {
                operationsLeft -= 1
                return work()
            }
            guard isCalm, requests.isEmpty else { return nil }
            phase = .checking
            planChecks()
            return nil
        case .checking:
            guard client == 0 else { return nil }
            guard let check = checks.popLast() else {
                phase = .done
                return nil
            }
            return self.check(check)
        case .done: return nil
        }
    }

    private mutating func create(_ client: Int) -> (Action, Body, [Bytes])? {
        guard client == 0 else { return nil }
        let body: Body =
            created == 0
            ? .createField(
                CreateField(
                    name: Self.field, elementType: .raw,
                    shape: [Self.cellCount, UInt64(Self.cellBytes)]))
            : .createCollection(
                CreateCollection(
                    name: Self.collection, dimension: UInt32(Self.dimension), metric: .l2,
                    indexedFields: ["group"]))
        return (.create(body), body, [])
    }

    private mutating func work() -> (Action, Body, [Bytes]) {
        switch random.below(13) {
        case 0, 1: return write()
        case 2: return read(someCells())
        case 10...12: return advise()
        case 3...5: return upsert()
        case 6: return delete()
        case 7: return retrieve(someIDs(4))
        default: return search() ?? upsert()
        }
    }

    mutating func token() -> UInt64 {
        nextToken += 1
        return nextToken
    }

    private mutating func someCells() -> [CellIndex] {
        (0..<(1 + random.below(6))).map { _ in cellNames[random.below(cellNames.count)] }
    }

    mutating func someIDs(_ most: Int) -> [PointID] {
        let count = 1 + random.below(most)
        let ids = (0..<count).map { _ in PointID.random(in: Self.ids, using: &random) }
        return Array(Set(ids)).sorted()
    }

    private mutating func write() -> (Action, Body, [Bytes]) {
        var written: [CellIndex: UInt64] = [:]
        for cell in someCells() { written[cell] = token() }
        let order = written.keys.sorted()
        for cell in order { cells[cell]!.writeStarted(written[cell]!) }
        let bytes = Bytes.joined(order.map { Self.bytes(of: written[$0]!, cell: $0) })
        return (
            .write(written),
            .writeCells(
                WriteCells(field: Self.field, count: UInt64(order.count), isScattered: true)),
            [Bytes(values: order), bytes]
        )
    }

    mutating func read(_ names: [CellIndex]) -> (Action, Body, [Bytes]) {
        for cell in Set(names) { cells[cell]!.readStarted(nextRequest + 1) }
        return (
            .read(names),
            .readCells(
                ReadCells(field: Self.field, count: UInt64(names.count), isScattered: true)),
            [Bytes(values: names)]
        )
    }

    /// Announces cells, asks how that stands, gives it up, or releases cells.
    private mutating func advise() -> (Action, Body, [Bytes]) {
        let names = someCells()
        let count = UInt64(names.count)
        let needed = random.chance(0.3) ? UInt64(random.below(40_000)) : 0
        switch random.below(6) {
        case 0 where !tickets.isEmpty:
            let ticket = tickets.randomElement(using: &random)!
            return (.advice, .ticket(Ticket(ticket: ticket, isCancelled: random.chance(0.6))), [])
        case 1:
            let body = ReleaseCells(
                field: Self.field, count: count, isScattered: true, neededInMicroseconds: needed)
            return (.advice, .releaseCells(body), [Bytes(values: names)])
        default:
            // Some tickets are used twice.
            let ticket = random.chance(0.1) ? 1 : UInt64.random(in: 1...UInt64.max, using: &random)
            tickets.append(ticket)
            let body = PrefetchCells(
                field: Self.field, count: count, isScattered: true, ticket: ticket,
                lifetimeMicroseconds: random.chance(0.5) ? 0 : UInt64(random.below(30_000)),
                neededInMicroseconds: needed)
            return (.advice, .prefetchCells(body), [Bytes(values: names)])
        }
    }

    private mutating func upsert() -> (Action, Body, [Bytes]) {
        var written: [PointID: UInt64] = [:]
        for id in someIDs(24) { written[id] = token() }
        let order = written.keys.sorted()
        for id in order {
            points[id]!.writeStarted(written[id]!)
            history[id, default: []].insert(written[id]!)
        }
        let vectors = order.flatMap { Self.vector(of: written[$0]!) }
        let payloads = PayloadList(order.map { Self.payload(of: written[$0]!, point: $0) })
        return (
            .upsert(written),
            .upsert(Upsert(collection: Self.collection, count: UInt32(order.count))),
            [Bytes(values: order), Bytes(values: vectors), payloads.lengths, payloads.blob]
        )
    }

    private mutating func delete() -> (Action, Body, [Bytes]) {
        let ids = someIDs(3)
        // A deletion is the write of nothing; while its outcome is open, nothing is possible.
        for id in ids { points[id]!.writeStarted(0) }
        return (
            .delete(Dictionary(uniqueKeysWithValues: ids.map { ($0, 0) })),
            .deletePoints(DeletePoints(collection: Self.collection)), [Bytes(values: ids)]
        )
    }

    mutating func retrieve(_ ids: [PointID]) -> (Action, Body, [Bytes]) {
        for id in ids { points[id]!.readStarted(nextRequest + 1) }
        return (
            .retrieve(ids), .retrieve(Retrieve(collection: Self.collection, withVector: true)),
            [Bytes(values: ids)]
        )
    }

    private mutating func search() -> (Action, Body, [Bytes])? {
        let certain = Self.ids.filter {
            points[$0]!.isCertain && points[$0]!.possible.first! != 0
        }
        guard let id = certain.randomElement(using: &random) else { return nil }
        let isExact = random.chance(0.5)
        guard random.chance(0.5) else { return search(for: id, isExact: isExact) }
        // Among some of the groups, few or many.
        let group = Self.group(of: points[id]!.possible.first!)
        let groups = (group - min(group, UInt64(random.below(4))))..<(group + 1)
        return search(for: id, isExact: isExact, groups: groups)
    }

    func search(
        for id: PointID, isExact: Bool, groups: Range<UInt64> = 0..<Self.groups
    ) -> (Action, Body, [Bytes]) {
        let token = points[id]!.possible.first!
        var query = Query(collection: Self.collection, k: 5, isExact: isExact)
        if groups.count < Self.groups {
            query.filter = "group >= \(groups.lowerBound) and group < \(groups.upperBound)"
        }
        return (
            .search(id, token: token, isExact: isExact, groups: groups), .query(query),
            [Bytes(values: Self.vector(of: token))]
        )
    }
}
