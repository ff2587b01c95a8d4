import LociBase
import LociKernels
import LociModel
import LociPlacement
import LociSearch
import LociText
import LociWire

/// Upserts and deletions as clients ask for them, and points that have to be mended; the steps are
/// in `CoordinatorNode+MutationSteps.swift`.
extension CoordinatorNode {
    mutating func upsert(
        _ upsert: Upsert, _ bulk: [Bytes], _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let definition = try collection(named: upsert.collection)
        let count = Int(upsert.count)
        let ids = bulk[0].values(PointID.self)
        var payloads: [Bytes]
        var vectors: Bytes
        if upsert.isText {
            let texts = try PayloadList(lengths: bulk[1], blob: bulk[2], count: count).items
            payloads = try PayloadList(lengths: bulk[3], blob: bulk[4], count: count).items
            vectors = try encode(texts, definition)
        } else {
            payloads = try PayloadList(lengths: bulk[2], blob: bulk[3], count: count).items
            vectors = try checked(bulk[1], count: count, definition)
        }
        let kept = lastOfEach(ids)
        if kept.count < count {
            let rowBytes = definition.rowBytes
            vectors = Bytes.joined(
                kept.map { vectors.slice(($0 * rowBytes)..<(($0 + 1) * rowBytes)) })
            payloads = kept.map { payloads[$0] }
        }
        let mutation = MutationOperation(
            space: definition.space, definition: definition, purpose: .upsert,
            ids: kept.map { ids[$0] }, vectors: vectors, payloads: payloads)
        enter(mutation, client, deadline, into: &directives)
    }

    mutating func delete(
        _ deletion: DeletePoints, _ bulk: [Bytes], _ client: Operation.Client,
        _ deadline: Instant, into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let definition = try collection(named: deletion.collection)
        let ids = bulk[0].values(PointID.self)
        let mutation = MutationOperation(
            space: definition.space, definition: definition, purpose: .delete,
            ids: lastOfEach(ids).map { ids[$0] }, vectors: Bytes(), payloads: [])
        enter(mutation, client, deadline, into: &directives)
    }

    /// Of an id that comes several times in one request, the last counts.
    private func lastOfEach(_ ids: [PointID]) -> [Int] {
        var last: [PointID: Int] = [:]
        for (index, id) in ids.enumerated() { last[id] = index }
        return last.count == ids.count ? Array(ids.indices) : last.values.sorted()
    }

    /// Vectors as they are stored: of the right dimension, for cosine normalised.
    private func checked(
        _ vectors: Bytes, count: Int, _ definition: CollectionDefinition
    ) throws(LociError) -> Bytes {
        guard !definition.isText else {
            throw LociError(
                .invalidArgument, "The collection '\(definition.name)' holds text.",
                advice: "Send texts; the coordinator encodes them.")
        }
        guard vectors.count == count * definition.rowBytes else {
            throw LociError(
                .invalidArgument,
                "The vectors have dimension \(vectors.count / 4 / max(count, 1)); "
                    + "the collection '\(definition.name)' has \(definition.dimension).",
                advice: "`loci collection info \(definition.name)` shows what it takes.")
        }
        guard definition.metric == .cosine else { return vectors }
        var normalised: [Float] = []
        normalised.reserveCapacity(count * definition.dimension)
        for index in 0..<count {
            let start = index * definition.rowBytes
            var row = vectors.slice(start..<(start + definition.rowBytes)).values(Float.self)
            try normalise(&row)
            normalised += row
        }
        return Bytes(values: normalised)
    }

    func normalise(_ vector: inout [Float]) throws(LociError) {
        let norm = Kernels.normalize(&vector)
        guard norm > 0, norm.isFinite else {
            throw LociError(
                .invalidArgument, "A vector of length \(norm) has no direction.",
                advice: "The metric 'cosine' needs vectors that are not zero.")
        }
    }

    private mutating func encode(
        _ texts: [Bytes], _ definition: CollectionDefinition
    ) throws(LociError) -> Bytes {
        guard var encoder = collections[definition.space]?.encoder else {
            throw LociError(
                .invalidArgument, "The collection '\(definition.name)' holds vectors, not text.",
                advice: "Create one with: loci collection create NAME --text")
        }
        collections[definition.space]!.encoder = nil
        let strings = texts.map(\.string)
        for string in strings { encoder.learn(string) }
        var rows: [Float] = []
        rows.reserveCapacity(texts.count * definition.dimension)
        for string in strings { rows += encoder.encode(string, isQuery: false) }
        collections[definition.space]!.encoder = encoder
        collections[definition.space]!.isRarityUnsaved = true
        return Bytes(values: rows)
    }

    /// Points that a shard names as interrupted. One batch at a time; the next pong brings more.
    mutating func mend(
        _ ids: [PointID], _ space: SpaceID, into directives: inout [CoordinatorDirective]
    ) {
        guard let state = collections[space], !state.isMending else { return }
        let free = ids.filter { !locked.contains(LockKey(space: space, id: $0)) }
        if free.isEmpty { return }
        collections[space]!.isMending = true
        let mutation = MutationOperation(
            space: space, definition: state.definition, purpose: .mend, ids: free,
            vectors: Bytes(), payloads: [])
        enter(
            mutation, nil, now.advanced(milliseconds: LearningPolicy.stepMilliseconds),
            into: &directives)
    }

    // MARK: What comes back

    func takeTargets(_ bytes: Bytes, _ part: Int, _ operation: inout Operation) {
        switch operation.kind {
        case .mutation(var mutation):
            let members = mutation.parts[part]
            guard let list = try? TargetList(encoded: bytes, count: members.count) else { return }
            for (member, targets) in zip(members, list.items) {
                mutation.previous[member] = targets
            }
            operation.kind = .mutation(mutation)
        case .retrieve(var retrieve):
            takeTargets(bytes, part, &retrieve)
            operation.kind = .retrieve(retrieve)
        default: break
        }
    }

    mutating func takeAcknowledged(
        _ done: Acknowledged, _ part: Awaited, _ operation: inout Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        switch operation.kind {
        case .mutation(var mutation):
            if mutation.phase == .putting {
                announce(
                    done.locationsVersion, mutation.space, PartitionIndex(part.part),
                    into: &directives)
            } else if mutation.phase == .removing {
                mutation.count += done.count
            }
            operation.kind = .mutation(mutation)
        case .count(let total): operation.kind = .count(total: total + done.count)
        case .plant(let space):
            announce(
                done.locationsVersion, space, PartitionIndex(part.part), into: &directives)
        case .snapshot(var snapshot):
            if snapshot.phase == .copying { snapshot.bytes += done.count }
            operation.kind = .snapshot(snapshot)
        case .definition: sessions[Int(part.shard)].catalogVersion = done.count
        default: break
        }
    }
}
