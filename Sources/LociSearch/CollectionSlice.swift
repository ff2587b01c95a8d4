public import LociBase
import LociKernels
public import LociModel

/// Where a stored point is, and what it is.
public struct PointRecord: Equatable, Sendable {
    public var version: UInt64
    public var location: LocationID
    public var slot: Int32
    /// One of a point's copies is the primary one: it is the one that is counted and scrolled.
    public var isPrimary: Bool
    /// Byte of the payload space at which the payload starts, and its length.
    public var payloadOffset: UInt64
    public var payloadBytes: UInt32
}

/// What one partition stores of a collection: directory, points, postings and hard locations. A
/// state machine: it changes only through the verbs below, which the log's records call in order,
/// and the same records lead to the same state. Vectors and payloads themselves are in pages; the
/// verbs name the writes.
///
/// Invariants:
/// - Every point's `(location, slot)` is live in its posting and names it, and the reverse.
/// - Every posting has a hard location in `locations`, and the reverse.
/// - `locationsVersion` grows with each hard location that is born or retired.
public struct CollectionSlice: Sendable {
    public let definition: CollectionDefinition
    public let partition: PartitionIndex
    public internal(set) var directory = Directory()
    public internal(set) var points: [PointID: PointRecord] = [:]
    public internal(set) var postings: [LocationID: Posting] = [:]
    public internal(set) var locations: LocationIndex
    public internal(set) var journal = LocationJournal()
    public internal(set) var primaryCount = 0
    /// Hard locations whose postings have grown above `splitAbove`.
    public internal(set) var overfull: Set<LocationID> = []
    private var sortedIDs: [PointID]?
    var nextLocation: LocationID = 0
    var nextExtent: UInt32 = 0
    var freeExtents: [UInt32] = []
    /// End of the payload heap.
    var payloadEnd: UInt64 = 0
    let geometry: PostingGeometry

    let tuning: SearchTuning

    public init(
        _ definition: CollectionDefinition, partition: PartitionIndex, tuning: SearchTuning
    ) {
        self.definition = definition
        self.partition = partition
        self.tuning = tuning
        locations = LocationIndex(dimension: definition.dimension)
        geometry = PostingGeometry(definition, partition: partition)
    }

    public var locationsVersion: UInt64 { journal.version }

    /// A posting with more points is split. Fewer where rows are long: all rows of a posting travel
    /// in one log record.
    public var splitAbove: Int {
        min(tuning.splitAbove, max(8, Self.splitBytes / definition.rowBytes))
    }

    private static let splitBytes = 2 << 20

    public func runs(of posting: Posting) -> [RowRun] { geometry.runs(of: posting) }

    func key(_ location: LocationID) -> LocationKey {
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
        payload: Bytes, writes: inout [PageWrite]
    ) {
        precondition(vector.count == definition.rowBytes)
        if let stored = points[id] {
            guard stored.version < version else { return }
            forget(id, stored)
        }
        let location = home(of: vector.values(Float.self), generation)
        let slot = postings[location]!.take(id)
        if postings[location]!.liveCount > splitAbove { overfull.insert(location) }
        writes.append(geometry.write(vector, extent: postings[location]!.extent, slot: slot))
        points[id] = PointRecord(
            version: version, location: location, slot: Int32(slot), isPrimary: isPrimary,
            payloadOffset: payloadEnd, payloadBytes: UInt32(payload.count))
        if isPrimary { primaryCount += 1 }
        sortedIDs = nil
        writePayload(payload, writes: &writes)
    }

    /// Removes a point if its version is lower.
    /// - Returns: Whether a primary copy went.
    public mutating func remove(_ id: PointID, below version: UInt64) -> Bool {
        guard let stored = points[id], stored.version < version else { return false }
        forget(id, stored)
        points[id] = nil
        sortedIDs = nil
        return stored.isPrimary
    }

    /// Adds empty hard locations of a new generation.
    public mutating func plant(_ centroids: [Float], generation: UInt32) {
        let dimension = definition.dimension
        for start in stride(from: 0, to: centroids.count, by: dimension) {
            _ = addLocation(Array(centroids[start..<(start + dimension)]), generation: generation)
        }
        for posting in postings.values.sorted(by: { $0.location < $1.location })
        where posting.generation < generation && posting.liveCount == 0 {
            retire(posting.location, successors: [])
        }
    }

    /// Replaces a hard location by its children, with the vectors that the record carries. A point
    /// that the record does not know stays where it is, and the location with it: on a machine
    /// whose kernels round differently, a replay may have put it here.
    public mutating func split(_ split: LocationSplit, writes: inout [PageWrite]) {
        guard let posting = postings[split.location] else { return }
        var children: [LocationID] = []
        for child in split.children {
            let location = addLocation(child.centroid, generation: posting.generation)
            var rows: [Bytes] = []
            for (id, vector) in zip(child.ids, child.vectors)
            where points[id]?.location == split.location {
                postings[split.location]!.free(Int(points[id]!.slot))
                points[id]!.location = location
                points[id]!.slot = Int32(postings[location]!.take(id))
                rows.append(vector)
            }
            writes += geometry.writes(rows: rows, extent: postings[location]!.extent)
            children.append(location)
        }
        if postings[split.location]!.liveCount == 0 {
            retire(split.location, successors: children)
        }
    }

    /// Ids of all copies here in order, from one on. Sorted once after a change, not for every page
    /// of a scroll.
    public mutating func ids(from first: PointID) -> ArraySlice<PointID> {
        let sorted = sortedIDs ?? points.keys.sorted()
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
        var found: [PointID] = []
        for posting in postings.values where posting.generation < generation {
            for (id, isLive) in zip(posting.ids, posting.isLive)
            where isLive && id >= first && points[id]!.isPrimary {
                found.append(id)
            }
        }
        return found.sorted()
    }

    /// Page and byte of a stored point's vector.
    public func vectorPlace(of point: PointRecord) -> (address: PageAddress, offset: Int)? {
        guard let posting = postings[point.location] else { return nil }
        let slot = Int(point.slot)
        return (
            geometry.address(extent: posting.extent, slot: slot),
            slot % definition.rowsPerPage * definition.rowBytes
        )
    }

    // MARK: Parts of the verbs

    /// The posting for a new vector: that of the nearest hard location of the generation by which
    /// its partition was chosen. The first vector becomes the first hard location, and so does one
    /// whose posting is full.
    private mutating func home(of vector: [Float], _ generation: UInt32) -> LocationID {
        let generations = locations.generations
        let nearest = locations.address(
            of: vector, metric: .l2, most: 1, epsilon: 0, among: { generations[$0] == generation })
        if let location = nearest.first?.key.location, !postings[location]!.isFull {
            return location
        }
        return addLocation(vector, generation: generation)
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
        freeExtents.append(posting.extent)
        journal.retired(location, successors: successors)
    }

    private mutating func forget(_ id: PointID, _ stored: PointRecord) {
        postings[stored.location]!.free(Int(stored.slot))
        if stored.isPrimary { primaryCount -= 1 }
        let posting = postings[stored.location]!
        if posting.liveCount == 0, posting.generation < locations.latestGeneration {
            retire(stored.location, successors: [])
        }
    }

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

/// A hard location that became too full, cut in two or more. Carries the vectors, so that replaying
/// it needs no page as it was.
public struct LocationSplit: Equatable, Sendable {
    public struct Child: Equatable, Sendable {
        public var centroid: [Float]
        public var ids: [PointID]
        public var vectors: [Bytes]

        public init(centroid: [Float], ids: [PointID], vectors: [Bytes]) {
            self.centroid = centroid
            self.ids = ids
            self.vectors = vectors
        }
    }

    public var location: LocationID
    public var children: [Child]

    public init(location: LocationID, children: [Child]) {
        self.location = location
        self.children = children
    }

    /// Cuts a posting's live rows into balanced parts.
    public init(
        location: LocationID, ids: [PointID], vectors: [Bytes], dimension: Int,
        splitAbove: Int
    ) {
        self.location = location
        var rows: [Float] = []
        rows.reserveCapacity(vectors.count * dimension)
        for vector in vectors { rows += vector.values(Float.self) }
        var bisection = BalancedBisection(
            rows: rows, dimension: dimension, seed: UInt64(location))
        let parts = max(2, (ids.count + splitAbove - 1) / splitAbove)
        children = bisection.split(into: parts).filter { !$0.isEmpty }.map { members in
            Child(
                centroid: bisection.mean(of: members), ids: members.map { ids[$0] },
                vectors: members.map { vectors[$0] })
        }
    }
}
