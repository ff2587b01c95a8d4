import Foundation
import Glibc
import LociClient

/// What one mode of a decode loop measured.
struct DecodeResult {
    let mode: DecodeMode
    var tokens = 0
    var time = Duration.zero
    /// Of each point of need, in microseconds.
    var waits: [Double] = []
    var missed = 0
    var pagesTouched: UInt64 = 0
    var pagesResident: UInt64 = 0
    var errors = 0
    var firstError: String?
    /// Sum over all rows, so that none can be left out unseen.
    var hash: UInt64 = 0

    init(mode: DecodeMode) { self.mode = mode }
}

/// A thread that decodes: it sleeps where a model would compute, and waits for rows where one would
/// need them.
struct DecodeLoop {
    private let connection: Connection
    private let field: FieldDefinition
    private let identity: UInt64
    private let plan: DecodePlan
    private let deadline: Duration
    private var random: SeededRandom
    /// Prefetches of this token whose answers have not come yet.
    private var unanswered: Set<UInt64> = []

    /// The system's sleep ends late by about so much; the rest is spun.
    private static let spun = Duration.microseconds(150)

    init(
        connection: Connection, field: FieldDefinition, identity: UInt64, plan: DecodePlan,
        deadline: Duration, seed: UInt64
    ) {
        self.connection = connection
        self.field = field
        self.identity = identity
        self.plan = plan
        self.deadline = deadline
        random = SeededRandom(seed: seed)
    }

    /// Makes the connections.
    mutating func warmUp() throws {
        var result = DecodeResult(mode: .batch)
        for _ in 0..<5 { try read(ids(), &result) }
        if let error = result.firstError {
            throw LociError(.unavailable, "Rows cannot be read: \(error)")
        }
    }

    /// Hashed rows: any of the table, and others for every token.
    private mutating func ids() -> [CellIndex] {
        (0..<plan.rows).map { _ in random.next() % field.cellCount }
    }

    /// Decodes one token, and counts.
    mutating func token(_ result: inout DecodeResult) throws {
        let ids = ids()
        let half = ids.count / 2
        let halves = [Array(ids[..<half]), Array(ids[half...])]
        if result.mode == .resident {
            var untimed = DecodeResult(mode: .resident)
            try read(ids, &untimed)
        }
        let start = ContinuousClock.now
        if result.mode == .prefetch { try prefetch(halves) }
        // What waiting has delayed the pass by.
        var delay = Duration.zero
        for (index, point) in plan.points.enumerated() {
            if result.mode == .batch, index > 0 { break }
            try compute(until: start + point + delay, &result)
            let needed = ContinuousClock.now
            switch result.mode {
            case .resident, .prefetch: try read(halves[index], &result)
            case .batch: try read(ids, &result)
            case .serial: for id in halves[index] { try read([id], &result) }
            }
            let wait = ContinuousClock.now - needed
            delay += wait
            result.waits.append(wait.inSeconds * 1e6)
            if wait > plan.slack { result.missed += 1 }
        }
        try compute(until: start + plan.compute + delay, &result)
        result.time += ContinuousClock.now - start
        result.tokens += 1
    }

    /// Says what will be needed, and when; the answers come while the model computes.
    private mutating func prefetch(_ halves: [[CellIndex]]) throws {
        unanswered = []
        for (ids, point) in zip(halves, plan.points) {
            let body = PrefetchCells(
                field: field.name, count: UInt64(ids.count), isScattered: true,
                identity: identity, ticket: UInt64.random(in: 1...UInt64.max),
                lifetimeMicroseconds: UInt64((plan.compute * 2).inSeconds * 1e6),
                neededInMicroseconds: UInt64(point.inSeconds * 1e6))
            unanswered.insert(
                try connection.send(
                    .prefetchCells(body), bulk: [Bytes(values: ids)], deadline: deadline))
        }
    }

    private func read(_ ids: [CellIndex], _ result: inout DecodeResult) throws {
        let body = ReadCells(
            field: field.name, count: UInt64(ids.count), isScattered: true, identity: identity)
        do {
            let answer = try connection.call(
                .readCells(body), bulk: [Bytes(values: ids)], deadline: deadline)
            guard case .cells(let cells) = answer.body,
                answer.bulk[0].count == ids.count * field.cellBytes
            else { throw LociError(.internal, "An answer does not fit its question.") }
            result.hash &+= answer.bulk[0].checksum()
            result.pagesTouched += cells.receipt.pagesTouched
            result.pagesResident += cells.receipt.tiers[.dram].hits
        } catch {
            result.errors += 1
            result.firstError = result.firstError ?? "\(error)"
        }
    }

    /// What a model would take for a part of its pass. Meanwhile prefetches are answered.
    private mutating func compute(
        until end: ContinuousClock.Instant, _ result: inout DecodeResult
    ) throws {
        while !unanswered.isEmpty {
            let rest = end - ContinuousClock.now - Self.spun
            guard rest > .zero, let answer = try connection.receive(timeout: rest) else { break }
            unanswered.remove(answer.header.requestID)
            if case .failure(let error) = answer.body {
                result.errors += 1
                result.firstError = result.firstError ?? "\(error)"
            }
        }
        Self.sleep(until: end)
    }

    /// Sleeps, and spins the last bit: the moment is met to a few microseconds.
    private static func sleep(until end: ContinuousClock.Instant) {
        let rest = (end - ContinuousClock.now - spun).inSeconds
        if rest > 0 { Thread.sleep(forTimeInterval: rest) }
        while ContinuousClock.now < end { sched_yield() }
    }
}
