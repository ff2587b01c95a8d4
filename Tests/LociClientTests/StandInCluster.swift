import LociClient
import Synchronization

/// A coordinator and some shards for the client's tests: threads with sockets that answer from a
/// function of the cells' numbers, and misbehave as they are told.
final class StandInCluster: Sendable {
    enum Behaviour: Equatable {
        case answer
        case beSilent
        case refuse(LociError)
        /// Answers as if it had been asked for one cell less.
        case answerShort
    }

    struct State {
        var catalog = Catalog()
        var clusterID: UInt64 = 7
        /// What shards say of themselves, and what the coordinator says of them.
        var incarnations: [UInt64]
        var incarnationsTold: [UInt64]
        var behaviours: [Behaviour]
        var isPlacementKnown = true
        /// How many shards the coordinator tells of; nil: all.
        var shardsTold: Int?
        /// Prefetches of cells from this one on are refused by the coordinator.
        var refusesFrom: UInt64?
        var tickets: [UInt64: TicketAnswer] = [:]
        /// Requests that the coordinator has received, and those of each shard.
        var asked: [Message] = []
        var askedOfShards: [[Message]]
    }

    static let partitions = 5
    static let cellBytes = 24
    static let cellCount: UInt64 = 12_000_000
    let state: Mutex<State>
    let coordinator: Endpoint
    let shardEndpoints: [Endpoint]
    private let servers = Mutex<[StandInCoordinator]>([])

    /// - Parameter absent: Shards that the coordinator tells of but that do not exist.
    init(shards: Int = 3, absent: Set<Int> = []) throws {
        var catalog = Catalog()
        _ = try catalog.createField(
            name: "rows", elementType: .raw, shape: [Self.cellCount, UInt64(Self.cellBytes)],
            pageBytes: 0)
        let incarnations = (0..<shards).map { UInt64(100 + $0) }
        state = Mutex(
            State(
                catalog: catalog, incarnations: incarnations, incarnationsTold: incarnations,
                behaviours: Array(repeating: .answer, count: shards),
                askedOfShards: Array(repeating: [], count: shards)))
        coordinator = StandInCoordinator.freeEndpoint()
        shardEndpoints = (0..<shards).map { _ in StandInCoordinator.freeEndpoint() }
        var servers: [StandInCoordinator] = []
        for shard in 0..<shards where !absent.contains(shard) {
            servers.append(
                StandInCoordinator(at: shardEndpoints[shard]) { [weak self] in
                    self?.answer($0, shard: shard) ?? []
                })
        }
        servers.append(
            StandInCoordinator(at: coordinator) { [weak self] in self?.answer($0) ?? [] })
        self.servers.withLock { $0 = servers }
    }

    /// From then on nobody listens where the coordinator was; the shards go on.
    func stopCoordinator() { servers.withLock { $0.removeLast() }.stop() }

    /// A client whose reads go to the shards; what was asked until then is forgotten.
    func direct(
        deadline: Duration = .seconds(10), requestsInFlight: Int = 64
    ) async throws -> LociClient {
        let client = try LociClient(
            coordinator: coordinator, deadline: .seconds(10), requestsInFlight: requestsInFlight,
            routing: .direct)
        let stripes = stride(from: 0, to: Self.cellCount, by: 100_000)
        let end = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < end {
            let before = asked.count
            _ = try await client.read("rows", cells: Array(stripes))
            if asked.count == before { break }
            try await Task.sleep(for: .milliseconds(1))
        }
        state.withLock { state in
            state.asked = []
            state.askedOfShards = state.askedOfShards.map { _ in [] }
        }
        return client.withDeadline(deadline)
    }

    func stop() { for server in servers.withLock({ $0 }) { server.stop() } }

    /// Of each cell: numbers made from its own and from the field's.
    static func content(of cell: UInt64, space: SpaceID) -> Bytes {
        Bytes(values: [cell, mix64(cell), UInt64(space)])
    }

    var rows: FieldDefinition { state.withLock { $0.catalog.field(named: "rows")! } }
    var identity: UInt64 { state.withLock { rows(of: $0).identity(in: $0.clusterID) } }

    /// Drops the field and creates it anew: another space, other content, another identity.
    func recreate() throws {
        try state.withLock { state in
            _ = state.catalog.dropField(named: "rows")
            _ = try state.catalog.createField(
                name: "rows", elementType: .raw, shape: [Self.cellCount, UInt64(Self.cellBytes)],
                pageBytes: 0)
        }
    }

    /// What a shard answers with after a restart.
    func restart(_ shard: Int) { state.withLock { $0.incarnations[shard] += 1000 } }

    func behave(_ shard: Int, _ behaviour: Behaviour) {
        state.withLock { $0.behaviours[shard] = behaviour }
    }

    /// Reads, prefetches and releases that the coordinator was asked for.
    var asked: [Message] {
        state.withLock { $0.asked }.filter {
            switch $0.body {
            case .readCells, .prefetchCells, .releaseCells: true
            default: false
            }
        }
    }

    var askedOfShards: [[Message]] { state.withLock { $0.askedOfShards } }

    func shard(of cell: UInt64) -> Int {
        let geometry = FieldGeometry(rows, partitions: Self.partitions)
        return Int(geometry.partition(of: cell)) % shardEndpoints.count
    }

    private func rows(of state: State) -> FieldDefinition { state.catalog.field(named: "rows")! }

    // MARK: The coordinator

    private func answer(_ request: Message) -> [Message] {
        let state = state.withLock { state in
            state.asked.append(request)
            return state
        }
        switch request.body {
        case .describe:
            let body = CatalogAnswer(version: state.catalog.version)
            return [LociClientTests.answer(request, .catalog(body), bulk: [state.catalog.encoded])]
        case .placement:
            guard state.isPlacementKnown else { return [] }
            let all = zip(shardEndpoints, state.incarnationsTold).map {
                ShardPlace(endpoint: $0.text, incarnation: $1)
            }
            let places = Array(all.prefix(state.shardsTold ?? all.count))
            let body = PlacementAnswer(
                clusterID: state.clusterID, partitions: UInt32(Self.partitions), shards: places)
            return [
                LociClientTests.answer(
                    request, .placementAnswer(body), bulk: [state.catalog.encoded])
            ]
        case .readCells(let read):
            return [self.answer(request, read, state)]
        case .prefetchCells(let prefetch):
            if let end = state.refusesFrom, prefetch.first >= end {
                let error = LociError(.resourceExhausted, "Too much is fetched ahead already.")
                return [LociClientTests.answer(request, .failure(error))]
            }
            var answer = TicketAnswer(ticket: prefetch.ticket)
            answer.pages = prefetch.count
            answer.loading = prefetch.count
            self.state.withLock { $0.tickets[prefetch.ticket] = answer }
            return [LociClientTests.answer(request, .ticketAnswer(answer))]
        case .releaseCells(let release):
            return [
                LociClientTests.answer(
                    request, .acknowledged(Acknowledged(count: release.count)))
            ]
        case .ticket(let ticket): return [answer(request, ticket)]
        default:
            let error = LociError(.internal, "Not part of this test.")
            return [LociClientTests.answer(request, .failure(error))]
        }
    }

    /// Shards that do not answer are missing from the coordinator's answers.
    private func answer(_ request: Message, _ read: ReadCells, _ state: State) -> Message {
        let field = rows(of: state)
        do throws(LociError) {
            try field.check(identity: read.identity, in: state.clusterID)
        } catch {
            return LociClientTests.answer(request, .failure(error))
        }
        let numbers =
            read.isScattered
            ? request.bulk[0].values(UInt64.self) : (0..<read.count).map { read.first + $0 }
        guard numbers.allSatisfy({ $0 < field.cellCount }) else {
            let error = LociError(.invalidArgument, "Cells lie outside.")
            return LociClientTests.answer(request, .failure(error))
        }
        var receipt = Receipt()
        receipt.shardsAsked = UInt32(shardEndpoints.count)
        receipt.shardsAnswered = receipt.shardsAsked
        let missing = numbers.indices.filter { state.behaviours[shard(of: numbers[$0])] != .answer }
        // Refusals and wrong answers are what shards do to clients; from us they are not asked.
        let isAway = numbers.map { state.behaviours[shard(of: $0)] == .beSilent }
        let away = missing.filter { isAway[$0] }
        if !away.isEmpty, !read.allowsPartial {
            let error = LociError(.unavailable, "A shard is down.")
            return LociClientTests.answer(request, .failure(error))
        }
        if !away.isEmpty { receipt.shardsAnswered -= 1 }
        let blank = Bytes(Array(repeating: 0xFF, count: Self.cellBytes))
        let bytes = numbers.indices.map {
            isAway[$0] ? blank : Self.content(of: numbers[$0], space: field.space)
        }
        var bulk = [Bytes.joined(bytes)]
        if read.withTiers || !away.isEmpty {
            let tiers = numbers.map { read.withTiers ? Self.tier(of: $0) : 0 }
            bulk += [Bytes(), Bytes(read.withTiers ? tiers : [])]
        }
        if !away.isEmpty { bulk.append(Bytes(values: away.map { UInt32($0) })) }
        let body = CellsAnswer(
            cellBytes: UInt32(Self.cellBytes), count: UInt64(numbers.count), receipt: receipt)
        return LociClientTests.answer(request, .cells(body), bulk: bulk)
    }

    private func answer(_ request: Message, _ ticket: Ticket) -> Message {
        let known = state.withLock { state -> TicketAnswer? in
            guard var answer = state.tickets[ticket.ticket] else { return nil }
            if ticket.isCancelled {
                answer.cancelled += answer.waiting + answer.loading
            } else {
                answer.arrived += answer.waiting + answer.loading
            }
            defer {
                answer.waiting = 0
                answer.loading = 0
                state.tickets[ticket.ticket] = answer
            }
            return ticket.isCancelled ? nil : state.tickets[ticket.ticket]
        }
        if let known { return LociClientTests.answer(request, .ticketAnswer(known)) }
        if let answer = state.withLock({ $0.tickets[ticket.ticket] }) {
            return LociClientTests.answer(request, .ticketAnswer(answer))
        }
        let error = LociError(.notFound, "Nobody knows this ticket.")
        return LociClientTests.answer(request, .failure(error))
    }

    // MARK: Shards

    /// `Tier.rawValue` + 1 of a cell: made from its number.
    static func tier(of cell: UInt64) -> UInt8 { UInt8(mix64(cell) % 6) + 1 }

    private func answer(_ request: Message, shard: Int) -> [Message] {
        let state = state.withLock { state in
            state.askedOfShards[shard].append(request)
            return state
        }
        func refused(_ error: LociError) -> [Message] {
            [LociClientTests.answer(request, .failure(error))]
        }
        guard request.header.receiverIncarnation == state.incarnations[shard] else {
            return refused(LociError(.failedPrecondition, "This shard was started anew."))
        }
        var numbers = request.bulk.first?.values(UInt64.self) ?? []
        switch state.behaviours[shard] {
        case .answer: break
        case .beSilent: return []
        case .refuse(let error): return refused(error)
        case .answerShort: numbers = numbers.dropLast()
        }
        guard numbers.allSatisfy({ self.shard(of: $0) == shard }) else {
            return refused(LociError(.internal, "Other cells than this shard's were asked for."))
        }
        var receipt = Receipt()
        receipt.pagesTouched = UInt64(numbers.count)
        switch request.body {
        case .shardRead(let read):
            guard let field = state.catalog.field(space: read.space) else {
                return refused(LociError(.notFound, "There is no such space."))
            }
            var bulk = [
                Bytes.joined(numbers.map { Self.content(of: $0, space: field.space) } + [Bytes()])
            ]
            var skipped: [UInt32] = []
            if let maxTier = read.maxTier {
                skipped = numbers.indices.filter {
                    Self.tier(of: numbers[$0]) > maxTier.rawValue + 1
                }
                .map { UInt32($0) }
            }
            bulk.append(Bytes(values: skipped))
            bulk.append(Bytes(read.withTiers ? numbers.map { Self.tier(of: $0) } : []))
            let body = CellsAnswer(
                cellBytes: UInt32(Self.cellBytes), count: UInt64(numbers.count), receipt: receipt)
            return [LociClientTests.answer(request, .cells(body), bulk: bulk)]
        case .shardPrefetch(let prefetch):
            var answer = TicketAnswer(ticket: prefetch.ticket)
            answer.pages = UInt64(numbers.count)
            answer.waiting = answer.pages
            answer.receipt = receipt
            self.state.withLock { state in
                state.tickets[prefetch.ticket, default: TicketAnswer(ticket: prefetch.ticket)]
                    .add(answer)
            }
            return [LociClientTests.answer(request, .ticketAnswer(answer))]
        case .shardRelease:
            let body = Acknowledged(count: UInt64(numbers.count), receipt: receipt)
            return [LociClientTests.answer(request, .acknowledged(body))]
        default: return refused(LociError(.internal, "Not part of this test."))
        }
    }
}
