import LociBase
import LociModel
import LociSearch
import LociTiering
import LociWire
import Testing

@testable import LociCluster
@testable import LociSearch

/// Splits, postings given up and reassignments whose pages come one by one while points change.
@Suite struct SplitRaceTests {
    private static let space: SpaceID = 1

    /// A second copy of the state that follows the log, and looks at each record of upkeep before
    /// it is applied: it must say what the log before it says.
    private struct Follower {
        let dimension: Int
        var state: PartitionState
        var pages: [PageAddress: Bytes] = [:]
        var splits = 0
        var rewrites = 0
        var retired = 0
        var reassigned = 0
        /// Codes and moved points that were out of date when their record was applied.
        var outdated = 0

        var slice: CollectionSlice { state.slices[SplitRaceTests.space]! }

        mutating func apply(_ records: [LogRecord]) {
            for record in records {
                switch record {
                case .split(_, let split): check(split)
                case .move(_, let move): check(move)
                default: break
                }
                var effects = PartitionState.Effects()
                state.apply(record, effects: &effects)
                for write in effects.writes {
                    var page =
                        pages.removeValue(forKey: write.address) ?? Bytes(zeros: write.pageBytes)
                    page.replace(at: write.offset, with: write.bytes)
                    pages[write.address] = page
                }
            }
        }

        private func vector(of cell: CellNumber) -> Bytes {
            let place = slice.vectorPlace(of: cell)
            return pages[place.address]!.slice(place.offset..<(place.offset + dimension * 4))
        }

        /// Splits come first in their group: they know all of their posting.
        private mutating func check(_ split: LocationSplit) {
            guard let posting = slice.postings[split.location] else { return }
            if split.children.count > 1 { splits += 1 } else { rewrites += 1 }
            let rowBytes = slice.coder.format.rowBytes
            var current: [[UInt32]] = []
            for run in slice.runs(of: posting) {
                for row in 0..<run.count {
                    let header = slice.coder.header(
                        of: pages[run.address]!, at: run.offset + row * rowBytes)
                    guard slice.points.isCurrent(header.cell, tag: header.tag) else { continue }
                    current.append([header.cell, header.tag])
                }
            }
            let named = split.children.flatMap { zip($0.cells, $0.tags).map { [$0, $1] } }
            #expect(Set(named) == Set(current) && named.count == current.count)
            for child in split.children {
                let rows = zip(child.cells, child.tags).map {
                    SplitRow(cell: $0, tag: $1, vector: vector(of: $0))
                }
                #expect(child.codes == slice.coder.codes(rows, around: child.centroid))
            }
        }

        private mutating func check(_ move: PointMove) {
            if move.retiring != nil { retired += 1 } else { reassigned += move.cells.count }
            for (index, cell) in move.cells.enumerated() {
                if slice.points.isCurrent(cell, tag: move.tags[index]) {
                    #expect(move.vectors[index] == vector(of: cell))
                } else {
                    outdated += 1
                }
            }
        }
    }

    private static func put(
        _ id: PointID, _ vector: [Float], _ stage: inout ShardStage
    ) {
        stage.send(
            .put(Put(space: space, partition: 0)),
            bulk: [
                Bytes(values: [id]), Bytes([1]), Bytes(values: vector), Bytes(zeros: 4), Bytes(),
            ],
            isMutation: true)
    }

    /// Rows of 4 KiB, one on each page; a budget of 24 of them, so that rounds are small.
    @Test(arguments: [(1, 1), (2, 2), (3, 1), (4, 3)] as [(UInt64, Int)])
    func upkeepNeverLogsARowThatChangedWhileItsPagesCame(seed: UInt64, copies: Int) throws {
        let dimension = 1024
        var random = SeededRandom(seed: seed)
        var tuning = SearchTuning()
        tuning.splitAbove = 16
        var stage = ShardStage(dram: .dram(budgetBytes: 160 << 10), tuning: tuning)
        var catalog = Catalog()
        _ = try catalog.createCollection(
            name: "points", dimension: dimension, metric: .l2, isText: false,
            options: .init(copies: copies))
        stage.install(catalog)
        var follower = Follower(
            dimension: dimension,
            state: PartitionState(partition: 0, partitions: 1, tuning: tuning))
        follower.apply([.install(catalog)])
        for step in 0..<1600 {
            switch random.below(16) {
            case 0...2:
                // Clusters that come and go, so that postings fill, empty and drift.
                let centre = Float((step / 200 + random.below(3)) % 5) * 8
                let vector = (0..<dimension).map { _ in centre + Float(random.unit()) * 4 }
                Self.put(PointID(random.below(90)), vector, &stage)
            case 3:
                stage.send(
                    .remove(Remove(space: Self.space, partition: 0)),
                    bulk: [Bytes(values: [PointID(random.below(90))])], isMutation: true)
            case 4, 5: follower.apply(stage.commit())
            default:
                if !stage.loads.isEmpty { stage.load(random.below(stage.loads.count)) }
                stage.release()
            }
        }
        while !(stage.commits.isEmpty && stage.loads.isEmpty && !stage.node.isUnfinished) {
            follower.apply(stage.commit())
            stage.loadAll()
            stage.release()
        }
        #expect(stage.node.workers[0]!.state.snapshot == follower.state.snapshot)
        #expect(stage.node.workers[0]!.rewrites.isEmpty, "no upkeep is left behind")
        #expect(stage.node.workers[0]!.appended.isEmpty)
        for (address, page) in follower.pages { #expect(stage.disk[address] == page) }
        // What cannot be given up stays.
        for location in follower.slice.due {
            #expect(!follower.slice.overfull.contains(location))
            #expect(!follower.slice.canBeGivenUp(location))
        }
        #expect(follower.splits > 5 && follower.rewrites + follower.retired > 2)
        #expect(follower.reassigned > 0)
        print(
            "copies \(copies): \(follower.splits) splits, \(follower.rewrites) rewrites, "
                + "\(follower.retired) given up, \(follower.reassigned) reassigned, "
                + "\(follower.outdated) of a record out of date")
    }
}
