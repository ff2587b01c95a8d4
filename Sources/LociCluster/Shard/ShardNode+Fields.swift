import LociBase
import LociModel
import LociWire

/// A read of cells.
struct CellsTask: Sendable {
    let asker: Asker
    let field: FieldDefinition
    let places: [CellPlace]
    let partitions: Int
}

extension ShardNode {
    mutating func read(
        _ read: ShardRead, _ bulk: [Bytes], _ asker: Asker,
        into directives: inout [ShardDirective]
    ) {
        let catalog = workers.keys.min().map { workers[$0]!.state.catalog }
        guard let field = catalog?.field(space: read.space) else {
            return refuse(asker, unknownSpace(read.space), into: &directives)
        }
        let cells = bulk[0].values(CellIndex.self)
        let geometry = FieldGeometry(field, partitions: settings.partitions)
        let places = cells.map(geometry.place)
        var partitions: Set<PartitionIndex> = []
        for place in places { partitions.insert(place.address.partition) }
        guard cells.allSatisfy({ $0 < field.cellCount }),
            partitions.allSatisfy({ workers[$0] != nil })
        else {
            return refuse(
                asker, LociError(.invalidArgument, "A cell does not live on this shard."),
                into: &directives)
        }
        begin(
            .cells(
                CellsTask(
                    asker: asker, field: field, places: places, partitions: partitions.count)),
            into: &directives)
    }

    mutating func run(
        _ cells: CellsTask, _ task: inout PageTask, into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        if task.rounds == 0, !cells.places.isEmpty {
            return Set(cells.places.map(\.address)).sorted().map {
                PageNeed(address: $0, pageBytes: cells.field.pageBytes)
            }
        }
        let cellBytes = cells.field.cellBytes
        let parts = cells.places.map { place in
            task.held[place.address]!.slice(place.offset..<(place.offset + cellBytes))
        }
        task.receipt.partitions = UInt32(cells.partitions)
        answer(
            cells.asker,
            .cells(
                CellsAnswer(
                    cellBytes: UInt32(cellBytes), count: UInt64(parts.count),
                    receipt: finish(task.receipt, cells.asker))),
            bulk: [Bytes.joined(parts)], into: &directives)
        return []
    }
}
