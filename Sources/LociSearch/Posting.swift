public import LociBase
public import LociModel

/// Bytes that must be written to a page, as the effect of a log record.
public struct PageWrite: Equatable, Sendable {
    public let address: PageAddress
    public let pageBytes: Int
    public let offset: Int
    public let bytes: Bytes

    public init(address: PageAddress, pageBytes: Int, offset: Int, bytes: Bytes) {
        self.address = address
        self.pageBytes = pageBytes
        self.offset = offset
        self.bytes = bytes
    }
}

/// The codes at one hard location, row after row in the posting's own virtual extent of the code
/// space, so it grows in place without a block table. Rows are only appended; a posting is
/// rewritten as the child or the children of its location (`LocationSplit`).
///
/// Invariants:
/// - Rows 0 ..< `rows` have been written. Those whose tag is not their point's any more are stale.
/// - `live` counts the points whose record names this location.
public struct Posting: Equatable, Sendable {
    public let location: LocationID
    public let generation: UInt32
    public let extent: UInt32
    public internal(set) var rows = 0
    public internal(set) var live = 0

    /// Virtual rows of an extent. Virtual space is free; a posting splits long before it is full.
    static let extentRows = 16384

    var isFull: Bool { rows >= Self.extentRows }
}

/// Where rows of a posting lie: a run of rows within one page.
public struct RowRun: Equatable, Sendable {
    public let address: PageAddress
    public let firstRow: Int
    public let count: Int
    /// Of the first row in the page.
    public let offset: Int
}

/// The arithmetic from rows and cells to pages. Plain numbers, so that a copy costs nothing.
public struct PostingGeometry: Sendable, BitwiseCopyable {
    let partition: PartitionIndex
    let codeRowBytes: Int
    private let codeSpace: SpaceID
    private let vectorSpace: SpaceID
    private let codesPerPage: Int
    private let codePageBytes: Int
    private let rowBytes: Int
    private let rowsPerPage: Int
    private let vectorPageBytes: Int

    init(_ collection: CollectionDefinition, partition: PartitionIndex, codeRowBytes: Int) {
        codeSpace = collection.codeSpace
        vectorSpace = collection.vectorSpace
        self.partition = partition
        self.codeRowBytes = codeRowBytes
        codePageBytes = collection.codePageBytes
        codesPerPage = codePageBytes / codeRowBytes
        rowBytes = collection.rowBytes
        vectorPageBytes = collection.vectorPageBytes
        rowsPerPage = vectorPageBytes / rowBytes
        precondition(codesPerPage > 0, "a code fits a page")
    }

    private func codePage(extent: UInt32, row: Int) -> PageAddress {
        let pagesPerExtent = UInt64((Posting.extentRows + codesPerPage - 1) / codesPerPage)
        return PageAddress(
            space: codeSpace, partition: partition,
            page: UInt64(extent) * pagesPerExtent + UInt64(row / codesPerPage))
    }

    /// The pages of a posting's rows from one on, in their order.
    public func forEachRun(
        of posting: Posting, from first: Int, _ body: (RowRun) -> Void
    ) {
        var row = first
        while row < posting.rows {
            let within = row % codesPerPage
            let count = min(codesPerPage - within, posting.rows - row)
            body(
                RowRun(
                    address: codePage(extent: posting.extent, row: row), firstRow: row,
                    count: count, offset: within * codeRowBytes))
            row += count
        }
    }

    /// Whole rows of codes from a row on, a write for each page.
    func codeWrites(_ codes: Bytes, extent: UInt32, from first: Int) -> [PageWrite] {
        let end = first + codes.count / codeRowBytes
        var writes: [PageWrite] = []
        var row = first
        while row < end {
            let within = row % codesPerPage
            let count = min(codesPerPage - within, end - row)
            let start = (row - first) * codeRowBytes
            writes.append(
                PageWrite(
                    address: codePage(extent: extent, row: row), pageBytes: codePageBytes,
                    offset: within * codeRowBytes,
                    bytes: codes.slice(start..<(start + count * codeRowBytes))))
            row += count
        }
        return writes
    }

    /// Page and byte of a cell's vector.
    public func vectorPlace(of cell: CellNumber) -> (address: PageAddress, offset: Int) {
        let (page, within) = Int(cell).quotientAndRemainder(dividingBy: rowsPerPage)
        return (
            PageAddress(
                space: vectorSpace, partition: partition, page: UInt64(page)),
            within * rowBytes
        )
    }

    func vectorWrite(_ vector: Bytes, cell: CellNumber) -> PageWrite {
        let place = vectorPlace(of: cell)
        return PageWrite(
            address: place.address, pageBytes: vectorPageBytes, offset: place.offset, bytes: vector)
    }
}
