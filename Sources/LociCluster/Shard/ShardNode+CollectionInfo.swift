import LociBase
import LociModel
import LociSearch
import LociTiering
import LociWire

/// What a collection's part on this shard is made of.
extension ShardNode {
    mutating func report(
        _ question: ShardCollectionInfo, _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        let slices = slices(of: question.space)
        guard let definition = slices.first?.definition else {
            return refuse(asker, unknownSpace(question.space), into: &directives)
        }
        var report = CollectionReport()
        for slice in slices { add(slice, to: &report) }
        report.copies = UInt32(definition.options.copies)
        report.shards = 1
        report.tiers = tiers(of: definition, slices, report)
        report.receipt = finish(Receipt(), asker)
        answer(asker, .collectionReport(report), into: &directives)
    }

    private func add(_ slice: CollectionSlice, to report: inout CollectionReport) {
        report.points += UInt64(slice.primaryCount)
        report.locations += UInt64(slice.locations.count)
        report.generation = max(report.generation, slice.locations.latestGeneration)
        for posting in slice.postings.values {
            report.rows += UInt64(posting.rows)
            report.count(postingOf: posting.rows)
        }
        report.splits += slice.counters.splits
        report.merges += slice.counters.merges
        report.moved += slice.counters.moved
        report.evaluated += slice.counters.evaluated
        if slice.definition.options.copies == 1 {
            report.staleRows +=
                slice.postings.values.reduce(0) { $0 + UInt64(max(0, $1.rows - $1.live)) }
        }
        report.codeBytes += slice.codeBytes
        report.vectorBytes += slice.vectorBytes
        report.payloadBytes += slice.payloadBytes
        report.indexBytes += slice.indexBytes
        report.tableBytes += slice.tableBytes
        report.locationBytes += slice.locationBytes
    }

    /// What lies in memory; below it, everything.
    private func tiers(
        of definition: CollectionDefinition, _ slices: [CollectionSlice],
        _ report: CollectionReport
    ) -> [TierBytes] {
        var bytes: [Tier: UInt64] = [:]
        let spaces = [
            (definition.vectorSpace, definition.vectorPageBytes),
            (definition.payloadSpace, CollectionDefinition.payloadPageBytes),
            (definition.codeSpace, definition.codePageBytes),
        ]
        for slice in slices {
            for (space, pageBytes) in spaces {
                for page in pages.resident(space: space, partition: slice.partition) {
                    bytes[page.tier == .far ? .far : .dram, default: 0] += UInt64(pageBytes)
                }
            }
        }
        bytes[.ssd] = report.codeBytes + report.vectorBytes + report.payloadBytes
        return Tier.allCases.compactMap { tier in
            bytes[tier].map { TierBytes(tier: tier, bytes: $0) }
        }
    }
}
