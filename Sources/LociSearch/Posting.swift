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

/// The points at one hard location. Their vectors lie in the posting's own virtual extent, slot by
/// slot, so it grows in place without a block table.
///
/// Invariants:
/// - `ids[slot]` is the point whose vector is in the slot, or meaningless where `isLive[slot]` is
///   false; `liveCount` counts the live ones.
/// - `stamp` changes whenever a slot does.
public struct Posting: Equatable, Sendable {
    public let location: LocationID
    public let generation: UInt32
    public let extent: UInt32
    public internal(set) var ids: [PointID] = []
    public internal(set) var isLive: [Bool] = []
    public internal(set) var liveCount = 0
    public internal(set) var stamp: UInt64 = 0

    /// Virtual rows of an extent. Virtual space is free; a posting splits long before it is full.
    static let extentRows = 16384

    var isFull: Bool { liveCount >= Self.extentRows }

    mutating func take(_ id: PointID) -> Int {
        stamp += 1
        liveCount += 1
        if liveCount <= ids.count, let hole = isLive.firstIndex(of: false) {
            ids[hole] = id
            isLive[hole] = true
            return hole
        }
        precondition(ids.count < Self.extentRows, "a posting outgrew its extent")
        ids.append(id)
        isLive.append(true)
        return ids.count - 1
    }

    mutating func free(_ slot: Int) {
        stamp += 1
        liveCount -= 1
        isLive[slot] = false
    }
}

/// Where rows of a posting lie: a run of slots within one page.
public struct RowRun: Equatable, Sendable {
    public let address: PageAddress
    public let firstSlot: Int
    public let count: Int
}

/// The arithmetic from slots to pages.
struct PostingGeometry: Sendable {
    let space: SpaceID
    let partition: PartitionIndex
    let rowBytes: Int
    let rowsPerPage: Int
    let pageBytes: Int

    init(_ collection: CollectionDefinition, partition: PartitionIndex) {
        space = collection.vectorSpace
        self.partition = partition
        rowBytes = collection.rowBytes
        rowsPerPage = collection.rowsPerPage
        pageBytes = collection.vectorPageBytes
    }

    private var pagesPerExtent: UInt64 {
        UInt64((Posting.extentRows + rowsPerPage - 1) / rowsPerPage)
    }

    func address(extent: UInt32, slot: Int) -> PageAddress {
        PageAddress(
            space: space, partition: partition,
            page: UInt64(extent) * pagesPerExtent + UInt64(slot / rowsPerPage))
    }

    func runs(of posting: Posting) -> [RowRun] {
        stride(from: 0, to: posting.ids.count, by: rowsPerPage).map { slot in
            RowRun(
                address: address(extent: posting.extent, slot: slot), firstSlot: slot,
                count: min(rowsPerPage, posting.ids.count - slot))
        }
    }

    func write(_ row: Bytes, extent: UInt32, slot: Int) -> PageWrite {
        PageWrite(
            address: address(extent: extent, slot: slot), pageBytes: pageBytes,
            offset: slot % rowsPerPage * rowBytes, bytes: row)
    }

    /// Rows from slot 0 on, a write for each page.
    func writes(rows: [Bytes], extent: UInt32) -> [PageWrite] {
        stride(from: 0, to: rows.count, by: rowsPerPage).map { slot in
            write(
                Bytes.joined(Array(rows[slot..<min(slot + rowsPerPage, rows.count)])),
                extent: extent, slot: slot)
        }
    }
}
