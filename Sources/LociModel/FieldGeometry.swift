public import LociBase

/// Where a cell lies: its page, and the byte of the page at which it starts.
public struct CellPlace: Hashable, Sendable {
    public let address: PageAddress
    public let offset: Int

    @usableFromInline init(address: PageAddress, offset: Int) {
        self.address = address
        self.offset = offset
    }
}

/// The arithmetic from cells to pages. Runs of pages (4 MiB) go round-robin over the partitions, so
/// that scans stay sequential and load spreads.
public struct FieldGeometry: Sendable {
    public let space: SpaceID
    public let cellBytes: Int
    public let pageBytes: Int
    @usableFromInline let cellDivisor: Divisor
    @usableFromInline let pageDivisor: Divisor
    @usableFromInline let partitionDivisor: Divisor

    public var cellsPerPage: UInt64 { cellDivisor.value }
    public var pagesPerStripe: UInt64 { pageDivisor.value }
    public var partitions: UInt64 { partitionDivisor.value }

    public init(_ field: FieldDefinition, partitions: Int) {
        self.init(
            field, partitions: partitions,
            pagesPerStripe: max(1, Layout.stripeBytes / field.pageBytes))
    }

    init(_ field: FieldDefinition, partitions: Int, pagesPerStripe: Int) {
        precondition(partitions > 0)
        space = field.space
        cellBytes = field.cellBytes
        pageBytes = field.pageBytes
        cellDivisor = Divisor(UInt64(field.pageBytes / field.cellBytes))
        pageDivisor = Divisor(UInt64(pagesPerStripe))
        partitionDivisor = Divisor(UInt64(partitions))
    }

    @inlinable public func partition(of cell: CellIndex) -> PartitionIndex {
        let stripe = pageDivisor.divide(cellDivisor.divide(cell).quotient).quotient
        return PartitionIndex(truncatingIfNeeded: partitionDivisor.divide(stripe).remainder)
    }

    @inlinable public func place(of cell: CellIndex) -> CellPlace {
        let (page, cellOfPage) = cellDivisor.divide(cell)
        let (stripe, pageOfStripe) = pageDivisor.divide(page)
        let (row, partition) = partitionDivisor.divide(stripe)
        return CellPlace(
            address: PageAddress(
                space: space, partition: PartitionIndex(truncatingIfNeeded: partition),
                page: row * pagesPerStripe + pageOfStripe),
            offset: Int(cellOfPage) * cellBytes)
    }
}
