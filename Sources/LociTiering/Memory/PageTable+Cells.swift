public import LociBase
public import LociModel

/// Cells that were all in dram.
public struct ResidentCells: Sendable {
    /// In the order asked for, duplicates included.
    public let bytes: Bytes
    /// Different pages that they lie in.
    public let pages: Int
}

extension PageTable {
    /// Copies cells of a field out of their pages, if all of them are in dram: the way of most
    /// reads. No page stays held. Each page counts as one use, as in a round.
    /// - Returns: nil, and nothing was counted, if a page is not here.
    public mutating func copyCells(
        _ cells: [CellIndex], _ geometry: FieldGeometry
    ) -> ResidentCells? {
        var places: [RowOffset] = []
        places.reserveCapacity(cells.count)
        for cell in cells {
            let place = geometry.place(of: cell)
            guard let slot = dram.slot(of: place.address) else { return nil }
            places.append(RowOffset(memory: slot, offset: place.offset))
        }
        dram.beginMarking()
        var pages = 0
        for place in places where dram.mark(place.memory) {
            pages += 1
            countHit(
                place.memory,
                PageNeed(
                    address: dram.address(in: place.memory), pageBytes: geometry.pageBytes))
        }
        return ResidentCells(
            bytes: .gathered(places, of: dram.contents, rowBytes: geometry.cellBytes),
            pages: pages)
    }
}
