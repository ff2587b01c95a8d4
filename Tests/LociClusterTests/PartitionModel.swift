import LociBase
import LociModel
import LociSearch
import Testing

@testable import LociCluster

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

    init(dimension: Int, splitAbove: Int, seed: UInt64) throws {
        random = SeededRandom(seed: seed)
        self.dimension = dimension
        var catalog = Catalog()
        _ = try catalog.createCollection(
            name: "points", dimension: dimension, metric: .l2, isText: false)
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
        case 1...3: splitSome()
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

    mutating func splitSome() {
        let slice = slice
        let overfull = slice.overfull.sorted()
        if let location = overfull.first ?? slice.postings.keys.sorted().first {
            split(location)
        }
    }

    /// The record that a shard makes of a posting, from its pages.
    func makeSplit(_ location: LocationID) -> LocationSplit {
        let slice = slice
        let posting = slice.postings[location]!
        var ids: [PointID] = []
        var vectors: [Bytes] = []
        for run in slice.runs(of: posting) {
            for slot in run.firstSlot..<(run.firstSlot + run.count) where posting.isLive[slot] {
                let start = (slot - run.firstSlot) * slice.definition.rowBytes
                let row = pages[run.address]![start..<(start + slice.definition.rowBytes)]
                ids.append(posting.ids[slot])
                vectors.append(Bytes(Array(row)))
            }
        }
        return LocationSplit(
            location: location, ids: ids, vectors: vectors, dimension: dimension,
            splitAbove: slice.splitAbove)
    }

    /// Splits a location; one in five records does not know one of its points, and one in five
    /// knows one that is elsewhere.
    mutating func split(_ location: LocationID) {
        let slice = slice
        var split = makeSplit(location)
        let members = split.children.flatMap(\.ids)
        let sizes = split.children.map(\.ids.count)
        #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
        #expect(sizes.allSatisfy { $0 <= max(1, slice.splitAbove) })
        var stranger: PointID?
        if members.count > 2, random.below(5) == 0 {
            stranger = split.children[0].ids.removeLast()
            split.children[0].vectors.removeLast()
        }
        let foreigner = slice.points.filter { $0.value.location != location }.keys.min()
        if let foreigner, !split.children.isEmpty, random.below(5) == 0 {
            split.children[0].ids.append(foreigner)
            split.children[0].vectors.append(Bytes(values: vector()))
        }
        apply(.split(space: Self.space, split))
        let after = self.slice
        if let foreigner { #expect(after.points[foreigner] == slice.points[foreigner]) }
        let born = Set(after.postings.keys).subtracting(slice.postings.keys)
        #expect(born.count == split.children.count)
        let homes = Set(members.filter { $0 != stranger }.map { after.points[$0]!.location })
        #expect(homes.isSubset(of: born))
        if let stranger {
            #expect(after.points[stranger] == slice.points[stranger])
            #expect(after.postings[location] != nil)
        } else {
            #expect(after.postings[location] == nil)
            let heirs = after.journal.heirs(of: location) { after.postings[$0] != nil }
            #expect(Set(heirs) == born)
        }
    }

    // MARK: Checks

    func check() {
        let slice = slice
        #expect(Set(slice.points.keys) == Set(truth.keys))
        #expect(slice.primaryCount == truth.values.count { $0.isPrimary })
        for (id, stored) in truth { check(id, stored, slice) }
        for (location, posting) in slice.postings {
            #expect(posting.liveCount == posting.isLive.count { $0 })
            #expect(slice.overfull.contains(location) || posting.liveCount <= slice.splitAbove)
            #expect(slice.runs(of: posting).reduce(0) { $0 + $1.count } == posting.ids.count)
        }
        #expect(slice.postings.values.reduce(0) { $0 + $1.liveCount } == truth.count)
        #expect(Set(slice.postings.values.map(\.extent)).count == slice.postings.count)
        #expect(Set(slice.locations.keys.map(\.location)) == Set(slice.postings.keys))
        #expect(slice.locations.count == slice.postings.count)
        #expect(slice.overfull.isSubset(of: slice.postings.keys))
    }

    /// The physical truth: the bytes in the pages where the state says they are.
    private func check(_ id: PointID, _ stored: Stored, _ slice: CollectionSlice) {
        guard let point = slice.points[id], let posting = slice.postings[point.location],
            let place = slice.vectorPlace(of: point)
        else {
            Issue.record("point \(id) is nowhere")
            return
        }
        #expect(posting.isLive[Int(point.slot)] && posting.ids[Int(point.slot)] == id)
        #expect(point.version == stored.version && point.isPrimary == stored.isPrimary)
        let end = place.offset + slice.definition.rowBytes
        let row = pages[place.address].map { Bytes(Array($0[place.offset..<end])) }
        #expect(row?.values(Float.self) == stored.vector)
        var payload: [UInt8] = []
        for piece in slice.payloadPieces(
            offset: point.payloadOffset, count: Int(point.payloadBytes))
        {
            payload += pages[piece.address]![piece.offset..<(piece.offset + piece.count)]
        }
        #expect(payload == stored.payload)
    }
}
