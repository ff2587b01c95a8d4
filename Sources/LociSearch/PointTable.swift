public import LociBase
import LociKernels
import LociModel

/// Number of a stored point's row of `vectorSpace`: dense, and used again after the point is gone.
public typealias CellNumber = UInt32

/// Where a stored point is, and what it is.
public struct PointRecord: Equatable, Sendable, BitwiseCopyable {
    public var id: PointID
    public var version: UInt64
    /// The hard location whose posting counts it.
    public var location: LocationID
    /// Of its codes. A row of a posting with another tag is stale.
    public var tag: UInt32
    /// Byte of the payload space at which the payload starts, and its length.
    public var payloadOffset: UInt64
    public var payloadBytes: UInt32
    public var isLive: Bool
    /// One of a point's copies is the primary one: it is the one that is counted and scrolled.
    public var isPrimary: Bool
}

/// The points of a slice by cell and by id: 40 bytes a point for the records, and 6 to 11 for the
/// hash table of cells, open addressed with linear probing.
///
/// Invariants:
/// - `slots` holds `cell + 1` of every live record once, 0 elsewhere; a record lies behind its
///   home slot with no empty slot between.
/// - The tag of a cell only grows, so that codes of a point that is gone never come back.
/// - Cells are given out in the same order for the same calls.
public struct PointTable: Sendable {
    public private(set) var records: [PointRecord] = []
    private var freeCells: [CellNumber] = []
    private var slots: [CellNumber] = Array(repeating: 0, count: 16)
    public private(set) var count = 0

    public init() {}

    /// One past the highest cell that was ever used.
    public var cellCount: Int { records.count }

    public subscript(cell: CellNumber) -> PointRecord { records[Int(cell)] }

    public func cell(of id: PointID) -> CellNumber? {
        var slot = home(of: id)
        while slots[slot] != 0 {
            if records[Int(slots[slot] - 1)].id == id { return slots[slot] - 1 }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    public func record(of id: PointID) -> PointRecord? { cell(of: id).map { self[$0] } }

    /// Whether a row of a posting is the current code of a point.
    public func isCurrent(_ cell: CellNumber, tag: UInt32) -> Bool {
        let cell = Int(cell)
        return cell < records.count && records[cell].tag == tag && records[cell].isLive
    }

    /// Brings the records of codes that were found towards the processor, to be called a moment
    /// before they are looked at.
    func fetch(_ found: [CodeCandidate]) { Kernels.fetchCells(of: found, in: records) }

    /// Cells of live records, ascending.
    public var cells: [CellNumber] {
        records.indices.lazy.filter { self.records[$0].isLive }.map(CellNumber.init)
    }

    public var ids: [PointID] { records.lazy.filter(\.isLive).map(\.id) }

    var memoryBytes: Int {
        records.count * MemoryLayout<PointRecord>.stride + slots.count * 4 + freeCells.count * 4
    }

    // MARK: Changes

    /// Takes a cell for a point that is not there yet. Its tag is new.
    mutating func insert(_ point: PointRecord) -> CellNumber {
        if (count + 1) * 4 > slots.count * 3 { grow() }
        var point = point
        let cell: CellNumber
        if let free = freeCells.popLast() {
            cell = free
            point.tag = records[Int(cell)].tag
            records[Int(cell)] = point
        } else {
            cell = CellNumber(records.count)
            records.append(point)
        }
        place(cell)
        count += 1
        return cell
    }

    /// Frees the cell of a point.
    mutating func remove(_ cell: CellNumber) {
        var slot = home(of: records[Int(cell)].id)
        while slots[slot] != cell + 1 { slot = (slot + 1) & (slots.count - 1) }
        records[Int(cell)].isLive = false
        records[Int(cell)].tag &+= 1
        freeCells.append(cell)
        count -= 1
        closeGap(at: slot)
    }

    mutating func move(_ cell: CellNumber, to location: LocationID) {
        records[Int(cell)].location = location
    }

    /// Makes all codes of the point stale. Returns the tag of the next ones.
    mutating func retag(_ cell: CellNumber) -> UInt32 {
        records[Int(cell)].tag &+= 1
        return records[Int(cell)].tag
    }

    // MARK: Hashing

    private func home(of id: PointID) -> Int { Int(mix64(id) & UInt64(slots.count - 1)) }

    private mutating func place(_ cell: CellNumber) {
        var slot = home(of: records[Int(cell)].id)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = cell + 1
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for cell in records.indices where records[cell].isLive { place(CellNumber(cell)) }
    }

    /// Moves back what would not be found any more behind an empty slot.
    private mutating func closeGap(at start: Int) {
        let mask = slots.count - 1
        var gap = start
        var slot = (gap + 1) & mask
        while slots[slot] != 0 {
            let home = home(of: records[Int(slots[slot] - 1)].id)
            if (slot &- home) & mask >= (slot &- gap) & mask {
                slots[gap] = slots[slot]
                gap = slot
            }
            slot = (slot + 1) & mask
        }
        slots[gap] = 0
    }

    // MARK: Snapshot

    func write(to writer: inout ByteWriter) {
        writer.write(array: records.map(\.id))
        writer.write(array: records.map(\.version))
        writer.write(array: records.map(\.location))
        writer.write(array: records.map(\.tag))
        writer.write(array: records.map(\.payloadOffset))
        writer.write(array: records.map(\.payloadBytes))
        writer.write(array: records.map { ($0.isLive ? 1 : 0) | ($0.isPrimary ? 2 : 0) as UInt8 })
        writer.write(array: freeCells)
    }

    init(from reader: inout ByteReader) throws(TruncatedBytes) {
        let ids: [PointID] = try reader.readArray()
        let versions: [UInt64] = try reader.readArray()
        let locations: [LocationID] = try reader.readArray()
        let tags: [UInt32] = try reader.readArray()
        let offsets: [UInt64] = try reader.readArray()
        let lengths: [UInt32] = try reader.readArray()
        let flags: [UInt8] = try reader.readArray()
        freeCells = try reader.readArray()
        let counts = [
            versions.count, locations.count, tags.count, offsets.count, lengths.count, flags.count,
        ]
        guard counts.allSatisfy({ $0 == ids.count }),
            freeCells.allSatisfy({ Int($0) < ids.count && flags[Int($0)] & 1 == 0 }),
            Set(freeCells).count == freeCells.count
        else { throw TruncatedBytes(position: reader.position) }
        records.reserveCapacity(ids.count)
        for cell in ids.indices {
            records.append(
                PointRecord(
                    id: ids[cell], version: versions[cell], location: locations[cell],
                    tag: tags[cell], payloadOffset: offsets[cell], payloadBytes: lengths[cell],
                    isLive: flags[cell] & 1 != 0, isPrimary: flags[cell] & 2 != 0))
        }
        count = flags.count { $0 & 1 != 0 }
        var capacity = 16
        while count * 4 > capacity * 3 { capacity *= 2 }
        slots = Array(repeating: 0, count: capacity)
        for cell in records.indices where records[cell].isLive { place(CellNumber(cell)) }
    }
}
