import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire

/// What a collection is made of: the sum of what all shards report.
extension CoordinatorNode {
    mutating func report(
        on info: CollectionInfo, _ client: Operation.Client, _ deadline: Instant,
        into directives: inout [CoordinatorDirective]
    ) throws(LociError) {
        let definition = try collection(named: info.collection)
        let number = begin(.report(CollectionReport(), definition), client, deadline)
        var operation = operations.removeValue(forKey: number)!
        for shard in 0..<ShardIndex(metadata.map.shards) {
            ask(
                shard, .shardCollectionInfo(ShardCollectionInfo(space: definition.space)),
                part: Int(shard), for: &operation, into: &directives)
        }
        resume(operation, into: &directives)
    }

    func take(_ part: CollectionReport, _ operation: inout Operation) {
        guard case .report(var report, let definition) = operation.kind else { return }
        report.add(part)
        operation.kind = .report(report, definition)
    }

    /// A shard that does not answer shows in the receipt; one that says why it cannot tell fails
    /// the request.
    mutating func finish(
        _ sum: CollectionReport, of definition: CollectionDefinition, _ operation: Operation,
        into directives: inout [CoordinatorDirective]
    ) {
        var report = sum
        report.receipt = receipt(of: operation)
        if let failure = operation.failure,
            report.receipt.shardsAnswered == 0 || !failure.excusesPartialAnswer
        {
            return fail(operation, failure, into: &directives)
        }
        let stored = metadata.tuning[definition.space] ?? []
        report.copies = UInt32(definition.options.copies)
        report.isUnroutable = metadata.unroutable.contains(definition.space)
        report.tuning = stored
        report.recallEstimate = SearchTuning.setting(for: 0, stored: stored)?.recall ?? 0
        if let state = collections[definition.space] {
            report.generation = max(report.generation, state.locations.latestGeneration)
            if state.queries > 0 {
                report.meanPartitions = Double(state.partitionsAsked) / Double(state.queries)
            }
        }
        answer(operation, .collectionReport(report), into: &directives)
    }
}
