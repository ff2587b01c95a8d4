import Foundation
import LociBase
import LociModel
import LociTransport
import LociWire

/// The connection to one shard.
struct ShardLink {
    var socket: DealerSocket?
    /// Whether the shard has accepted the connection.
    var isOpen = false
    /// When the placement is asked for again if the shard has not accepted the connection.
    var acceptsUntil = ContinuousClock.Instant.now + RequestRouter.avoidTime
    /// The shard did not answer or could not be reached: until then the coordinator is asked.
    var avoidedUntil: ContinuousClock.Instant?
}

/// Asking shards, and learning where they are.
extension RequestRouter {
    /// How long a connection may take before the coordinator is asked instead.
    static let connectTime = Duration.milliseconds(250)
    /// How long a shard that was silent is left alone.
    static let avoidTime = Duration.seconds(1)
    /// Between two questions for the placement.
    static let placementInterval = Duration.milliseconds(50)
    /// Between two attempts to send.
    static let retryInterval = Duration.milliseconds(1)
    /// Between two attempts to reach the coordinator ahead of all requests.
    static let aheadInterval = Duration.milliseconds(5)

    /// Asks the shards.
    /// - Returns: False where only the coordinator can be asked; nothing is sent then.
    func sendDirectly(_ request: RoutedRequest, _ cells: NamedCells) -> Bool {
        let operation = DirectOperation(request)
        let now = ContinuousClock.now
        guard let placement, doubtedUntil.map({ now >= $0 }) ?? true,
            let field = placed(cells.field, placement), let plan = operation.plan(cells, field)
        else {
            askPlacement()
            return false
        }
        guard plan.shards.allSatisfy({ isOpen($0, placement, now) }) else { return false }
        guard operation.prepare(plan, field, placement, client: client) else {
            askPlacement()
            return false
        }
        operations[request.id] = operation
        sendUnsent(operation)
        check(by: operation.unsent.isEmpty ? operation.patience : now + Self.retryInterval)
        return true
    }

    private func placed(_ name: String, _ placement: ClusterPlacement) -> PlacedField? {
        if let field = fields[name] { return field }
        guard let definition = placement.catalog.field(named: name) else { return nil }
        let field = PlacedField(definition, placement)
        fields[name] = field
        return field
    }

    /// Whether the shard can be asked: it has accepted a connection, and was not silent just now.
    private func isOpen(
        _ shard: Int, _ placement: ClusterPlacement, _ now: ContinuousClock.Instant
    ) -> Bool {
        guard shard < links.count else { return false }
        if let until = links[shard].avoidedUntil {
            guard now >= until else { return false }
            links[shard].avoidedUntil = nil
        }
        if links[shard].isOpen { return true }
        guard let socket = links[shard].socket else {
            if let socket = connect(shard, placement) { watch(socket, shard: shard) }
            return false
        }
        links[shard].isOpen = socket.canSend(timeoutMilliseconds: 0)
        if !links[shard].isOpen, now >= links[shard].acceptsUntil {
            links[shard].acceptsUntil = now + Self.avoidTime
            askPlacement()
        }
        return links[shard].isOpen
    }

    /// Begins a connection that is not watched yet; nil where the shard cannot be reached.
    @discardableResult
    private func connect(_ shard: Int, _ placement: ClusterPlacement) -> DealerSocket? {
        guard shard < Self.mostShards,
            let place = Self.reachable(placement.shards[shard].endpoint, from: endpoint),
            let socket = try? DealerSocket(context, connecting: place)
        else { return nil }
        links[shard].socket = socket
        return socket
    }

    /// Nil for an endpoint that leads nowhere from here: another machine's loopback address or Unix
    /// socket, or no address at all.
    static func reachable(_ text: String, from coordinator: Endpoint) -> Endpoint? {
        guard let endpoint = try? Endpoint(text), !text.contains("*"), !text.contains("//0.0.0.0:")
        else { return nil }
        if text.hasPrefix("ipc://") {
            return FileManager.default.fileExists(atPath: String(text.dropFirst(6)))
                ? endpoint : nil
        }
        return endpoint.isLoopback && !coordinator.isLoopback ? nil : endpoint
    }

    private func sendUnsent(_ operation: DirectOperation) {
        guard let plan = operation.plan, !operation.unsent.isEmpty else { return }
        operation.unsent.removeAll { part in
            let shard = plan.shards[part]
            guard shard < links.count, let socket = links[shard].socket else { return false }
            return (try? socket.send(operation.frames[part])) == .sent
        }
    }

    // MARK: What comes back

    func take(_ answer: Message, from shard: Int) {
        guard let operation = operations[answer.header.requestID], case .asking = operation.stage,
            let part = operation.plan?.shards.firstIndex(of: shard)
        else { return }
        if case .failure(let error) = answer.body {
            if operation.isFinal(error) { return finish(operation, .message(answer)) }
            if error.code.isAboutThePlacement {
                doubtedUntil = .now + Self.avoidTime
                askPlacement()
            }
            return fallBack(operation)
        }
        guard operation.take(answer, part: part) else { return }
        do {
            finish(operation, try operation.reply())
        } catch {
            fallBack(operation)
        }
    }

    /// From now on only the coordinator's answer counts.
    private func fallBack(_ operation: DirectOperation) {
        operation.stage = .fallingBack(isSent: false)
        sendFallback(operation)
    }

    private func sendFallback(_ operation: DirectOperation) {
        do {
            let isSent = try sendToCoordinator(try operation.request.frames())
            operation.stage = .fallingBack(isSent: isSent)
            check(by: isSent ? operation.request.expiry : .now + Self.retryInterval)
        } catch {
            let header = Header(requestID: operation.request.id)
            finish(operation, .message(Message(header, .failure(error))))
        }
    }

    // MARK: The placement

    /// Asks the coordinator unless that was done just now.
    /// - Returns: Whether it has been asked.
    @discardableResult func askPlacement() -> Bool {
        let now = ContinuousClock.now
        if let asked = placementAsked, now < asked + Self.placementInterval { return true }
        let header = Header(
            requestID: Self.placementID,
            deadlineMicroseconds: Limits.defaultDeadlineMicroseconds)
        guard let frames = try? Message(header, .placement).encoded(),
            (try? sendToCoordinator(frames)) == true
        else { return false }
        placementAsked = now
        return true
    }

    func take(placement message: Message) {
        // A coordinator that cannot say it is asked again when it is needed again.
        guard let news = try? ClusterPlacement(message) else { return }
        let old = placement
        placement = news
        doubtedUntil = nil
        let hasOtherShards =
            old?.partitions != news.partitions || old?.clusterID != news.clusterID
            || old?.shards.count != news.shards.count
        if hasOtherShards || old?.catalog != news.catalog { fields = [:] }
        let places = old?.shards ?? []
        links = news.shards.enumerated().map { shard, place in
            guard shard < links.count, shard < places.count else { return ShardLink() }
            if places[shard] == place { return links[shard] }
            let hasMoved = places[shard].endpoint != place.endpoint
            return ShardLink(socket: hasMoved ? nil : links[shard].socket)
        }
        for shard in links.indices where links[shard].socket == nil { connect(shard, news) }
        watchAll()
        guard hasOtherShards else { return }
        // The shards' numbers in their plans mean others now.
        for operation in Array(operations.values) {
            if case .asking = operation.stage { fallBack(operation) }
        }
    }

    // MARK: Time

    private func check(by instant: ContinuousClock.Instant) {
        nextCheck = min(nextCheck ?? instant, instant)
    }

    /// Looks after operations that wait: for a connection, for too long, or beyond their time.
    func look() {
        guard let due = nextCheck, case let now = ContinuousClock.now, now >= due else { return }
        nextCheck = nil
        lookAhead(now)
        for operation in Array(operations.values) { look(operation, now) }
    }

    /// Asks for the placement before anybody needs it.
    private func lookAhead(_ now: ContinuousClock.Instant) {
        guard let until = aheadUntil else { return }
        if placementAsked != nil || now >= until || askPlacement() {
            aheadUntil = nil
        } else {
            check(by: now + Self.aheadInterval)
        }
    }

    private func look(_ operation: DirectOperation, _ now: ContinuousClock.Instant) {
        if now >= operation.request.expiry {
            operations[operation.request.id] = nil
            return
        }
        switch operation.stage {
        case .asking:
            sendUnsent(operation)
            if operation.unsent.isEmpty, now < operation.patience {
                return check(by: operation.patience)
            }
            if now < min(operation.patience, operation.begun + Self.connectTime) {
                return check(by: now + Self.retryInterval)
            }
            avoidSilent(operation, now)
            fallBack(operation)
        case .fallingBack(let isSent):
            if isSent { check(by: operation.request.expiry) } else { sendFallback(operation) }
        }
    }

    /// Leaves shards alone that have not answered, or that could not even be reached.
    private func avoidSilent(_ operation: DirectOperation, _ now: ContinuousClock.Instant) {
        askPlacement()
        for part in operation.silent {
            guard let shard = operation.plan?.shards[part], shard < links.count else { continue }
            links[shard].avoidedUntil = now + Self.avoidTime
            links[shard].isOpen = false
        }
    }
}

extension DirectOperation {
    /// Whether asking the coordinator would not change a shard's refusal.
    fileprivate func isFinal(_ error: LociError) -> Bool {
        if case .readCells(let read) = request.body, read.allowsPartial { return false }
        switch error.code {
        case .deadlineExceeded, .dataLoss, .resourceExhausted: return true
        default: return false
        }
    }

    /// Parts without an answer; where some could not be sent, only those.
    fileprivate var silent: [Int] {
        unsent.isEmpty ? answers.indices.filter { answers[$0] == nil } : unsent
    }
}

extension ErrorCode {
    /// Whether a shard that answers so is likely not to be what the placement says.
    fileprivate var isAboutThePlacement: Bool {
        switch self {
        case .failedPrecondition, .unavailable, .notFound, .invalidArgument: true
        default: false
        }
    }
}
