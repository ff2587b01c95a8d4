public import LociBase

/// Where a cell lies: its page, and the byte of the page at which it starts.
public struct CellPlace: Hashable, Sendable {
    public let address: PageAddress
    public let offset: Int
}

/// The arithmetic from cells to pages. Runs of pages (4 MiB) go round-robin over the partitions, so
/// that scans stay sequential and load spreads.
public struct FieldGeometry: Sendable {
    public let space: SpaceID
    public let cellBytes: Int
    public let cellsPerPage: UInt64
    public let pagesPerStripe: UInt64
    public let partitions: UInt64

    public init(_ field: FieldDefinition, partitions: Int) {
        precondition(partitions > 0)
        space = field.space
        cellBytes = field.cellBytes
        cellsPerPage = UInt64(field.pageBytes / field.cellBytes)
        pagesPerStripe = UInt64(max(1, Layout.stripeBytes / field.pageBytes))
        self.partitions = UInt64(partitions)
    }

    public func partition(of cell: CellIndex) -> PartitionIndex {
        PartitionIndex(cell / cellsPerPage / pagesPerStripe % partitions)
    }

    public func place(of cell: CellIndex) -> CellPlace {
        let page = cell / cellsPerPage
        let stripe = page / pagesPerStripe
        let local = stripe / partitions * pagesPerStripe + page % pagesPerStripe
        return CellPlace(
            address: PageAddress(
                space: space, partition: PartitionIndex(stripe % partitions), page: local),
            offset: Int(cell % cellsPerPage) * cellBytes)
    }
}
