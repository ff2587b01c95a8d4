import LociBase
public import LociModel
import Synchronization

/// Where a slice may keep pages that are seldom used, and how.
public struct ColdTier: Sendable {
    public let backend: any ExtentBackend
    public let compression: ExtentCompression

    public init(backend: any ExtentBackend, compression: ExtentCompression = .standard) {
        self.backend = backend
        self.compression = compression
    }
}

/// An extent that was read into the place of somebody who looks at its pages.
struct OpenExtent: Sendable {
    let object: any ExtentObject
    let table: ExtentTable
}

/// The cold extents of a slice: the open ones, the least recently used of which are closed, what
/// they all take, and what was done with them.
///
/// Invariants:
/// - An open extent is read through the object that its table came from, also if that was replaced.
final class ExtentStore: Sendable {
    private struct Entry: Sendable {
        let extent: OpenExtent
        var lastUse: UInt64
    }

    private struct State: Sendable {
        var open: [ExtentAddress: Entry] = [:]
        var clock: UInt64 = 0
        /// Grows with every replacement, so that a reader does not put an older object back.
        var changes: UInt64 = 0
        var bytes: [PartitionIndex: [SpaceID: UInt64]] = [:]
        var reads: [ExtentAddress: ColdReads] = [:]
    }

    static let mostOpen = 64
    /// Extents with reads that nobody has asked about yet; reads of others are not counted.
    static let mostCounted = 1 << 14
    private static let blockBytes: UInt64 = 4096

    let tier: ColdTier
    let counters = MigrationCounters()
    private let state = Mutex(State())

    init(_ tier: ColdTier) { self.tier = tier }

    static func folder(_ partition: PartitionIndex) -> String {
        "cold-" + String(partition)
    }

    static func folder(_ space: SpaceID, _ partition: PartitionIndex) -> String {
        folder(partition) + "/" + PartitionPlace.spacePrefix + String(space)
    }

    static let suffix = ".extent"

    static func name(of extent: ExtentAddress) -> String {
        folder(extent.space, extent.partition) + "/" + String(extent.number) + suffix
    }

    func path(of extent: ExtentAddress) -> String { tier.backend.path(of: Self.name(of: extent)) }

    /// - Returns: nil if there is no such extent.
    func open(
        _ address: ExtentAddress, pageBytes: Int, in place: PartitionPlace
    ) throws(StorageError) -> OpenExtent? {
        let (found, changes) = state.withLock { state in
            state.clock += 1
            state.open[address]?.lastUse = state.clock
            return (state.open[address]?.extent, state.changes)
        }
        if let found { return found }
        guard let object = try tier.backend.open(Self.name(of: address)) else { return nil }
        let path = path(of: address)
        let tableBytes = ExtentTable.byteCount(address, pageBytes: pageBytes)
        guard object.byteCount >= tableBytes else {
            throw .corrupt(path: path, what: "its table is cut short")
        }
        let table = try ExtentTable(
            try object.read(at: 0, count: tableBytes), objectBytes: object.byteCount, address,
            pageBytes: pageBytes, path: path, in: place)
        let extent = OpenExtent(object: object, table: table)
        state.withLock { state in
            guard state.changes == changes else { return }
            while state.open.count >= Self.mostOpen {
                let oldest = state.open.min { $0.value.lastUse < $1.value.lastUse }!
                state.open[oldest.key] = nil
            }
            state.open[address] = Entry(extent: extent, lastUse: state.clock)
        }
        return extent
    }

    /// - Parameter replaced: Bytes of the object of that name until now.
    func put(
        _ content: Bytes, as address: ExtentAddress, replaced: Int
    ) throws(StorageError) {
        defer { forget(address) }
        try tier.backend.put(content, as: Self.name(of: address))
        add(content.count, of: address)
        subtract(replaced, of: address)
    }

    func remove(_ address: ExtentAddress, byteCount: Int) throws(StorageError) {
        defer { forget(address) }
        try tier.backend.remove(Self.name(of: address))
        subtract(byteCount, of: address)
    }

    func removeAll(of space: SpaceID, _ partition: PartitionIndex) throws(StorageError) {
        state.withLock { state in
            state.changes += 1
            state.open = state.open.filter {
                $0.key.space != space || $0.key.partition != partition
            }
            state.reads = state.reads.filter {
                $0.key.space != space || $0.key.partition != partition
            }
        }
        try tier.backend.removeFolder(Self.folder(space, partition))
        state.withLock { $0.bytes[partition]?[space] = nil }
    }

    private func forget(_ address: ExtentAddress) {
        state.withLock { state in
            state.changes += 1
            state.open[address] = nil
        }
    }

    // MARK: What they take

    /// Bytes on the tier, in whole blocks. Extents of earlier lives count once they were found.
    var bytes: UInt64 {
        state.withLock { $0.bytes.values.reduce(0) { $0 + $1.values.reduce(0, +) } }
    }

    /// What was found of a partition's extents.
    func setBytes(_ found: [SpaceID: UInt64], of partition: PartitionIndex) {
        state.withLock { $0.bytes[partition] = found }
    }

    private func add(_ byteCount: Int, of extent: ExtentAddress) {
        state.withLock {
            $0.bytes[extent.partition, default: [:]][extent.space, default: 0] +=
                Self.allocated(byteCount)
        }
    }

    private func subtract(_ byteCount: Int, of extent: ExtentAddress) {
        state.withLock { state in
            let held = state.bytes[extent.partition]?[extent.space] ?? 0
            state.bytes[extent.partition, default: [:]][extent.space] =
                held - min(held, Self.allocated(byteCount))
        }
    }

    static func allocated(_ byteCount: Int) -> UInt64 {
        (UInt64(byteCount) + blockBytes - 1) / blockBytes * blockBytes
    }

    // MARK: What was asked of them

    func countReads(_ pages: Int, of extent: ExtentAddress, pageBytes: Int) {
        state.withLock { state in
            guard state.reads[extent] != nil || state.reads.count < Self.mostCounted else { return }
            state.reads[extent, default: ColdReads(extent: extent, pageBytes: pageBytes)].times += 1
            state.reads[extent]!.pages += pages
        }
    }

    func takeReads() -> [ColdReads] {
        state.withLock { state in
            defer { state.reads = [:] }
            return state.reads.values.sorted { $0.extent < $1.extent }
        }
    }
}

/// Reads of a cold extent's pages since somebody asked last.
public struct ColdReads: Equatable, Sendable {
    public let extent: ExtentAddress
    public let pageBytes: Int
    /// Batches that had pages of it.
    public var times = 0
    public var pages = 0
}
