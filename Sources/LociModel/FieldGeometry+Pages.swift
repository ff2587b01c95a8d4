public import LociBase

extension FieldGeometry {
    /// The number of a cell's page in the whole field.
    @inlinable public func page(of cell: CellIndex) -> UInt64 { cellDivisor.divide(cell).quotient }

    /// Where a page of the field lies.
    public func address(ofPage page: UInt64) -> PageAddress {
        let (stripe, pageOfStripe) = pageDivisor.divide(page)
        let (row, partition) = partitionDivisor.divide(stripe)
        return PageAddress(
            space: space, partition: PartitionIndex(truncatingIfNeeded: partition),
            page: row * pagesPerStripe + pageOfStripe)
    }

    /// The number in the whole field of the page that lies there.
    public func page(at address: PageAddress) -> UInt64 {
        let (row, pageOfStripe) = pageDivisor.divide(address.page)
        return (row * partitions + UInt64(address.partition)) * pagesPerStripe + pageOfStripe
    }
}
