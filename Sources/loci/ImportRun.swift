import Foundation
import LociClient
import LociImport

/// One import under way: batches are read one after the other, and several are with the cluster at
/// once.
///
/// Invariants:
/// - `acknowledged` counts rows from the first on without a gap: every one of them is durable.
/// - Memory holds at most `inFlight` batches.
struct ImportRun {
    let client: LociClient
    let collection: String
    let batch: Int
    let patience: Duration
    let state: ImportState
    /// Points whose ids the collection has are left as they are.
    let onlyMissing: Bool
    /// Rows per second at most; nil for as many as the cluster takes.
    let rate: Double?

    private(set) var acknowledged: UInt64
    /// Rows that were left out because their points were there.
    private(set) var present: UInt64 = 0
    private(set) var retries = 0
    private(set) var receipt = Receipt()
    /// Ends of acknowledged batches that lie behind a gap, by their first rows.
    private var islands: [UInt64: UInt64] = [:]

    private static let inFlight = 4
    /// Of an import with a rate.
    private static let batchesPerSecond = 20.0
    private static let longestPause = Duration.seconds(2)

    init(
        client: LociClient, collection: String, batch: Int, patience: Duration, state: ImportState,
        first: UInt64, onlyMissing: Bool = false, rate: Double? = nil
    ) {
        self.client = client
        self.collection = collection
        // Small enough to come evenly.
        self.batch = rate.map { min(batch, max(1, Int($0 / Self.batchesPerSecond))) } ?? batch
        self.rate = rate
        self.patience = patience
        self.state = state
        self.onlyMissing = onlyMissing
        acknowledged = first
    }

    /// - Returns: What the source left out, a sentence each.
    mutating func run(_ source: any PointSource, progress: Progress) async throws -> [String] {
        var source = source
        var progress = progress
        defer { progress.finish() }
        var due = ContinuousClock.now
        do {
            try await withThrowingTaskGroup(of: Delivery.self) { group in
                var pending = 0
                var row = acknowledged
                while true {
                    while pending < Self.inFlight, let next = try source.next(batch) {
                        // A source may leave rows out: they belong to the batch that follows.
                        let rows = row..<(next.firstRow + UInt64(next.count))
                        row = rows.upperBound
                        // What was late is not made good.
                        due = max(due, ContinuousClock.now)
                        group.addTask { [self, due] in try await deliver(next, rows, at: due) }
                        if let rate { due += .seconds(Double(rows.count) / rate) }
                        pending += 1
                    }
                    guard let delivery = try await group.next() else { break }
                    pending -= 1
                    note(delivery)
                    progress.update(acknowledged)
                    state.save(acknowledged)
                }
            }
        } catch {
            state.save(acknowledged, isLast: true)
            progress.finish()
            Terminal.note(
                "\(Show.count(acknowledged)) rows are imported; the same command goes on there."
            )
            throw error
        }
        state.remove()
        return source.notices
    }

    private struct Delivery: Sendable {
        let rows: Range<UInt64>
        let present: Int
        let retries: Int
        let receipt: Receipt
    }

    private mutating func note(_ delivery: Delivery) {
        islands[delivery.rows.lowerBound] = delivery.rows.upperBound
        while let end = islands.removeValue(forKey: acknowledged) { acknowledged = end }
        present += UInt64(delivery.present)
        retries += delivery.retries
        receipt.add(request: delivery.receipt)
    }

    /// Stores a batch when it is due; what may succeed later is tried again until patience ends.
    /// Points are stored by id, so a repeated batch changes nothing.
    private func deliver(
        _ batch: PointBatch, _ rows: Range<UInt64>, at due: ContinuousClock.Instant
    ) async throws -> Delivery {
        if rate != nil { try await Task.sleep(until: due) }
        return try await deliver(batch, rows)
    }

    private func deliver(
        _ batch: PointBatch, _ rows: Range<UInt64>
    ) async throws(LociError) -> Delivery {
        let start = ContinuousClock.now
        var pause = Duration.milliseconds(100)
        var retries = 0
        while true {
            do {
                let missing = onlyMissing ? try await missing(of: batch) : batch
                let receipt = missing.count > 0 ? try await store(missing).receipt : Receipt()
                return Delivery(
                    rows: rows, present: batch.count - missing.count, retries: retries,
                    receipt: receipt)
            } catch {
                guard error.code.mayRetry, ContinuousClock.now - start < patience else {
                    throw error
                }
                retries += 1
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, Self.longestPause)
            }
        }
    }

    /// The points of a batch that the collection does not have.
    private func missing(of batch: PointBatch) async throws(LociError) -> PointBatch {
        let present = try await present(batch.ids)
        if present.isEmpty { return batch }
        let members = batch.ids.indices.filter { !present.contains(batch.ids[$0]) }
        let dimension = batch.vectors.count / max(batch.count, 1)
        return PointBatch(
            firstRow: batch.firstRow, ids: members.map { batch.ids[$0] },
            vectors: members.flatMap { row in
                batch.vectors[(row * dimension)..<((row + 1) * dimension)]
            },
            texts: batch.texts.isEmpty ? [] : members.map { batch.texts[$0] },
            payloads: batch.payloads.isEmpty ? [] : members.map { batch.payloads[$0] })
    }

    /// Which of the ids exist. Row numbers lie side by side and are listed; others are retrieved.
    private func present(_ ids: [PointID]) async throws(LociError) -> Set<PointID> {
        guard let first = ids.min(), let last = ids.max(),
            last - first < UInt64(Limits.pointsPerRequest)
        else {
            let found = try await client.retrieve(collection, ids: ids)
            guard !found.isDegraded else { throw Self.unknown }
            return Set(found.points.map(\.id))
        }
        let limit = Int(last - first) + 1
        guard let listed = try await client.ids(collection, from: first, limit: limit) else {
            throw Self.unknown
        }
        return Set(listed.ids)
    }

    private static let unknown = LociError(
        .unavailable, "A shard does not say which points it has.",
        advice: "Resume when `loci status` shows all shards up.")

    private func store(_ batch: PointBatch) async throws(LociError) -> Outcome {
        if batch.texts.isEmpty {
            return try await client.upsert(
                collection, ids: batch.ids, vectors: batch.vectors, payloads: batch.payloads)
        }
        return try await client.upsert(
            collection, ids: batch.ids, texts: batch.texts, payloads: batch.payloads)
    }
}
