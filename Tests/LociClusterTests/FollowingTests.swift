import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// The coordinator's copy of a shard's hard locations, by the messages that they really exchange.
@Suite struct FollowingTests {
    private static let dimension = 1024
    /// Hard locations that one message of news holds.
    private static let chunk = Limits.chunkBytes / (4 * dimension)
    private static let space: SpaceID = 1

    private struct Partition {
        var state: PartitionState
        var random = SeededRandom(seed: 3)
        var newest: LocationID = 0

        init(_ partition: PartitionIndex, _ catalog: Catalog) {
            state = PartitionState(partition: partition, partitions: 2, tuning: SearchTuning())
            apply(.install(catalog))
        }

        var slice: CollectionSlice { state.slices[space]! }

        mutating func apply(_ record: LogRecord) {
            var effects = PartitionState.Effects()
            state.apply(record, effects: &effects)
        }

        mutating func plant(_ count: Int) {
            for _ in 0..<count {
                let centroid = [Float](repeating: Float(random.unit()), count: dimension)
                apply(.plant(space: space, generation: 0, centroids: centroid))
            }
            newest = slice.postings.keys.max()!
        }

        /// Each retires a location and bears two others, of which one is retired, too.
        mutating func split(times: Int) {
            let centroid = [Float](repeating: 0.5, count: dimension)
            for _ in 0..<times {
                let child = LocationSplit.Child(
                    centroid: centroid, cells: [], tags: [], codes: Bytes())
                apply(
                    .split(space: space, LocationSplit(location: newest, children: [child, child])))
                apply(.split(space: space, LocationSplit(location: newest + 1, children: [child])))
                newest += 2
            }
        }
    }

    private static func shard(_ partitions: [Partition], incarnation: UInt64) -> ShardNode {
        ShardNode(
            ShardNode.Settings(
                clusterID: 5, shard: 0, incarnation: incarnation, partitions: 2, shards: 1,
                dram: .dram(budgetBytes: 1 << 20), checkpointLogBytes: 1 << 30),
            recovered: partitions.map { ($0.state, 0, 0) }, stopwatch: { Instant.zero })
    }

    /// Lets both talk for a while of virtual time.
    private static func run(
        _ stage: inout CoordinatorStage, _ shard: inout ShardNode, milliseconds: UInt64
    ) {
        for _ in 0..<(milliseconds / 50) {
            stage.now = stage.now.advanced(milliseconds: 50)
            var directives = stage.handle(.tick)
            // Without an end to their talk, the copy is not current, and the test says so.
            for _ in 0..<50 where !directives.isEmpty {
                var answers: [ShardDirective] = []
                for case .send(_, let message) in directives {
                    shard.handle(.received(from: 1, message), at: stage.now, into: &answers)
                }
                directives = []
                for case .send(_, let message) in answers {
                    directives += stage.handle(.shard(0, message))
                }
            }
        }
    }

    private static func check(_ stage: CoordinatorStage, _ partitions: [Partition]) {
        let copy = stage.node.collections[space]!
        let keys = partitions.flatMap { $0.slice.locations.keys }
        let isCurrent = copy.isCurrent
        let missing = Set(keys).subtracting(copy.locations.keys).count
        let tooMany = Set(copy.locations.keys).subtracting(keys).count
        #expect(isCurrent && missing == 0 && tooMany == 0)
        for key in keys.prefix(20) {
            let slice = partitions[Int(key.partition)].slice
            #expect(copy.locations.centroid(of: key) == slice.locations.centroid(of: key))
        }
    }

    private static func begin() -> (CoordinatorStage, [Partition]) {
        var stage = CoordinatorStage(shards: 1)
        stage.define(
            .createCollection(
                CreateCollection(name: "points", dimension: UInt32(dimension), metric: .l2)))
        let catalog = stage.node.metadata.catalog
        return (stage, [Partition(0, catalog), Partition(1, catalog)])
    }

    @Test func theCopyFollowsInManyMessages() {
        var (stage, partitions) = Self.begin()
        partitions[0].plant(2 * Self.chunk + 5)
        partitions[1].plant(3)
        var shard = Self.shard(partitions, incarnation: 2)
        Self.run(&stage, &shard, milliseconds: 2000)
        Self.check(stage, partitions)
        partitions[0].split(times: 30)
        partitions[1].split(times: 1)
        shard = Self.shard(partitions, incarnation: 3)
        Self.run(&stage, &shard, milliseconds: 2000)
        Self.check(stage, partitions)
    }

    /// The first messages of news that starts anew reach only to versions that the copy has passed
    /// long ago.
    @Test func aCopyThatIsTooOldStartsAnewInManyMessages() {
        var (stage, partitions) = Self.begin()
        partitions[0].plant(Self.chunk + 20)
        partitions[0].split(times: 30)
        partitions[1].plant(3)
        var shard = Self.shard(partitions, incarnation: 2)
        Self.run(&stage, &shard, milliseconds: 2000)
        Self.check(stage, partitions)
        partitions[0].split(times: 8200)
        let known = stage.node.collections[Self.space]!.following[0].known
        #expect(partitions[0].slice.journal.floor > known && known > Self.chunk)
        shard = Self.shard(partitions, incarnation: 3)
        Self.run(&stage, &shard, milliseconds: 6000)
        Self.check(stage, partitions)
    }
}
