import LociBase
import LociModel
import LociSearch
import Testing

@testable import LociCluster
@testable import LociSearch

/// One partition of one collection beside a dictionary of what it should hold, and the pages that
/// its writes were played onto.
struct PartitionModel {
    struct Stored {
        var version: UInt64
        var vector: [Float]
        var payload: [UInt8]
        var isPrimary: Bool
    }

    static let space: SpaceID = 1

    var random: SeededRandom
    let dimension: Int
    let catalog: Catalog
    let tuning: SearchTuning
    var state: PartitionState
    var truth: [PointID: Stored] = [:]
    var pages: [PageAddress: [UInt8]] = [:]
    /// All records so far, and what each wrote.
    var history: [(record: LogRecord, writes: [PageWrite])] = []
    var version: UInt64 = 0
    var generation: UInt32 = 0

    init(
        dimension: Int, splitAbove: Int, seed: UInt64, options: CollectionOptions = .init()
    ) throws {
        random = SeededRandom(seed: seed)
        self.dimension = dimension
        var catalog = Catalog()
        _ = try catalog.createCollection(
            name: "points", dimension: dimension, metric: .l2, isText: false,
            options: options)
        self.catalog = catalog
        var tuning = SearchTuning()
        tuning.splitAbove = splitAbove
        self.tuning = tuning
        state = PartitionState(partition: 3, partitions: 8, tuning: tuning)
        apply(.install(catalog))
    }

    var slice: CollectionSlice { state.slices[Self.space]! }

    @discardableResult
    mutating func apply(_ record: LogRecord) -> UInt64 {
        var effects = PartitionState.Effects()
        state.apply(record, effects: &effects)
        for write in effects.writes {
            var page = pages[write.address] ?? Array(repeating: 0, count: write.pageBytes)
            page.replaceSubrange(
                write.offset..<(write.offset + write.bytes.count), with: write.bytes.array)
            pages[write.address] = page
        }
        history.append((record, effects.writes))
        return effects.count
    }

    mutating func vector() -> [Float] {
        (0..<dimension).map { _ in Float(random.below(2000) - 1000) / 8 }
    }

    // MARK: Random steps

    mutating func step() {
        switch random.below(20) {
        case 0: plant()
        case 1, 2: splitSome()
        case 3: moveSome()
        case 4...7: remove()
        case 8, 9: claimAndSettle()
        default: put()
        }
    }

    /// Up to five points, sometimes of a version that is too old.
    mutating func put() {
        version += 1
        let putVersion = random.below(8) == 0 ? max(1, version / 2) : version
        var points = PutPoints(ids: [], isPrimary: [], vectors: Bytes(), payloads: [])
        var rows: [Float] = []
        for _ in 0...random.below(5) {
            let id = PointID(random.below(60))
            let length = random.below(12) == 0 ? 17000 : random.below(40)
            let stored = Stored(
                version: putVersion, vector: vector(),
                payload: (0..<length).map { UInt8(truncatingIfNeeded: UInt64($0) &+ id) },
                isPrimary: random.chance(0.7))
            points.ids.append(id)
            points.isPrimary.append(stored.isPrimary ? 1 : 0)
            points.payloads.append(Bytes(stored.payload))
            rows += stored.vector
            if truth[id]?.version ?? 0 < putVersion { truth[id] = stored }
        }
        points.vectors = Bytes(values: rows)
        let placement = random.chance(0.8) ? generation : generation / 2
        apply(
            .put(
                space: Self.space, sequence: putVersion, generation: placement, points: points))
    }

    mutating func remove() {
        version += 1
        let below = random.below(4) == 0 ? version / 2 : version
        let ids = (0..<random.below(6)).map { _ in PointID(random.below(60)) }
        var primaries: UInt64 = 0
        for id in ids {
            guard let stored = truth[id], stored.version < below else { continue }
            if stored.isPrimary { primaries += 1 }
            truth[id] = nil
        }
        let count = apply(.remove(space: Self.space, sequence: below, ids: ids))
        #expect(count == primaries)
    }

    mutating func plant() {
        generation += 1
        let centroids = (0..<(1 + random.below(3))).flatMap { _ in vector() }
        apply(.plant(space: Self.space, generation: generation, centroids: centroids))
    }

    mutating func claimAndSettle() {
        version += 1
        let ids = [PointID(random.below(60))]
        apply(.claim(space: Self.space, sequence: version, ids: ids, targets: [[3, 5]]))
        if random.chance(0.8) {
            apply(.settle(space: Self.space, sequence: version, ids: ids, targets: [[3]]))
        }
    }

    // MARK: Upkeep

    mutating func splitSome(isExact: Bool = false) {
        let slice = slice
        if let location = slice.overfull.min() ?? slice.postings.keys.min() {
            split(location, isExact: isExact)
        }
    }

    /// Gives up a posting, or moves a few points to where they belong now.
    mutating func moveSome() {
        if let location = slice.due.first(where: { !slice.overfull.contains($0) }) {
            giveUp(location)
        } else {
            reassign()
        }
    }

    /// The bytes of a cell's vector.
    func vector(of cell: CellNumber) -> Bytes {
        let place = slice.vectorPlace(of: cell)
        return Bytes(
            Array(pages[place.address]![place.offset..<(place.offset + dimension * 4)]))
    }

    /// The rows of a posting, as its pages say: point, tag and the whole row.
    func rows(_ location: LocationID) -> [(cell: CellNumber, tag: UInt32, code: Bytes)] {
        let slice = slice
        let rowBytes = slice.coder.format.rowBytes
        return slice.runs(of: slice.postings[location]!).flatMap { run in
            (0..<run.count).map { row in
                let start = run.offset + row * rowBytes
                let code = Bytes(Array(pages[run.address]![start..<(start + rowBytes)]))
                let header = slice.coder.header(of: code, at: 0)
                return (header.cell, header.tag, code)
            }
        }
    }

    /// What a shard brings into memory of a posting before it rewrites it.
    func currentRows(_ location: LocationID) -> [SplitRow] {
        rows(location).filter { slice.points.isCurrent($0.cell, tag: $0.tag) }.map {
            SplitRow(cell: $0.cell, tag: $0.tag, vector: vector(of: $0.cell))
        }
    }

    /// Splits a location; one in five records does not know one of its points, one in five knows
    /// one that is elsewhere, and one in five one whose code is out of date.
    mutating func split(_ location: LocationID, isExact: Bool = false) {
        let before = slice
        let rows = currentRows(location)
        var split = LocationSplit(before.postings[location]!, rows: rows, of: before)
        let sizes = split.children.map(\.cells.count)
        #expect(sizes.reduce(0, +) == rows.count)
        #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
        #expect(sizes.allSatisfy { $0 <= before.splitAbove })
        let stranger = !isExact && random.below(5) == 0 ? forget(in: &split.children[0]) : nil
        let foreigner = before.points.cells.first { cell in
            before.points[cell].location != location && !rows.contains { $0.cell == cell }
        }
        if let foreigner, !isExact, random.below(5) == 0 {
            add(foreigner, before.points[foreigner].tag, to: &split.children[0])
        }
        if let old = before.points.cells.first(where: { before.points[$0].tag > 0 }),
            !isExact, random.below(5) == 0
        {
            add(old, before.points[old].tag - 1, to: &split.children[0])
        }
        apply(.split(space: Self.space, split))
        let after = slice
        if let foreigner { #expect(after.points[foreigner] == before.points[foreigner]) }
        let born = Set(after.postings.keys).subtracting(before.postings.keys)
        // A posting with no current row goes without an heir, unless it is the only one.
        let isGone = split.children.count == 1 && born.isEmpty
        #expect(born.count == split.children.count || isGone)
        if isGone {
            let child = split.children[0]
            let current = zip(child.cells, child.tags).filter {
                before.points.isCurrent($0, tag: $1)
            }
            #expect(current.isEmpty && !after.postings.isEmpty)
        }
        for row in rows where before.points[row.cell].location == location {
            let home = after.points[row.cell].location
            #expect(row.cell == stranger ? home == location : born.contains(home))
        }
        if let stranger, before.points[stranger].location == location {
            #expect(after.postings[location] != nil)
        } else {
            #expect(after.postings[location] == nil)
            let heirs = after.journal.heirs(of: location) { after.postings[$0] != nil }
            #expect(Set(heirs) == born)
        }
    }

    /// Takes a point out of a child, as if the record did not know it.
    private func forget(in child: inout LocationSplit.Child) -> CellNumber? {
        guard let cell = child.cells.popLast() else { return nil }
        child.tags.removeLast()
        let rowBytes = slice.coder.format.rowBytes
        child.codes = child.codes.slice(0..<(child.codes.count - rowBytes))
        return cell
    }

    private func add(_ cell: CellNumber, _ tag: UInt32, to child: inout LocationSplit.Child) {
        let row = SplitRow(cell: cell, tag: tag, vector: vector(of: cell))
        child.cells.append(cell)
        child.tags.append(tag)
        child.codes = Bytes.joined([
            child.codes, slice.coder.codes([row], around: child.centroid),
        ])
    }

    /// Gives up a posting; one in four records does not know one of its points.
    mutating func giveUp(_ location: LocationID) {
        let before = slice
        var move = PointMove(before.postings[location]!, rows: currentRows(location), of: before)
        #expect(move.cells.count == before.postings[location]!.live)
        var stranger: CellNumber?
        if random.below(4) == 0, let cell = move.cells.popLast() {
            stranger = cell
            move.tags.removeLast()
            move.vectors.removeLast()
        }
        apply(.move(space: Self.space, move))
        let after = slice
        for cell in move.cells { checkHome(of: cell, except: location) }
        if let stranger {
            #expect(after.points[stranger] == before.points[stranger])
            #expect(
                after.postings[location] != nil && after.counters.merges == before.counters.merges)
        } else {
            #expect(after.postings[location] == nil)
            let heirs = after.journal.heirs(of: location) { after.postings[$0] != nil }
            #expect(Set(heirs) == Set(move.cells.map { after.points[$0].location }))
        }
    }

    /// Moves a few points, some of which have changed since the record was made.
    mutating func reassign() {
        let before = slice
        var move = PointMove(cells: [], tags: [], vectors: [], retiring: nil, evaluated: 7)
        var outdated: [CellNumber] = []
        for cell in before.points.cells where random.below(6) == 0 {
            let isOutdated = before.points[cell].tag > 0 && random.below(4) == 0
            move.cells.append(cell)
            move.tags.append(before.points[cell].tag - (isOutdated ? 1 : 0))
            move.vectors.append(vector(of: cell))
            if isOutdated { outdated.append(cell) }
        }
        apply(.move(space: Self.space, move))
        for cell in outdated { #expect(slice.points[cell] == before.points[cell]) }
        #expect(slice.counters.evaluated == before.counters.evaluated + 7)
        for cell in move.cells where !outdated.contains(cell) { checkHome(of: cell, except: nil) }
    }

    /// A point that was placed is at the nearest hard location of its generation.
    private func checkHome(of cell: CellNumber, except gone: LocationID?) {
        let slice = slice
        let home = slice.postings[slice.points[cell].location]!
        let values = vector(of: cell).values(Float.self)
        func distance(_ location: LocationID) -> Float {
            zip(slice.locations.centroid(of: slice.key(location))!, values).reduce(0) {
                $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
            }
        }
        let least = slice.postings.values
            .filter { $0.generation == home.generation && $0.location != gone }
            .map { distance($0.location) }.min()!
        #expect(distance(home.location) <= least * 1.0001)
    }

    // MARK: Checks

    func check() {
        let slice = slice
        #expect(Set(slice.points.ids) == Set(truth.keys) && slice.points.count == truth.count)
        #expect(slice.primaryCount == truth.values.count { $0.isPrimary })
        checkPostings(slice)
        var homes: [LocationID: Set<CellNumber>] = [:]
        for (location, posting) in slice.postings {
            let current = rows(location).filter { slice.points.isCurrent($0.cell, tag: $0.tag) }
            homes[location] = Set(current.map(\.cell))
            #expect(homes[location]!.count == current.count, "a point is twice in a posting")
            let centroid = slice.locations.centroid(of: slice.key(location))!
            for row in current {
                let rotated = slice.coder.rotation.rotate(vector(of: row.cell).values(Float.self))
                let code = slice.coder.code(
                    rotated, around: centroid, cell: row.cell, tag: row.tag)
                #expect(row.code == code, "a code of cell \(row.cell) at \(posting.location)")
            }
        }
        for (id, stored) in truth { check(id, stored, slice, homes) }
    }

    private func checkPostings(_ slice: CollectionSlice) {
        for (location, posting) in slice.postings {
            let live = slice.points.cells.count { slice.points[$0].location == location }
            #expect(posting.live == live)
            let isStale =
                slice.definition.options.copies == 1
                && 2 * posting.rows > 3 * live + slice.splitAbove / 4
            let isDue = posting.rows > slice.splitAbove || isStale
            #expect(slice.overfull.contains(location) == isDue)
            #expect(slice.runs(of: posting).reduce(0) { $0 + $1.count } == posting.rows)
        }
        #expect(slice.postings.values.reduce(0) { $0 + $1.live } == truth.count)
        #expect(Set(slice.postings.values.map(\.extent)).count == slice.postings.count)
        #expect(Set(slice.locations.keys.map(\.location)) == Set(slice.postings.keys))
        #expect(slice.locations.count == slice.postings.count)
        #expect(slice.sparse.isSubset(of: slice.postings.keys))
        #expect(slice.sparse.allSatisfy { slice.postings[$0]!.live < slice.mergeBelow })
    }

    /// The physical truth: the bytes in the pages where the state says they are.
    private func check(
        _ id: PointID, _ stored: Stored, _ slice: CollectionSlice,
        _ homes: [LocationID: Set<CellNumber>]
    ) {
        guard let cell = slice.points.cell(of: id) else {
            Issue.record("point \(id) is nowhere")
            return
        }
        let point = slice.points[cell]
        #expect(point.id == id && point.version == stored.version)
        #expect(point.isPrimary == stored.isPrimary)
        #expect(homes[point.location]?.contains(cell) == true, "point \(id) has no code")
        #expect(vector(of: cell).values(Float.self) == stored.vector)
        var payload: [UInt8] = []
        for piece in slice.payloadPieces(
            offset: point.payloadOffset, count: Int(point.payloadBytes))
        {
            payload += pages[piece.address]![piece.offset..<(piece.offset + piece.count)]
        }
        #expect(payload == stored.payload)
    }
}
