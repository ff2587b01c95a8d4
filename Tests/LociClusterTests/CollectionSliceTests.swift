import LociBase
import LociModel
import LociSearch
import Testing

@testable import LociCluster
@testable import LociSearch

@Suite struct CollectionSliceTests {
    /// Random puts, replacements, removals, plantings, splits, moves and postings given up; long
    /// codes, so that a posting has several pages, as well as short ones.
    @Test(
        arguments: [
            (2, .init()), (2, .init(codeBits: 1)), (2, .init(codeBits: 8, copies: 2)),
            (2, .init(copies: 8)), (3, .init(codeBits: 3)), (2048, .init(codeBits: 8)),
            (2048, .init(codeBits: 8, copies: 3)),
        ] as [(Int, CollectionOptions)])
    func everyPointIsWhereTheStateAndThePagesSay(
        dimension: Int, options: CollectionOptions
    ) throws {
        let seed = UInt64(dimension * 100 + options.codeBits * 10 + options.copies)
        // With 17 rows and more, postings with 2 points are sparse.
        var model = try PartitionModel(
            dimension: dimension, splitAbove: 17, seed: seed, options: options)
        for step in 0..<(dimension == 2 ? 400 : 120) {
            model.step()
            if step % 7 == 0 { model.check() }
        }
        model.check()
        let primaries = model.truth.filter(\.value.isPrimary).keys.sorted()
        var slice = model.slice
        #expect(slice.primaries(below: .max, from: 0) == primaries)
        #expect(Array(slice.ids(from: 0)) == model.truth.keys.sorted())
        for first in PointID(0)...61 {
            #expect(slice.primaries(below: .max, from: first) == primaries.filter { $0 >= first })
            #expect(
                Array(slice.ids(from: first)) == model.truth.keys.sorted().filter { $0 >= first })
        }
        #expect(model.generation > 0 && model.slice.journal.version > 10)
        let counters = model.slice.counters
        #expect(counters.splits + counters.rewrites > 5 && counters.moved > 10)
    }

    /// One replica applies every record; the other is stopped at random moments and goes on from a
    /// snapshot. They write the same bytes to the same places and end in the same state.
    @Test(arguments: 1...4) func aRestartChangesNothing(seed: UInt64) throws {
        var model = try PartitionModel(
            dimension: 2, splitAbove: 17, seed: seed, options: .init(copies: Int(seed)))
        for _ in 0..<300 { model.step() }
        var random = SeededRandom(seed: seed)
        var replica = PartitionState(partition: 3, partitions: 8, tuning: model.tuning)
        for (record, writes) in model.history {
            var effects = PartitionState.Effects()
            replica.apply(try LogRecord(encoded: record.encoded), effects: &effects)
            #expect(effects.writes == writes)
            if random.below(25) == 0 {
                let snapshot = replica.snapshot
                replica = try PartitionState(
                    partition: 3, partitions: 8, tuning: model.tuning, snapshot: snapshot)
                #expect(replica.snapshot == snapshot)
            }
        }
        #expect(replica.snapshot == model.state.snapshot)
    }

    /// Recovery may begin at a snapshot that is younger than the first record it replays.
    @Test func pointsOfAnOlderOrEqualVersionAreNotStoredAgain() throws {
        var model = try PartitionModel(dimension: 2, splitAbove: 9, seed: 9)
        for _ in 0..<60 { model.put() }
        let before = model.state.snapshot
        let records = model.history.map(\.record)
        for record in records { model.apply(record) }
        #expect(model.state.snapshot == before)
    }

    @Test func aNewPointGoesToTheNearestLocationOfTheLatestGeneration() throws {
        var model = try PartitionModel(dimension: 3, splitAbove: 64, seed: 4)
        for _ in 0..<30 { model.put() }
        for round in 0..<20 {
            if round % 5 == 0 { model.plant() }
            let vector = model.vector()
            let slice = model.slice
            let latest = slice.postings.values.filter { $0.generation == model.generation }
            let distances = latest.map { posting in
                let key = LocationKey(partition: 3, location: posting.location)
                let centroid = slice.locations.centroid(of: key)!
                let distance = zip(centroid, vector).reduce(0) {
                    $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
                }
                return (distance: distance, location: posting.location)
            }
            model.version += 1
            let points = PutPoints(
                ids: [1000], isPrimary: [1], vectors: Bytes(values: vector), payloads: [Bytes()])
            model.apply(
                .put(
                    space: PartitionModel.space, sequence: model.version,
                    generation: model.generation, points: points))
            #expect(model.slice.points.record(of: 1000)?.location == distances.min(by: <)?.location)
        }
    }

    @Test func emptyLocationsOfOlderGenerationsGo() throws {
        var model = try PartitionModel(dimension: 2, splitAbove: 9, seed: 5)
        for _ in 0..<40 { model.put() }
        model.splitSome()
        model.plant()
        let old = model.slice.postings.values.filter { $0.generation == 0 && $0.live > 0 }
        #expect(!old.isEmpty)
        model.version += 1
        let ids = Array(model.truth.keys)
        model.truth = [:]
        model.apply(.remove(space: PartitionModel.space, sequence: model.version, ids: ids))
        model.check()
        #expect(model.slice.postings.values.allSatisfy { $0.generation == 1 })
        #expect(model.slice.points.count == 0 && model.slice.primaryCount == 0)
    }

    /// Where every point has a copy at several hard locations, each of them alone is enough to find
    /// it; with one copy, each is in one posting.
    @Test(arguments: [1, 2, 8]) func aCodeIsWrittenToAsManyLocationsAsItsCollectionWants(
        copies: Int
    ) throws {
        var model = try PartitionModel(
            dimension: 3, splitAbove: 12, seed: 12, options: .init(copies: copies))
        for _ in 0..<80 { model.put() }
        for _ in 0..<20 { model.splitSome(isExact: true) }
        model.reassign()
        model.check()
        let slice = model.slice
        var found: [CellNumber: Int] = [:]
        for location in slice.postings.keys {
            for row in model.currentRows(location) { found[row.cell, default: 0] += 1 }
        }
        #expect(found.count == model.truth.count)
        #expect(found.values.allSatisfy { (1...copies).contains($0) })
        let several = found.values.count { $0 > 1 }
        #expect(copies == 1 ? several == 0 : several > found.count / 10)
    }

    @Test func damagedSnapshotsAreRefusedOrReadButNeverTrap() throws {
        var model = try PartitionModel(dimension: 2, splitAbove: 9, seed: 8)
        for _ in 0..<60 { model.step() }
        let snapshot = model.state.snapshot
        for length in stride(from: 0, to: snapshot.count, by: 3) {
            #expect(throws: LociError.self) {
                try PartitionState(
                    partition: 3, partitions: 8, tuning: model.tuning,
                    snapshot: snapshot.slice(0..<length))
            }
        }
        var random = SeededRandom(seed: 8)
        var refused = 0
        // Every bit of the beginning, where the catalog is, then random bytes.
        for round in 0..<(128 * 8 + 1000) {
            var bytes = snapshot.array
            if round < 128 * 8 {
                bytes[round / 8] ^= 1 << UInt8(round % 8)
            } else {
                for _ in 0...random.below(3) {
                    bytes[random.below(bytes.count)] = UInt8(random.below(256))
                }
            }
            do {
                let state = try PartitionState(
                    partition: 3, partitions: 8, tuning: model.tuning, snapshot: Bytes(bytes))
                _ = state.snapshot
            } catch {
                #expect(error.code == .dataLoss)
                refused += 1
            }
        }
        #expect(refused > 100 && refused < 2024)
    }

    @Test func aDroppedCollectionLeavesNothingAndItsSpacesAreNamed() throws {
        var model = try PartitionModel(dimension: 2, splitAbove: 9, seed: 2)
        model.put()
        var catalog = model.catalog
        _ = catalog.dropCollection(named: "points")
        let fields = try catalog.createField(
            name: "cells", elementType: .raw, shape: [10, 4], pageBytes: 0)
        var effects = PartitionState.Effects()
        model.state.apply(.install(catalog), effects: &effects)
        #expect(effects.dropped.sorted() == [1, 2, 3] && model.state.slices.isEmpty)
        #expect(fields.space == 4)
        effects = PartitionState.Effects()
        model.state.apply(.install(model.catalog), effects: &effects)
        #expect(effects.dropped.isEmpty && model.state.catalog == catalog)
    }
}
