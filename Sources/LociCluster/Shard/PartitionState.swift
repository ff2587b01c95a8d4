public import LociBase
public import LociModel
public import LociSearch

/// All that a partition knows. A state machine over the log: `apply` is called with every record,
/// in the log's order, live and in recovery alike, and the same records lead to the same state.
///
/// Invariants:
/// - `slices` holds a slice for each collection of the catalog, and no other.
/// - The state holds no clock, no random and nothing that was not in a record.
public struct PartitionState: Sendable {
    public let partition: PartitionIndex
    private let partitions: Int
    public let tuning: SearchTuning
    public private(set) var catalog = Catalog()
    public internal(set) var slices: [SpaceID: CollectionSlice] = [:]
    private var geometries: [SpaceID: FieldGeometry] = [:]

    /// - Parameter partitions: Partitions of the whole cluster.
    public init(partition: PartitionIndex, partitions: Int, tuning: SearchTuning) {
        self.partition = partition
        self.partitions = partitions
        self.tuning = tuning
    }

    /// What applying a record leads to, beside the new state.
    public struct Effects: Sendable {
        public var writes: [PageWrite] = []
        /// Codes appended to postings, of the collection that the record is about.
        public var placed: [PlacedRow] = []
        /// Spaces that are gone: their files can go too.
        public var dropped: [SpaceID] = []
        /// Things that a verb counts: cells written, points put, primary copies removed.
        public var count: UInt64 = 0

        public init() {}
    }

    public mutating func apply(_ record: LogRecord, effects: inout Effects) {
        switch record {
        case .install(let newer): install(newer, effects: &effects)
        case .cells(let space, let cells, let bytes):
            writeCells(space, cells, bytes, effects: &effects)
        case .claim(let space, let sequence, let ids, let targets):
            slices[space]?.claim(ids, targets: targets, sequence: sequence)
        case .settle(let space, let sequence, let ids, let targets):
            slices[space]?.settle(ids, targets: targets, sequence: sequence)
        case .put(let space, let sequence, let generation, let points):
            put(space, version: sequence, generation, points, effects: &effects)
        case .remove(let space, let sequence, let ids):
            for id in ids where slices[space]?.remove(id, below: sequence) ?? false {
                effects.count += 1
            }
        case .plant(let space, let generation, let centroids):
            slices[space]?.plant(centroids, generation: generation)
        case .split(let space, let split):
            change(space, &effects) { $0.split(split, effects: &$1) }
        case .move(let space, let move):
            change(space, &effects) { $0.move(move, effects: &$1) }
        }
    }

    private mutating func change(
        _ space: SpaceID, _ effects: inout Effects,
        _ verb: (inout CollectionSlice, inout SliceEffects) -> Void
    ) {
        var own = SliceEffects()
        if slices[space] != nil { verb(&slices[space]!, &own) }
        effects.writes += own.writes
        effects.placed += own.placed
    }

    private mutating func install(_ newer: Catalog, effects: inout Effects) {
        guard newer.version > catalog.version else { return }
        let fields = Set(newer.fields.map(\.space))
        let collections = Set(newer.collections.map(\.space))
        effects.dropped += catalog.fields.map(\.space).filter { !fields.contains($0) }
        let memories = Set(newer.memories.map(\.space))
        effects.dropped += catalog.memories.map(\.space).filter { !memories.contains($0) }
        for gone in catalog.collections where !collections.contains(gone.space) {
            effects.dropped += [gone.vectorSpace, gone.payloadSpace, gone.codeSpace]
            slices[gone.space] = nil
        }
        catalog = newer
        setGeometries()
        for collection in newer.collections where slices[collection.space] == nil {
            slices[collection.space] = CollectionSlice(
                collection, partition: partition, tuning: tuning)
        }
    }

    private mutating func setGeometries() {
        geometries = [:]
        for field in catalog.fields {
            geometries[field.space] = FieldGeometry(field, partitions: partitions)
        }
        for memory in catalog.memories {
            geometries[memory.space] = FieldGeometry(memory, partitions: partitions)
        }
    }

    private func writeCells(
        _ space: SpaceID, _ cells: [CellIndex], _ bytes: Bytes, effects: inout Effects
    ) {
        guard let geometry = geometries[space] else { return }
        let cellBytes = geometry.cellBytes
        var index = 0
        while index < cells.count {
            let place = geometry.place(of: cells[index])
            var end = index + 1
            while end < cells.count, cells[end] == cells[end - 1] + 1,
                cells[end] % geometry.cellsPerPage != 0
            {
                end += 1
            }
            var part = bytes.slice((index * cellBytes)..<(end * cellBytes))
            let rest = geometry.pageBytes - part.count
            if rest > 0, end - index == Int(geometry.cellsPerPage) {
                // Nothing of the page is kept, so that one that is damaged is whole again.
                part = Bytes.joined([part, Bytes(zeros: rest)])
            }
            effects.writes.append(
                PageWrite(
                    address: place.address, pageBytes: geometry.pageBytes, offset: place.offset,
                    bytes: part))
            index = end
        }
        effects.count += UInt64(cells.count)
    }

    private mutating func put(
        _ space: SpaceID, version: UInt64, _ generation: UInt32, _ points: PutPoints,
        effects: inout Effects
    ) {
        guard let rowBytes = slices[space]?.definition.rowBytes else { return }
        change(space, &effects) { slice, effects in
            for (index, id) in points.ids.enumerated() {
                slice.put(
                    id, version: version, generation: generation,
                    isPrimary: points.isPrimary[index] != 0,
                    vector: points.vectors.slice((index * rowBytes)..<((index + 1) * rowBytes)),
                    payload: points.payloads[index], effects: &effects)
            }
        }
        effects.count += UInt64(points.ids.count)
    }

    // MARK: Snapshot

    /// The whole state as bytes.
    public var snapshot: Bytes {
        var writer = ByteWriter()
        writer.write(LociVersion.format)
        writer.write(catalog.encoded)
        for space in slices.keys.sorted() { slices[space]!.write(to: &writer) }
        return writer.finished
    }

    /// - Throws: DATA_LOSS when the bytes are not a snapshot of this version.
    public init(
        partition: PartitionIndex, partitions: Int, tuning: SearchTuning, snapshot: Bytes
    ) throws(LociError) {
        self.init(partition: partition, partitions: partitions, tuning: tuning)
        do {
            var reader = ByteReader(snapshot)
            guard try reader.read(UInt32.self) == LociVersion.format else {
                throw TruncatedBytes(position: 0)
            }
            catalog = try Catalog(encoded: try reader.readBytes())
            setGeometries()
            for collection in catalog.collections.sorted(by: { $0.space < $1.space }) {
                slices[collection.space] = try CollectionSlice(
                    collection, partition: partition, tuning: tuning, from: &reader)
            }
        } catch {
            throw LociError(
                .dataLoss, "The snapshot of partition \(partition) cannot be read.",
                advice: "Start the version of Loci that wrote the data folder.")
        }
    }
}
