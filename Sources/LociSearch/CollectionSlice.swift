public import LociBase
import LociKernels
public import LociModel

/// What one partition stores of a collection: directory, points, postings and hard locations. A
/// state machine: it changes only through the verbs below, which the log's records call in order,
/// and the same records lead to the same state. Vectors, codes and payloads themselves are in
/// pages; the verbs name the writes.
///
/// Invariants:
/// - Every point's record names a posting, which counts it; and a current row of that posting, or
///   of one that the same record wrote, holds its code.
/// - Every posting has a hard location in `locations`, and the reverse.
/// - `locationsVersion` grows with each hard location that is born or retired.
public struct CollectionSlice: Sendable {
    public let definition: CollectionDefinition
    public let partition: PartitionIndex
    public let coder: PostingCoder
    public internal(set) var directory = Directory()
    public internal(set) var points = PointTable()
    public internal(set) var postings: [LocationID: Posting] = [:]
    public internal(set) var locations: LocationIndex
    public internal(set) var indexes: PayloadIndexes
    public internal(set) var journal = LocationJournal()
    public internal(set) var counters = SliceCounters()
    /// Hard locations whose postings are to be rewritten: they have grown above `splitAbove`, or
    /// hold mostly stale rows.
    public internal(set) var overfull: Set<LocationID> = []
    /// Hard locations with so few points that these should move elsewhere.
    public internal(set) var sparse: Set<LocationID> = []
    /// Grows with every change of points.
    public internal(set) var revision: UInt64 = 0
    private var sortedIDs: [PointID]?
    var nextLocation: LocationID = 0
    var nextExtent: UInt32 = 0
    var freeExtents: [UInt32] = []
    /// End of the payload heap.
    var payloadEnd: UInt64 = 0
    /// For those who ask often: a call to the slice itself may copy it.
    public let geometry: PostingGeometry

    let tuning: SearchTuning

    public init(
        _ definition: CollectionDefinition, partition: PartitionIndex, tuning: SearchTuning
    ) {
        self.definition = definition
        self.partition = partition
        self.tuning = tuning
        coder = PostingCoder(definition)
        // The definition has checked the paths.
        indexes = try! PayloadIndexes(definition.indexedPaths)
        locations = LocationIndex(dimension: definition.dimension)
        geometry = PostingGeometry(
            definition, partition: partition, codeRowBytes: coder.format.rowBytes)
    }

    /// The highest version of a point that is stored.
    public var newestVersion: UInt64 { points.records.lazy.map(\.version).max() ?? 0 }

    public var locationsVersion: UInt64 { journal.version }
    public var primaryCount: Int { Int(counters.primaries) }

    /// A posting with more rows is rewritten. Fewer where vectors are long: a split looks at all of
    /// them at once.
    public var splitAbove: Int {
        min(tuning.splitAbove, max(8, Self.splitBytes / definition.rowBytes))
    }

    /// Standard deviations of a code's error that a bound leaves room for, if nobody says.
    public var standardBound: Float { tuning.bound }

    /// Hard locations around a split one whose points may belong to its children.
    public var reassignNeighbours: Int { tuning.reassignNeighbours }

    /// A posting with fewer points gives them away.
    public var mergeBelow: Int { splitAbove / 8 }

    private static let splitBytes = 2 << 20

    /// The pages of a posting's rows from one on.
    public func runs(of posting: Posting, from first: Int = 0) -> [RowRun] {
        var runs: [RowRun] = []
        geometry.forEachRun(of: posting, from: first) { runs.append($0) }
        return runs
    }

    /// Page and byte of a cell's vector.
    public func vectorPlace(of cell: CellNumber) -> (address: PageAddress, offset: Int) {
        geometry.vectorPlace(of: cell)
    }

    public func key(_ location: LocationID) -> LocationKey {
        LocationKey(partition: partition, location: location)
    }

    // MARK: Verbs of the log

    public mutating func claim(_ ids: [PointID], targets: [[UInt16]], sequence: UInt64) {
        for (id, targets) in zip(ids, targets) {
            directory.claim(id, targets: targets, sequence: sequence)
        }
    }

    public mutating func settle(_ ids: [PointID], targets: [[UInt16]], sequence: UInt64) {
        for (id, targets) in zip(ids, targets) {
            directory.settle(id, targets: targets, sequence: sequence)
        }
    }

    /// Stores a point, in the place of an older version of it. A version that is not newer than
    /// the stored one changes nothing.
    public mutating func put(
        _ id: PointID, version: UInt64, generation: UInt32 = 0, isPrimary: Bool, vector: Bytes,
        payload: Bytes, effects: inout SliceEffects
    ) {
        precondition(vector.count == definition.rowBytes)
        if let cell = points.cell(of: id) {
            guard points[cell].version < version else { return }
            forget(cell)
        }
        let cell = points.insert(
            PointRecord(
                id: id, version: version, location: 0, tag: 0, payloadOffset: payloadEnd,
                payloadBytes: UInt32(payload.count), isLive: true, isPrimary: isPrimary))
        if isPrimary { counters.primaries += 1 }
        sortedIDs = nil
        revision += 1
        indexes.insert(cell: cell, payload: payload)
        effects.writes.append(geometry.vectorWrite(vector, cell: cell))
        place(cell, vector, generation, effects: &effects)
        writePayload(payload, writes: &effects.writes)
    }

    /// Removes a point if its version is lower.
    /// - Returns: Whether a primary copy went.
    public mutating func remove(_ id: PointID, below version: UInt64) -> Bool {
        guard let cell = points.cell(of: id), points[cell].version < version else { return false }
        let isPrimary = points[cell].isPrimary
        forget(cell)
        sortedIDs = nil
        revision += 1
        return isPrimary
    }

    /// Adds empty hard locations of a new generation.
    public mutating func plant(_ centroids: [Float], generation: UInt32) {
        let dimension = definition.dimension
        for start in stride(from: 0, to: centroids.count, by: dimension) {
            _ = addLocation(Array(centroids[start..<(start + dimension)]), generation: generation)
        }
        for posting in postings.values.sorted(by: { $0.location < $1.location })
        where posting.generation < generation && posting.live == 0 {
            retire(posting.location, successors: [])
        }
    }

    /// Replaces a posting by its children. A point that the record does not know stays where it
    /// is, and the location with it: on a machine whose kernels round differently, a replay may
    /// have put it here.
    public mutating func split(_ split: LocationSplit, effects: inout SliceEffects) {
        guard let posting = postings[split.location] else { return }
        var heirs: [LocationID] = []
        for child in split.children {
            let kept = child.cells.indices.filter {
                points.isCurrent(child.cells[$0], tag: child.tags[$0])
            }
            // Nothing is left of it, and others are there to take what comes.
            if kept.isEmpty, split.children.count == 1, hasSiblings(posting) { continue }
            let heir = addLocation(child.centroid, generation: posting.generation)
            heirs.append(heir)
            append(child, kept, from: split.location, to: heir, effects: &effects)
        }
        if split.children.count > 1 { counters.splits += 1 } else { counters.rewrites += 1 }
        if postings[split.location]!.live == 0 {
            retire(split.location, successors: heirs)
        } else {
            review(split.location, hasLost: true)
        }
    }

    private func hasSiblings(_ posting: Posting) -> Bool {
        postings.values.contains {
            $0.generation == posting.generation && $0.location != posting.location
        }
    }

    private mutating func append(
        _ child: LocationSplit.Child, _ kept: [Int], from parent: LocationID,
        to heir: LocationID, effects: inout SliceEffects
    ) {
        let rowBytes = coder.format.rowBytes
        let codes =
            kept.count == child.cells.count
            ? child.codes
            : Bytes.joined(
                kept.map { child.codes.slice(($0 * rowBytes)..<(($0 + 1) * rowBytes)) })
        effects.writes += geometry.codeWrites(codes, extent: postings[heir]!.extent, from: 0)
        postings[heir]!.rows = kept.count
        for index in kept where points[child.cells[index]].location == parent {
            points.move(child.cells[index], to: heir)
            postings[parent]!.live -= 1
            postings[heir]!.live += 1
        }
        review(heir, hasLost: true)
    }

    /// Puts points to the hard locations that are nearest to them now, away from one that is given
    /// up, if one is.
    public mutating func move(_ move: PointMove, effects: inout SliceEffects) {
        counters.evaluated += move.evaluated
        let retiring = move.retiring.flatMap { postings[$0] == nil ? nil : $0 }
        let centroid = retiring.flatMap { locations.centroid(of: key($0)) }
        if let retiring { locations.remove(key(retiring)) }
        var heirs: Set<LocationID> = []
        for (index, cell) in move.cells.enumerated() {
            guard points.isCurrent(cell, tag: move.tags[index]) else { continue }
            let old = points[cell].location
            let generation = postings[old]!.generation
            postings[old]!.live -= 1
            _ = points.retag(cell)
            place(cell, move.vectors[index], generation, effects: &effects)
            counters.moved += 1
            if old != retiring { review(old, hasLost: true) }
            if old == retiring { heirs.insert(points[cell].location) }
        }
        guard let retiring, let centroid else { return }
        locations.insert(
            key(retiring), generation: postings[retiring]!.generation, centroid: centroid)
        if postings[retiring]!.live == 0 {
            counters.merges += 1
            retire(retiring, successors: heirs.sorted())
        } else {
            review(retiring, hasLost: true)
        }
    }

    // MARK: Reading

    /// Ids of all copies here in order, from one on. Sorted once after a change, not for every page
    /// of a scroll.
    public mutating func ids(from first: PointID) -> ArraySlice<PointID> {
        let sorted = sortedIDs ?? points.ids.sorted()
        sortedIDs = sorted
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < first { low = middle + 1 } else { high = middle }
        }
        return sorted[low...]
    }

    /// Ids of primary copies at hard locations of older generations, in order, from one on.
    public func primaries(below generation: UInt32, from first: PointID) -> [PointID] {
        let older = Set(postings.values.lazy.filter { $0.generation < generation }.map(\.location))
        if older.isEmpty { return [] }
        return points.records.lazy
            .filter { $0.isLive && $0.isPrimary && $0.id >= first && older.contains($0.location) }
            .map(\.id).sorted()
    }

    // MARK: Parts of the verbs

    /// Writes the codes of a point to the hard locations that its vector activates.
    private mutating func place(
        _ cell: CellNumber, _ vector: Bytes, _ generation: UInt32, effects: inout SliceEffects
    ) {
        let values = vector.values(Float.self)
        let rotated = coder.rotation.rotate(values)
        let tag = points[cell].tag
        for (rank, location) in homes(of: values, generation).enumerated() {
            let centroid = locations.centroid(of: key(location))!
            let code = coder.code(rotated, around: centroid, cell: cell, tag: tag)
            let row = postings[location]!.rows
            postings[location]!.rows += 1
            effects.writes += geometry.codeWrites(
                code, extent: postings[location]!.extent, from: row)
            effects.placed.append(
                PlacedRow(location: location, cell: cell, tag: tag, vector: vector))
            if rank == 0 {
                points.move(cell, to: location)
                postings[location]!.live += 1
            }
            review(location)
        }
    }

    /// The hard locations for a vector, the nearest first: of the generation by which its partition
    /// was chosen, and not too full. The first vector becomes the first hard location, and so does
    /// one whose posting is full.
    private mutating func homes(of vector: [Float], _ generation: UInt32) -> [LocationID] {
        let near = locations.closure(
            of: vector, generation: generation, most: definition.options.copies,
            epsilon: tuning.closureEpsilon
        ).map(\.key.location)
        guard let nearest = near.first, !postings[nearest]!.isFull else {
            return [addLocation(vector, generation: generation)]
        }
        return near.filter { !postings[$0]!.isFull }
    }

    private mutating func addLocation(_ centroid: [Float], generation: UInt32) -> LocationID {
        let location = nextLocation
        nextLocation += 1
        let extent = freeExtents.popLast() ?? nextExtent
        if extent == nextExtent { nextExtent += 1 }
        postings[location] = Posting(location: location, generation: generation, extent: extent)
        locations.insert(key(location), generation: generation, centroid: centroid)
        journal.born(location)
        return location
    }

    private mutating func retire(_ location: LocationID, successors: [LocationID]) {
        guard let posting = postings.removeValue(forKey: location) else { return }
        locations.remove(key(location))
        overfull.remove(location)
        sparse.remove(location)
        freeExtents.append(posting.extent)
        journal.retired(location, successors: successors)
    }

    private mutating func forget(_ cell: CellNumber) {
        let record = points[cell]
        points.remove(cell)
        indexes.remove(cell: cell)
        if record.isPrimary { counters.primaries -= 1 }
        postings[record.location]!.live -= 1
        let posting = postings[record.location]!
        if posting.live == 0, posting.generation < locations.latestGeneration {
            retire(record.location, successors: [])
        } else {
            review(record.location, hasLost: true)
        }
    }

    // MARK: Payloads

    private mutating func writePayload(_ payload: Bytes, writes: inout [PageWrite]) {
        for piece in payloadPieces(offset: payloadEnd, count: payload.count) {
            let start = piece.start
            writes.append(
                PageWrite(
                    address: piece.address, pageBytes: CollectionDefinition.payloadPageBytes,
                    offset: piece.offset, bytes: payload.slice(start..<(start + piece.count))))
        }
        payloadEnd += UInt64(payload.count)
    }

    /// The pages that a payload lies in, and which part of it in each.
    public func payloadPieces(
        offset: UInt64, count: Int
    ) -> [(address: PageAddress, offset: Int, start: Int, count: Int)] {
        var pieces: [(address: PageAddress, offset: Int, start: Int, count: Int)] = []
        let pageBytes = UInt64(CollectionDefinition.payloadPageBytes)
        var start = 0
        while start < count {
            let at = offset + UInt64(start)
            let within = Int(at % pageBytes)
            let size = min(count - start, Int(pageBytes) - within)
            let address = PageAddress(
                space: definition.payloadSpace, partition: partition, page: at / pageBytes)
            pieces.append((address, within, start, size))
            start += size
        }
        return pieces
    }
}
