import LociBase
import LociModel
import LociTiering

/// A read of cells some of whose pages are not in dram: page by page in rounds, each page once, so
/// that all its cells are of one moment.
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
    /// For each cell, the tier that its page came from as `Tier.code`; empty if nobody asked.
    var tiers: [UInt8]

    init(
        asker: Asker, field: FieldDefinition, places: [CellPlace], partitions: Int, withTiers: Bool
    ) {
        self.asker = asker
        self.field = field
        self.places = places
        self.partitions = partitions
        order = places.indices.sorted { places[$0].address < places[$1].address }
        parts = Array(repeating: Bytes(), count: places.count)
        tiers = withTiers ? Array(repeating: 0, count: places.count) : []
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

    /// Looks at the cells of the pages that are held, which came from these tiers.
    mutating func look(_ held: [PageAddress: Bytes], from sources: [PageAddress: Tier]) {
        let nothing = Bytes(zeros: field.cellBytes)
        let range = done..<asked
        for index in range {
            let position = order[index]
            let place = places[position]
            if let page = held[place.address] {
                parts[position] = page.slice(place.offset..<(place.offset + field.cellBytes))
                if !tiers.isEmpty { tiers[position] = sources[place.address]?.code ?? 0 }
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

    /// The bulk frames of the answer.
    var answer: [Bytes] {
        CellsFrames.bulk(
            bytes: .joined(parts), skipped: missing.sorted(), tiers: Bytes(tiers), missing: [])
    }
}
