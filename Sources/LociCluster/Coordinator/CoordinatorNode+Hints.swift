import LociBase
import LociModel
import LociPlacement
import LociPrefetch
import LociWire

/// What the coordinator learns from reads that it routes: which pages follow each other across
/// shards, which no shard can see alone. It hints them to the shard that will be needed. A hint
/// that is lost, late or wrong changes no answer.
struct CrossShardHints: Sendable {
    /// After which a hint is not worth a page-in any more.
    static let timeToLiveMicroseconds: UInt64 = 2_000_000
    /// Pages of a range that one read lets expect.
    static let mostOfRange: UInt64 = 256
    /// A shard that lacks fewer of its pages than this gains nothing by hints.
    static let leastMissShare = 0.005
    /// A hint for a page is a message, which takes the processors of both sides about as long;
    /// where page-ins are waited for less than that, it costs more than it saves.
    static let messageMicroseconds: UInt64 = 200

    var streams: FieldStreams
    /// What is kept over a restart.
    var transitions = TransitionBook()
    /// Of each shard: pages requested and found, as it reported last, and whether hints to it are
    /// worth their message.
    private var reported: [(requested: UInt64, hit: UInt64, isWorth: Bool)]
    /// Of each shard: how long its page-ins were waited for lately; nil if none was yet.
    private var waits: [UInt64?]
    private var experience = PageExperience()
    private var predictions: [UInt64] = []

    init(shards: Int, seed: UInt64) {
        streams = FieldStreams(seed: seed)
        reported = Array(repeating: (0, 0, true), count: shards)
        waits = Array(repeating: nil, count: shards)
    }

    /// Whether a hint for one page of a shard is worth its message.
    private func isWorth(_ shard: ShardIndex) -> Bool {
        reported[Int(shard)].isWorth
            && (waits[Int(shard)] ?? .max) >= Self.messageMicroseconds
    }

    /// A shard has said how it does.
    mutating func note(_ vitals: ShardVitals, of shard: ShardIndex) {
        let last = reported[Int(shard)]
        // A restart begins at 0.
        guard vitals.pagesRequested >= last.requested, vitals.pagesHit >= last.hit else {
            reported[Int(shard)] = (vitals.pagesRequested, vitals.pagesHit, true)
            return
        }
        let requested = vitals.pagesRequested - last.requested
        guard requested >= 100 else { return }
        let hit = min(vitals.pagesHit - last.hit, requested)
        let missShare = Double(requested - hit) / Double(requested)
        reported[Int(shard)] = (
            vitals.pagesRequested, vitals.pagesHit, missShare >= Self.leastMissShare
        )
    }

    /// Pages that are expected after a read of these cells, by the shard that they live on.
    mutating func expect(
        after cells: [CellIndex], isRange: Bool, _ field: IndexedField, session: UInt64,
        _ map: PartitionMap
    ) -> [ShardIndex: [PageHint]] {
        let geometry = field.geometry
        if isRange, let first = cells.first, let last = cells.last {
            let pages = geometry.page(of: first)..<(geometry.page(of: last) + 1)
            if pages.count > FieldStreams.mostPages {
                return expect(afterRange: pages, field, map)
            }
        }
        guard let pages = geometry.fewPages(of: cells, isRange: isRange) else { return [:] }
        var hints: [ShardIndex: [PageHint]] = [:]
        for page in pages {
            let home = map.shard(of: geometry.address(ofPage: page).partition)
            predictions.removeAll(keepingCapacity: true)
            transitions.note(
                page: page, of: field.definition.space, on: home, session: session)
            let space = field.definition.space
            streams.observe(
                page: page, of: space, session: session,
                wasResident: experience.isResident(page, of: space), into: &predictions)
            for next in predictions {
                // What stays on the shard, the shard sees itself.
                guard let shard = shard(of: next, field, map), shard != home else { continue }
                if isWorth(shard), experience.takesHint(next, of: space) {
                    hints[shard, default: []].append(
                        PageHint(space: space, page: next, weight: 128))
                } else {
                    streams.note(.dropped, page: next, of: space)
                }
            }
        }
        return hints
    }

    /// How often the streams are shown what was confirmed before: until they believe it.
    private static let repetitions = 3

    /// Learns from what an earlier life of the coordinator has published.
    mutating func remember(_ payload: Bytes, _ catalog: Catalog, _ map: PartitionMap) {
        let known = (TransitionBook.decoded(payload) ?? []).filter { transition in
            guard let field = catalog.field(space: transition.space),
                transition.from < field.pageCount, transition.to < field.pageCount
            else { return false }
            let geometry = FieldGeometry(field, partitions: map.partitions)
            let from = map.shard(of: geometry.address(ofPage: transition.from).partition)
            return from != map.shard(of: geometry.address(ofPage: transition.to).partition)
        }
        for transition in known { transitions.remember(transition) }
        for repetition in 0..<Self.repetitions {
            for (index, transition) in known.enumerated() {
                // A session of its own, so that nothing follows from the transition before.
                let session = UInt64.max - UInt64(repetition * known.count + index)
                show(transition.from, transition, session, expecting: transition.to)
                show(transition.to, transition, session, expecting: nil)
            }
        }
    }

    private mutating func show(
        _ page: UInt64, _ transition: TransitionBook.Transition, _ session: UInt64,
        expecting next: UInt64?
    ) {
        predictions.removeAll(keepingCapacity: true)
        streams.observe(
            page: page, of: transition.space, session: session, wasResident: false,
            into: &predictions)
        // Nobody fetches them.
        for predicted in predictions where predicted != next {
            streams.note(.dropped, page: predicted, of: transition.space)
        }
    }

    private mutating func expect(
        afterRange pages: Range<UInt64>, _ field: IndexedField, _ map: PartitionMap
    ) -> [ShardIndex: [PageHint]] {
        var hints: [ShardIndex: [PageHint]] = [:]
        guard let next = streams.observe(pages: pages, of: field.definition.space) else {
            return hints
        }
        for page in next.prefix(Int(Self.mostOfRange)) {
            guard let shard = shard(of: page, field, map), reported[Int(shard)].isWorth else {
                continue
            }
            hints[shard, default: []].append(
                PageHint(space: field.definition.space, page: page, weight: 128))
        }
        return hints
    }

    /// Where a page lives; nil if the field has no such page.
    private func shard(
        of page: UInt64, _ field: IndexedField, _ map: PartitionMap
    ) -> ShardIndex? {
        guard page < field.definition.pageCount else { return nil }
        return map.shard(of: field.geometry.address(ofPage: page).partition)
    }

    /// A shard has answered a read of a few cells.
    mutating func note(
        _ receipt: Receipt, of cells: [CellIndex], _ field: IndexedField, from shard: ShardIndex
    ) {
        let waited = Tier.allCases.filter { receipt.tiers[$0].hard > 0 }
            .map { receipt.tiers[$0].waitMicroseconds }.max()
        if let waited {
            waits[Int(shard)] = waits[Int(shard)].map { (7 * $0 + waited) / 8 } ?? waited
        }
        let hits = receipt.tiers[.dram].hits
        // Of some there and some not, nobody says which.
        guard hits == 0 || hits == receipt.pagesTouched else { return }
        for cell in cells {
            experience.note(
                field.geometry.page(of: cell), of: field.definition.space, wasResident: hits > 0)
        }
    }
}

extension CoordinatorNode {
    /// Learns from what a shard's part of a read has cost.
    mutating func learn(from receipt: Receipt, _ awaited: Awaited, of operation: Operation) {
        guard hints != nil, case .read(let read) = operation.kind,
            !read.fewCells[awaited.part].isEmpty,
            let field = fields.field(space: read.field.space)
        else { return }
        hints!.note(receipt, of: read.fewCells[awaited.part], field, from: awaited.shard)
    }

    /// Learns from a read that has been sent on its way, and hints what it lets expect.
    mutating func hint(
        after cells: [CellIndex], isRange: Bool, _ field: IndexedField, session: UInt64,
        into directives: inout [CoordinatorDirective]
    ) {
        guard hints != nil else { return }
        let expected = hints!.expect(
            after: cells, isRange: isRange, field, session: session, metadata.map)
        for shard in expected.keys.sorted() where sessions[Int(shard)].isUp {
            post(
                .hint(Hint(timeToLiveMicroseconds: CrossShardHints.timeToLiveMicroseconds)),
                bulk: [PageHint.encoded(expected[shard]!)], to: shard, into: &directives)
        }
    }
}
