import LociBase
import LociModel
import LociTiering
import LociWire

/// A read of cells: page by page in rounds, each page once, so that all its cells are of one
/// moment.
struct CellsTask: Sendable {
    let asker: Asker
    let field: FieldDefinition
    let places: [CellPlace]
    let partitions: Int
    /// Positions of the cells, in the order of their pages.
    let order: [Int]
    /// Of `order`: those before `done` have been looked at, those up to `asked` are next.
    var done = 0
    var asked = 0
    /// The cells looked at in earlier rounds, each at its position.
    var parts: [Bytes]
    /// Positions of cells whose pages were not to be asked for.
    var missing: [UInt32] = []

    init(asker: Asker, field: FieldDefinition, places: [CellPlace], partitions: Int) {
        self.asker = asker
        self.field = field
        self.places = places
        self.partitions = partitions
        order = places.indices.sorted { places[$0].address < places[$1].address }
        parts = Array(repeating: Bytes(), count: places.count)
    }

    var isDone: Bool { done == order.count }

    /// The next pages, up to so many bytes; at least one.
    mutating func plan(most byteCount: Int) -> [PageNeed] {
        var needs: [PageNeed] = []
        while asked < order.count {
            let address = places[order[asked]].address
            if needs.last?.address != address {
                if (needs.count + 1) * field.pageBytes > max(byteCount, field.pageBytes) { break }
                needs.append(PageNeed(address: address, pageBytes: field.pageBytes))
            }
            asked += 1
        }
        return needs
    }

    /// Looks at the cells of the pages that are held.
    mutating func look(_ held: [PageAddress: Bytes]) {
        let nothing = Bytes(zeros: field.cellBytes)
        let range = done..<asked
        for index in range {
            let position = order[index]
            let place = places[position]
            if let page = held[place.address] {
                parts[position] = page.slice(place.offset..<(place.offset + field.cellBytes))
            } else {
                parts[position] = nothing
                missing.append(UInt32(position))
            }
        }
        done = asked
        if isDone { return }
        // Copies, so that the pages can go before the next come.
        let copy = Bytes.joined(range.map { parts[order[$0]] }).compact()
        for (number, index) in range.enumerated() {
            let start = number * field.cellBytes
            parts[order[index]] = copy.slice(start..<(start + field.cellBytes))
        }
    }
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
            slowest: read.maxTier ?? .object, into: &directives)
    }

    mutating func run(
        _ cells: inout CellsTask, _ task: inout PageTask, into directives: inout [ShardDirective]
    ) -> [PageNeed] {
        if cells.asked > cells.done { cells.look(task.held) }
        if !cells.isDone { return cells.plan(most: roundBytes) }
        task.receipt.partitions = UInt32(cells.partitions)
        var bulk = [Bytes.joined(cells.parts)]
        if !cells.missing.isEmpty { bulk.append(Bytes(values: cells.missing.sorted())) }
        answer(
            cells.asker,
            .cells(
                CellsAnswer(
                    cellBytes: UInt32(cells.field.cellBytes), count: UInt64(cells.places.count),
                    receipt: finish(task.receipt, cells.asker))),
            bulk: bulk, into: &directives)
        return []
    }
}
