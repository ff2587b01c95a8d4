import LociBase
import LociModel
import LociPlacement
import LociText
import LociWire

/// A snapshot of the whole cluster on its way.
struct SnapshotOperation: Sendable {
    enum Phase: Sendable, Equatable {
        /// The folder is being made.
        case preparing
        /// New mutations wait; those under way end.
        case draining
        /// Every shard fixes its state; still no mutation is under way.
        case cutting
        /// Shards copy; everything else goes on.
        case copying
        /// The manifest is being written.
        case publishing

        var isHolding: Bool { self == .draining || self == .cutting }
    }

    let place: SnapshotPlace
    var phase = Phase.preparing
    var unixSeconds: UInt64 = 0
    var bytes: UInt64 = 0
    /// When the shards were asked last for the end of their copies.
    var finishAskedAt = Instant.zero
    /// The coordinator's own part, as it was at the point.
    var files: [SnapshotFile] = []
}

/// Bounds of what a snapshot may cost others.
enum SnapshotPolicy {
    /// Mutations are held back for at most so long; then the snapshot is given up.
    static let holdMilliseconds: UInt64 = 5_000
    /// After which a shard that has not said that it has copied is asked again: its answer may have
    /// been lost with a connection, and no deadline ends the wait.
    static let repeatMicroseconds: UInt64 = 1_000_000
}

/// Snapshots at one consistent point while writes go on. New mutations wait until those under way
/// have ended and every shard has fixed its state; then they go on while the shards copy. Since no
/// mutation is under way anywhere at the point, the parts fit together without a common log.
///
/// Invariants:
/// - At most one snapshot is being made.
/// - It is visible only after all shards have copied and the manifest has been written; if a shard
///   fails or goes, or time runs out, it is abandoned and nothing of it is visible.
/// - What was held back goes on after the point, or when the snapshot is abandoned, whichever
///   comes first; each within its own deadline.
extension CoordinatorNode {
    mutating func createSnapshot(
        _ create: CreateSnapshot, _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        if let active = activeSnapshot {
            throw LociError(
                .resourceExhausted, "The snapshot '\(active)' is being made.",
                advice: "Wait for it: `loci snapshot list` shows when it is complete.")
        }
        guard isWhole else {
            throw LociError(
                .unavailable, "A snapshot needs every shard, and some shard is missing.",
                advice: "`loci status` shows which; `scripts/cluster up` starts what is dead.")
        }
        nextRequest += 1
        let place = SnapshotPlace(name: create.name, id: nextRequest)
        let limit = now.advanced(milliseconds: SnapshotPolicy.holdMilliseconds)
        let number = begin(
            .snapshot(SnapshotOperation(place: place)), client, min(deadline, limit))
        operations[number]!.outstanding = 1
        snapshotting = number
        activeSnapshot = create.name
        directives.append(.prepareSnapshot(place))
    }

    mutating func snapshotPrepared(
        _ place: SnapshotPlace, _ result: Result<UInt64, LociError>,
        into directives: inout [CoordinatorDirective]
    ) {
        guard var (operation, snapshot) = currentSnapshot(place), snapshot.phase == .preparing
        else { return directives.append(.discardSnapshot(place)) }
        switch result {
        case .failure(let error):
            endSnapshot()
            fail(operation, error, into: &directives)
        case .success(let unixSeconds):
            snapshot.unixSeconds = unixSeconds
            snapshot.phase = .draining
            isHolding = true
            operation.kind = .snapshot(snapshot)
            operations[operation.number] = operation
        }
    }

    /// Takes the step that has become possible, or gives the snapshot up as soon as it must.
    mutating func advanceSnapshot(into directives: inout [CoordinatorDirective]) {
        guard let number = snapshotting, var operation = operations[number],
            case .snapshot(var snapshot) = operation.kind
        else { return }
        if operation.failure != nil {
            operations[number] = nil
            return advance(snapshot, operation, into: &directives)
        }
        guard snapshot.phase == .draining, isDrained else { return }
        snapshot.phase = .cutting
        operations[number] = nil
        operation.outstanding = 0
        operation.kind = .snapshot(snapshot)
        askAll(.cut, snapshot.place, &operation, into: &directives)
        resume(operation, into: &directives)
    }

    /// Asks shards again that have not said that their copies are complete. The request is the same
    /// one, so that a second answer to it finds nobody who waits.
    mutating func repeatFinish(into directives: inout [CoordinatorDirective]) {
        guard let number = snapshotting, var operation = operations[number],
            case .snapshot(var snapshot) = operation.kind, snapshot.phase == .copying,
            now.microseconds(since: snapshot.finishAskedAt) >= SnapshotPolicy.repeatMicroseconds
        else { return }
        snapshot.finishAskedAt = now
        operation.kind = .snapshot(snapshot)
        operations[number] = operation
        let place = snapshot.place
        for request in operation.requests {
            guard let part = awaited[request] else { continue }
            directives.append(
                .send(
                    part.shard,
                    Message(
                        shardHeader(part.shard, request: request),
                        .shardSnapshot(
                            ShardSnapshot(name: place.name, id: place.id, step: .finish)))))
        }
    }

    /// No mutation and no change of the catalog is under way.
    private var isDrained: Bool {
        guard sequencesInFlight.isEmpty, persisting == nil, definitionQueue.isEmpty else {
            return false
        }
        return !operations.values.contains {
            if case .definition = $0.kind { true } else { false }
        }
    }

    private mutating func askAll(
        _ step: ShardSnapshot.Step, _ place: SnapshotPlace, _ operation: inout Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        for shard in 0..<ShardIndex(metadata.map.shards) {
            ask(
                shard, .shardSnapshot(ShardSnapshot(name: place.name, id: place.id, step: step)),
                part: Int(shard), for: &operation, into: &directives)
        }
    }

    /// Nothing is outstanding: all shards have taken the step, or it failed.
    mutating func advance(
        _ done: SnapshotOperation, _ started: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        var snapshot = done
        var operation = started
        if let failure = operation.failure {
            return abandon(snapshot, operation, failure, into: &directives)
        }
        if snapshot.phase == .cutting {
            snapshot.phase = .copying
            snapshot.files = filesOfSnapshot
            snapshot.finishAskedAt = now
            // Copying takes as long as it takes: nobody is held back by it.
            operation.deadline = .distantFuture
            operation.kind = .snapshot(snapshot)
            askAll(.finish, snapshot.place, &operation, into: &directives)
            release(into: &directives)
            return resume(operation, into: &directives)
        }
        precondition(snapshot.phase == .copying)
        snapshot.phase = .publishing
        operation.outstanding = 1
        operation.kind = .snapshot(snapshot)
        operations[operation.number] = operation
        let manifest = SnapshotManifest(
            place: snapshot.place, clusterID: metadata.clusterID,
            unixSeconds: snapshot.unixSeconds, bytes: snapshot.bytes,
            partitions: metadata.map.partitions, shards: metadata.map.shards)
        directives.append(.publishSnapshot(manifest, snapshot.files))
    }

    private var filesOfSnapshot: [SnapshotFile] {
        var files = [
            SnapshotFile(name: CoordinatorRecovery.metadataName, content: metadata.encoded)
        ]
        for space in collections.keys.sorted() {
            guard let encoder = collections[space]!.encoder else { continue }
            files.append(
                SnapshotFile(
                    name: CoordinatorRecovery.rarityName(space), content: encoder.encodedState))
        }
        return files
    }

    mutating func snapshotPublished(
        _ place: SnapshotPlace, _ error: LociError?,
        into directives: inout [CoordinatorDirective]
    ) {
        guard let (operation, snapshot) = currentSnapshot(place) else { return }
        if let error {
            operations[operation.number] = nil
            return abandon(snapshot, operation, error, into: &directives)
        }
        endSnapshot()
        let done = Acknowledged(count: snapshot.bytes, receipt: receipt(of: operation))
        answer(operation, .acknowledged(done), into: &directives)
    }

    private func currentSnapshot(_ place: SnapshotPlace) -> (Operation, SnapshotOperation)? {
        guard let number = snapshotting, let operation = operations[number],
            case .snapshot(let snapshot) = operation.kind, snapshot.place == place
        else { return nil }
        return (operation, snapshot)
    }

    private mutating func abandon(
        _ snapshot: SnapshotOperation, _ operation: Operation, _ error: LociError,
        into directives: inout [CoordinatorDirective]
    ) {
        endSnapshot()
        let place = snapshot.place
        for shard in sessions.indices where sessions[shard].isUp && snapshot.phase != .preparing {
            post(
                .shardSnapshot(ShardSnapshot(name: place.name, id: place.id, step: .abandon)),
                to: ShardIndex(shard), into: &directives)
        }
        // While it is being prepared the folder may not be there yet: then it goes when it is.
        if snapshot.phase != .preparing { directives.append(.discardSnapshot(place)) }
        let sentence = LociError(
            error.code, "The snapshot '\(place.name)' was abandoned: \(error.message)",
            advice: error.advice.isEmpty ? "Nothing of it is kept. Try again." : error.advice)
        fail(operation, sentence, into: &directives)
        release(into: &directives)
    }

    private mutating func endSnapshot() {
        snapshotting = nil
        activeSnapshot = nil
    }

    // MARK: List

    mutating func listSnapshots(
        _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) {
        let number = begin(.listSnapshots, client, deadline)
        operations[number]!.outstanding = 1
        directives.append(.listSnapshots(number))
    }

    mutating func snapshotsListed(
        _ number: UInt64, _ result: Result<[SnapshotManifest], LociError>,
        into directives: inout [CoordinatorDirective]
    ) {
        guard let operation = operations[number] else { return }
        switch result {
        case .failure(let error): fail(operation, error, into: &directives)
        case .success(let manifests):
            let entries = manifests.sorted { $0.place.name < $1.place.name }.map {
                SnapshotEntry(
                    name: $0.place.name, id: $0.place.id, unixSeconds: $0.unixSeconds,
                    bytes: $0.bytes, partitions: UInt32($0.partitions),
                    shards: UInt32($0.shards))
            }
            answer(
                operation,
                .snapshots(SnapshotsAnswer(snapshots: entries, active: activeSnapshot ?? "")),
                into: &directives)
        }
    }
}
