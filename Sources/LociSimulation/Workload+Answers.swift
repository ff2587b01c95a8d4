import LociBase
import LociModel
import LociWire

/// Judging what comes back.
extension Workload {
    mutating func timedOut(_ client: Int, request id: UInt64) {
        guard let request = requests[client], request.id == id else { return }
        requests[client] = nil
        unknown += 1
        giveUp(request)
    }

    /// The outcome stays open.
    private mutating func giveUp(_ request: Request) {
        switch request.action {
        case .write(let written):
            for (cell, token) in written { cells[cell]!.writeUnknown(token) }
        case .upsert(let written), .delete(let written):
            for (id, token) in written { points[id]!.writeUnknown(token) }
        case .read(let names): for cell in Set(names) { cells[cell]!.readFailed(request.id) }
        case .retrieve(let ids): for id in ids { points[id]!.readFailed(request.id) }
        case .check(let check): checks.append(check)
        case .create, .search, .advice: break
        }
    }

    mutating func answered(_ client: Int, _ message: Message) {
        guard let request = requests[client], request.id == message.header.requestID else { return }
        requests[client] = nil
        note(message, to: request)
        if case .failure(let error) = message.body {
            return failed(request, error)
        }
        judge(receiptOf: message.body)
        switch (request.action, message.body) {
        case (.create, _): advanceCreation()
        case (.write(let written), .acknowledged):
            acknowledged += 1
            for (cell, token) in written { cells[cell]!.writeAcknowledged(token) }
        case (.upsert(let written), .acknowledged), (.delete(let written), .acknowledged):
            acknowledged += 1
            for (id, token) in written { points[id]!.writeAcknowledged(token) }
            if case .upsert = request.action { fresh[client] = written.keys.max() }
        case (.read(let names), .cells): judge(cells: names, message.bulk[0], request.id)
        case (.retrieve(let ids), .points(let answer)):
            judge(retrieved: ids, answer, message.bulk, request.id)
        case (.advice, .acknowledged): advised += 1
        case (.advice, .ticketAnswer(let answer)):
            advised += 1
            judge(answer)
        case (.search(let id, let token, let isExact, let groups), .matches(let answer)):
            judge(search: id, token, isExact, groups, answer, message.bulk)
        case (.check(let check), _): judge(check, message, request.id)
        default: violation = "an answer of the wrong kind: \(message.body)"
        }
    }

    /// What does not depend on how soon things happen: no receipts, and no tickets.
    private mutating func note(_ message: Message, to request: Request) {
        if case .advice = request.action { return }
        if case .failure(let error) = message.body {
            answers = mix64(answers ^ Bytes(utf8: "\(error.code)").checksum())
        }
        answers = mix64(answers ^ request.id)
        for frame in message.bulk { answers = frame.checksum(seed: answers) }
    }

    private mutating func failed(_ request: Request, _ error: LociError) {
        unknown += 1
        if case .create = request.action {
            if error.code == .alreadyExists { advanceCreation() }
            return
        }
        var expected: [ErrorCode] = [.unavailable, .deadlineExceeded, .resourceExhausted]
        // Of a ticket that a crash, or time, has made the shards forget.
        if case .advice = request.action { expected.append(.notFound) }
        if !expected.contains(error.code) { violation = "unexpected error: \(error)" }
        giveUp(request)
    }

    /// Every page of a ticket counts once.
    private mutating func judge(_ answer: TicketAnswer) {
        let told =
            answer.resident + answer.waiting + answer.loading + answer.arrived + answer.expired
            + answer.cancelled + answer.failed
        if told != answer.pages {
            violation = "a ticket counts \(answer.pages) pages, and tells of \(told)"
        }
    }

    /// Every page that was needed came from a tier, or was skipped in one, once.
    private mutating func judge(receiptOf body: Body) {
        let receipt: Receipt
        switch body {
        case .cells(let answer): receipt = answer.receipt
        case .points(let answer): receipt = answer.receipt
        case .matches(let answer): receipt = answer.receipt
        case .acknowledged(let answer): receipt = answer.receipt
        default: return
        }
        let accounted = receipt.tiers.pages + receipt.tiers.skipped
        if accounted != receipt.pagesTouched {
            violation = "a receipt counts \(receipt.pagesTouched) pages, its tiers \(accounted)"
        }
    }

    private mutating func advanceCreation() {
        created += 1
        if created == 2, phase == .creating { phase = .working }
    }

    mutating func judge(cells names: [CellIndex], _ bytes: Bytes, _ request: UInt64) {
        reads += 1
        var results: [CellIndex: UInt64] = [:]
        for (index, cell) in names.enumerated() {
            let start = index * Self.cellBytes
            let token = bytes.load(UInt64.self, at: start)
            let slice = bytes.slice(start..<(start + Self.cellBytes))
            guard slice == Self.bytes(of: token, cell: cell) else {
                violation = "cell \(cell) holds bytes that were never written"
                return
            }
            if let other = results[cell], other != token {
                violation = "one answer gives cell \(cell) two values"
            }
            results[cell] = token
        }
        for (cell, token) in results where !cells[cell]!.readEnded(request, result: token) {
            violation = "cell \(cell) reads \(token), which cannot be"
        }
    }

    /// Tokens by id, checked against the vectors.
    private mutating func tokens(_ bulk: [Bytes], payloads at: Int) -> [PointID: UInt64] {
        let ids = bulk[0].values(PointID.self)
        let payloads =
            (try? PayloadList(
                lengths: bulk[at], blob: bulk[at + 1], count: ids.count
            ).items) ?? []
        var tokens: [PointID: UInt64] = [:]
        for (id, payload) in zip(ids, payloads) {
            let token = Self.token(in: payload)
            guard payload == Self.payload(of: token, point: id) else {
                violation = "point \(id) comes with another's payload"
                return [:]
            }
            tokens[id] = token
        }
        return tokens
    }

    mutating func judge(
        retrieved ids: [PointID], _ answer: PointsAnswer, _ bulk: [Bytes], _ request: UInt64
    ) {
        reads += 1
        let found = tokens(bulk, payloads: 2)
        let stored = bulk[0].values(PointID.self)
        for (index, id) in stored.enumerated() where bulk[4].count > 0 {
            let row = Self.dimension * 4
            let vector = bulk[4].slice((index * row)..<((index + 1) * row)).values(Float.self)
            if vector != Self.vector(of: found[id] ?? 0) {
                violation = "point \(id) has another's vector"
            }
        }
        if answer.isDegraded {
            degraded += 1
            for id in ids { points[id]!.readFailed(request) }
            return
        }
        for id in ids where !points[id]!.readEnded(request, result: found[id] ?? 0) {
            violation = "point \(id) is \(found[id] ?? 0), which cannot be"
        }
    }

    mutating func judge(
        search id: PointID, _ token: UInt64, _ isExact: Bool, _ groups: Range<UInt64>,
        _ answer: MatchesAnswer, _ bulk: [Bytes]
    ) {
        reads += 1
        let found = tokens(bulk, payloads: 3)
        if let stranger = found.first(where: { !groups.contains(Self.group(of: $0.value)) }) {
            violation = "the search found point \(stranger.key), which its filter forbids"
        }
        for (match, token) in found where !(history[match]?.contains(token) ?? false) {
            violation = "the search found \(token) at point \(match), which was never written"
        }
        for (match, token) in found
        where points[match]!.isCertain && !points[match]!.possible.contains(token)
            && phase == .checking
        {
            violation = "the search found an outdated version of point \(match)"
        }
        if answer.isDegraded {
            degraded += 1
            return
        }
        let isStill = points[id]!.isCertain && points[id]!.possible.contains(token)
        guard isStill else { return }
        if found[id] == token {
            if !isExact { foundByAddress += 1 }
            if answer.receipt.wholePartitions > 0, !isExact { foundBySelection += 1 }
        } else {
            violation = "\(isExact ? "an exact" : "a") search for point \(id) did not find it"
        }
    }
}
