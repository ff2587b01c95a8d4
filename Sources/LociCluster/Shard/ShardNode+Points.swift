import LociBase
import LociModel
import LociSearch
import LociTiering
import LociWire

/// An answer made of whole points: those with given ids, or a page of a scroll.
struct PointsTask: Sendable {
    let asker: Asker
    let definition: CollectionDefinition
    let selection: Selection
    let withVector: Bool
    let withPayload: Bool
    var gathering: Gathering?
    var hasMore = false

    enum Selection: Sendable {
        case ids([PointID], PartitionIndex)
        case scroll(ShardScroll)
    }
}

extension ShardNode {
    mutating func fetch(
        _ fetch: Fetch, _ bulk: [Bytes], _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        guard let slice = workers[fetch.partition]?.state.slices[fetch.space] else {
            return refuse(asker, unknownSpace(fetch.space), into: &directives)
        }
        begin(
            .points(
                PointsTask(
                    asker: asker, definition: slice.definition,
                    selection: .ids(bulk[0].values(), fetch.partition),
                    withVector: fetch.withVector, withPayload: true)), into: &directives)
    }

    mutating func scroll(
        _ scroll: ShardScroll, _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        guard let definition = slices(of: scroll.space).first?.definition else {
            return refuse(asker, unknownSpace(scroll.space), into: &directives)
        }
        begin(
            .points(
                PointsTask(
                    asker: asker, definition: definition, selection: .scroll(scroll),
                    withVector: scroll.withVector, withPayload: !scroll.idsOnly)),
            into: &directives)
    }

    mutating func count(
        _ count: ShardCount, _ asker: Asker, into directives: inout [ShardDirective]
    ) {
        let slices = slices(of: count.space)
        if slices.isEmpty { return refuse(asker, unknownSpace(count.space), into: &directives) }
        var receipt = Receipt()
        receipt.partitions = UInt32(slices.count)
        let total = slices.reduce(0) { $0 + $1.directory.count }
        answer(
            asker,
            .acknowledged(Acknowledged(count: UInt64(total), receipt: finish(receipt, asker))),
            into: &directives)
    }

    /// The partitions of each id, without a change.
    mutating func lookUp(
        _ claim: Claim, _ bulk: [Bytes], _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        guard let slice = workers[claim.partition]?.state.slices[claim.space] else {
            return refuse(asker, unknownSpace(claim.space), into: &directives)
        }
        let targets = bulk[0].values(PointID.self).map { slice.directory.targets(of: $0) }
        answer(
            asker, .claimed(Claimed(count: UInt32(targets.count))),
            bulk: [TargetList(targets).encoded], into: &directives)
    }

    mutating func run(
        _ points: inout PointsTask, _ task: inout PageTask,
        into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        while task.failure == nil {
            if points.gathering == nil {
                let (found, hasMore) = select(points.selection, points.definition.space)
                points.hasMore = hasMore
                points.gathering = Gathering(
                    found, of: points.definition, withVector: points.withVector,
                    withPayload: points.withPayload, isStrict: true)
            }
            switch step(&points.gathering!, task) {
            case .needs(let needs): return needs
            case .isStale:
                points.gathering = nil
                task.restart()
            case .isDone:
                answer(points, points.gathering!, &task, into: &directives)
                return []
            }
        }
        return []
    }

    private mutating func select(
        _ selection: PointsTask.Selection, _ space: SpaceID
    ) -> ([FoundPoint], hasMore: Bool) {
        switch selection {
        case .ids(let ids, let partition):
            guard let stored = workers[partition]?.state.slices[space]?.points else {
                return ([], false)
            }
            let found = ids.compactMap { id in
                stored.cell(of: id).map {
                    FoundPoint(partition: partition, cell: $0, record: stored[$0])
                }
            }
            return (found, false)
        case .scroll(let scroll):
            let limit = Int(scroll.limit)
            var found: [FoundPoint] = []
            for partition in workers.keys.sorted()
            where scroll.partition == .max || scroll.partition == partition {
                found += points(scroll, partition)
            }
            found.sort { ($0.id, $0.partition) < ($1.id, $1.partition) }
            return (Array(found.prefix(limit)), found.count > limit)
        }
    }

    /// The first points of a partition that a scroll wants, one more than its limit; or a sample.
    private mutating func points(
        _ scroll: ShardScroll, _ partition: PartitionIndex
    ) -> [FoundPoint] {
        guard let slice = workers[partition]!.state.slices[scroll.space] else { return [] }
        let limit = Int(scroll.limit)
        var ids: [PointID]
        if scroll.generationBelow > 0 {
            ids = slice.primaries(below: scroll.generationBelow, from: scroll.from)
        } else {
            let all = workers[partition]!.state.slices[scroll.space]!.ids(from: scroll.from)
            ids = Array(scroll.sampleSeed == 0 ? all.prefix(limit + 1) : all)
        }
        if scroll.sampleSeed != 0, ids.count > limit {
            var random = SeededRandom(seed: scroll.sampleSeed)
            ids = Set((0..<limit).map { _ in ids.randomElement(using: &random)! }).sorted()
        }
        return ids.prefix(limit + 1).map {
            let cell = slice.points.cell(of: $0)!
            return FoundPoint(partition: partition, cell: cell, record: slice.points[cell])
        }
    }

    private mutating func answer(
        _ points: PointsTask, _ gathering: Gathering, _ task: inout PageTask,
        into directives: inout [ShardDirective]
    ) {
        let found = gathering.points
        let payloads = PayloadList(
            points.withPayload ? gathering.payloads : found.map { _ in Bytes() })
        let vectors = points.withVector ? Bytes.joined(gathering.vectors) : Bytes()
        task.receipt.partitions = UInt32(Set(found.map(\.partition)).count)
        answer(
            points.asker,
            .points(
                PointsAnswer(
                    count: UInt32(found.count), receipt: finish(task.receipt, points.asker),
                    hasMore: points.hasMore)),
            bulk: [
                Bytes(values: found.map(\.id)), Bytes(values: found.map(\.record.version)),
                payloads.lengths, payloads.blob, vectors,
            ], into: &directives)
    }
}
