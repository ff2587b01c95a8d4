import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire

/// Learning where a collection's data lies. When enough points have come, hard locations are
/// learned from a sample over all partitions, neighbouring ones are planted on the same partition,
/// and the points that came before are moved to where they belong. After that hard locations split
/// where they are, and nothing has to move unless the data turns out to lie elsewhere.
extension CoordinatorNode {
    mutating func advanceLearning(into directives: inout [CoordinatorDirective]) {
        guard isWhole else { return }
        for space in collections.keys.sorted() {
            if collections[space]!.isCurrent { collections[space]!.choosePlacement() }
            let state = collections[space]!
            guard state.isCurrent, now >= state.learningNotBefore else { continue }
            switch state.learning {
            case .resting(0) where state.locations.latestGeneration > 0:
                // A new start of the coordinator: a move may have been under way.
                collections[space]!.learning = .moving(0, from: 0)
            case .resting(let points):
                if isDue(state, since: points) { sample(space, into: &directives) }
            case .moving(let partition, let from):
                findMoves(space, partition, from: from, into: &directives)
            case .busy, .movingBatch: break
            }
        }
    }

    private func isDue(_ state: CollectionState, since points: UInt64) -> Bool {
        let partitions = state.following.count
        guard partitions > 1, state.points >= tuning.learnAfter else { return false }
        if state.locations.latestGeneration == 0 || state.mustLearn { return true }
        let fullest = state.following.map(\.points).max() ?? 0
        let share = Double(state.points) / Double(partitions)
        return state.points >= points * LearningPolicy.growth
            && Double(fullest) > LearningPolicy.imbalance * share
    }

    // MARK: Sample and learn

    private mutating func sample(
        _ space: SpaceID, into directives: inout [CoordinatorDirective]
    ) {
        let definition = collections[space]!.definition
        collections[space]!.learning = .busy
        let number = begin(
            .sample(SampleOperation(definition: definition)), nil,
            now.advanced(milliseconds: LearningPolicy.stepMilliseconds))
        var operation = operations.removeValue(forKey: number)!
        let fit = (Limits.frameBytes - 4096) / definition.rowBytes
        let limit = max(1, min(LearningPolicy.sampleRows / metadata.map.partitions, fit, 4096))
        for partition in 0..<PartitionIndex(metadata.map.partitions) {
            ask(
                metadata.map.shard(of: partition),
                .shardScroll(
                    ShardScroll(
                        space: space, partition: partition, from: 0, limit: UInt32(limit),
                        withVector: true, idsOnly: true,
                        sampleSeed: UInt64(space) << 32 | UInt64(partition) + 1)),
                part: Int(partition), for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    mutating func finish(
        _ sample: SampleOperation, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        fail(operation, operation.failure ?? Self.nobodyAsked, into: &directives)
        let space = sample.definition.space
        guard operation.failure == nil, !sample.rows.isEmpty else { return rest(space) }
        directives.append(
            .learn(
                space,
                LocationLearning(
                    dimension: sample.definition.dimension, partitions: metadata.map.partitions,
                    sample: sample.rows, seed: UInt64(space))))
    }

    private static let nobodyAsked = LociError(.internal, "An operation without a client ended.")

    /// Leaves learning for a while, to be tried again.
    private mutating func rest(_ space: SpaceID) {
        guard let points = collections[space]?.points else { return }
        collections[space]!.mustLearn = true
        collections[space]!.learning = .resting(points: max(points, 1))
        collections[space]!.learningNotBefore = now.advanced(milliseconds: 1000)
    }

    mutating func plant(
        _ space: SpaceID, _ outcome: LocationLearning.Outcome,
        into directives: inout [CoordinatorDirective]
    ) {
        guard let state = collections[space] else { return }
        if isHolding { return heldLearning.append((space, outcome)) }
        note(unroutable: outcome.isUnroutable, space, into: &directives)
        let number = begin(
            .plant(space), nil, now.advanced(milliseconds: LearningPolicy.stepMilliseconds))
        var operation = operations.removeValue(forKey: number)!
        operation.sequence = takeSequence()
        for (partition, centroids) in outcome.centroids.enumerated() where !centroids.isEmpty {
            ask(
                metadata.map.shard(of: PartitionIndex(partition)),
                .plant(
                    Plant(
                        space: space, partition: PartitionIndex(partition),
                        generation: state.locations.latestGeneration + 1)),
                bulk: [Bytes(values: centroids)], part: partition, sequence: operation.sequence,
                for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    /// What was planted stays, even if a part failed: hard locations without points do no harm. The
    /// learning is then repeated, with the next generation.
    mutating func planted(_ space: SpaceID, _ operation: Operation) {
        releaseSequence(operation.sequence)
        operations[operation.number] = nil
        guard operation.failure == nil else { return rest(space) }
        collections[space]?.mustLearn = false
        collections[space]?.learning = .moving(0, from: 0)
        // Moving begins when the news of the new locations has come.
        collections[space]?.learningNotBefore = now.advanced(milliseconds: 300)
    }

    // MARK: Move

    /// The next points of a partition that lie at hard locations of an older generation.
    private mutating func findMoves(
        _ space: SpaceID, _ partition: PartitionIndex, from: PointID,
        into directives: inout [CoordinatorDirective]
    ) {
        let generation = collections[space]!.locations.latestGeneration
        guard Int(partition) < metadata.map.partitions, generation > 0 else {
            if collections[space]!.mustMoveAgain {
                collections[space]!.mustMoveAgain = false
                collections[space]!.learning = .moving(0, from: 0)
            } else {
                let points = max(collections[space]!.points, 1)
                collections[space]!.learning = .resting(points: points)
            }
            return
        }
        collections[space]!.learning = .movingBatch(partition)
        let number = begin(
            .findMoves(space, partition, found: [], hasMore: false), nil,
            now.advanced(milliseconds: LearningPolicy.stepMilliseconds))
        var operation = operations.removeValue(forKey: number)!
        let definition = collections[space]!.definition
        let fit = (Limits.chunkBytes / definition.rowBytes).clamped(to: 1...4096)
        ask(
            metadata.map.shard(of: partition),
            .shardScroll(
                ShardScroll(
                    space: space, partition: partition, from: from,
                    limit: min(tuning.moveBatch, UInt32(fit)), withVector: false,
                    idsOnly: true, generationBelow: generation)),
            part: Int(partition), for: &operation, into: &directives)
        resume(operation, into: &directives)
    }

    mutating func foundMoves(
        _ space: SpaceID, _ partition: PartitionIndex, _ found: [PointID], _ hasMore: Bool,
        _ operation: Operation, into directives: inout [CoordinatorDirective]
    ) {
        operations[operation.number] = nil
        guard collections[space] != nil else { return }
        if operation.failure != nil {
            collections[space]!.mustMoveAgain = true
            collections[space]!.learning = .moving(partition + 1, from: 0)
            collections[space]!.learningNotBefore = now.advanced(milliseconds: 500)
        } else if found.isEmpty {
            collections[space]!.learning = .moving(partition + 1, from: 0)
        } else {
            let definition = collections[space]!.definition
            let mutation = MutationOperation(
                space: space, definition: definition, purpose: .move(partition),
                ids: found, vectors: Bytes(), payloads: [])
            enter(
                mutation, nil, now.advanced(milliseconds: LearningPolicy.stepMilliseconds),
                into: &directives)
        }
    }

    /// A batch has moved, or not: the next one begins behind it.
    mutating func moved(
        _ mutation: MutationOperation, _ partition: PartitionIndex, hasFailed: Bool
    ) {
        guard collections[mutation.space] != nil else { return }
        let last = mutation.ids.last.map { $0 == .max ? $0 : $0 + 1 } ?? 0
        collections[mutation.space]!.learning = .moving(partition, from: last)
        if hasFailed {
            // Once more at the end, but the others do not wait for it.
            collections[mutation.space]!.mustMoveAgain = true
            collections[mutation.space]!.learningNotBefore = now.advanced(milliseconds: 500)
        }
    }
}

extension Comparable {
    fileprivate func clamped(to range: ClosedRange<Self>) -> Self {
        min(max(self, range.lowerBound), range.upperBound)
    }
}
