import LociBase
import LociModel
import LociSearch
import LociStorage
import LociTiering
import LociWire
import Testing

@testable import LociCluster

/// A split whose pages come one by one while the posting changes.
@Suite struct SplitRaceTests {
    private static let dimension = 4096  // 4 rows to a page
    private static let space: SpaceID = 1

    private static func vector(_ token: Int) -> Bytes {
        Bytes(values: [Float](repeating: Float(token), count: dimension))
    }

    /// A shard with one partition, its disk a dictionary, commits done when `commit` is called.
    private struct Stage {
        var node: ShardNode
        var pages: [PageAddress: Bytes] = [:]
        var loads: [PageAddress] = []
        var commits: [[Bytes]] = []
        var records: [LogRecord] = []
        var request: UInt64 = 0
        var lsn: LSN = 1

        init() throws {
            var tuning = SearchTuning()
            tuning.splitAbove = 5
            let settings = ShardNode.Settings(
                clusterID: 9, shard: 0, incarnation: 1, partitions: 1, shards: 1,
                dram: .dram(budgetBytes: 16 << 20), checkpointLogBytes: .max)
            let state = PartitionState(partition: 0, partitions: 1, tuning: tuning)
            node = ShardNode(settings, recovered: [(state, 1, 0)], stopwatch: { .zero })
            send(.hello(Hello(clusterID: 9, shard: 0, partitions: 1, shards: 1)))
            var catalog = Catalog()
            _ = try catalog.createCollection(
                name: "points", dimension: SplitRaceTests.dimension, metric: .l2, isText: false)
            send(.install(Install(version: catalog.version)), bulk: [catalog.encoded])
            commit()
        }

        mutating func send(_ body: Body, bulk: [Bytes] = [], sequence: UInt64 = 0) {
            request += 1
            var header = Header(requestID: request)
            header.senderIncarnation = 1
            header.receiverIncarnation = 1
            header.sequence = sequence
            handle(.received(from: 1, Message(header, body, bulk: bulk)))
        }

        mutating func put(_ id: PointID, token: Int, sequence: UInt64) {
            send(
                .put(Put(space: SplitRaceTests.space, partition: 0)),
                bulk: [
                    Bytes(values: [id]), Bytes([1]), SplitRaceTests.vector(token), Bytes(zeros: 4),
                    Bytes(),
                ], sequence: sequence)
        }

        mutating func handle(_ event: ShardEvent) {
            var directives: [ShardDirective] = []
            node.handle(event, at: .zero, into: &directives)
            for directive in directives {
                switch directive {
                case .load(let requests): loads += requests.map(\.address)
                case .commit(_, let records): commits.append(records)
                case .write(let write):
                    var page = pages[write.address] ?? Bytes(zeros: write.pageBytes)
                    page.replace(at: write.offset, with: write.bytes)
                    pages[write.address] = page
                default: break
                }
            }
        }

        /// Makes everything durable that waits for it.
        mutating func commit() {
            while !commits.isEmpty {
                let group = commits.removeFirst()
                records += group.compactMap { try? LogRecord(encoded: $0) }
                lsn += UInt64(group.count)
                handle(.committed(0, .success(lsn)))
            }
        }

        /// The page as it is on disk now.
        mutating func arrive(_ address: PageAddress) {
            handle(.pageArrived(address, .success(.loaded(pages[address]!.compact(), from: .ssd))))
        }
    }

    @Test func aSplitNeverLogsARowThatChangedWhileItsPagesCame() throws {
        var stage = try Stage()
        for id in 1...6 { stage.put(PointID(id), token: id, sequence: UInt64(id)) }
        stage.commit()
        #expect(stage.loads.count == 2)
        // The tail of the posting comes; then a point of it is replaced; then the rest comes.
        let tail = try #require(stage.loads.max())
        stage.arrive(tail)
        stage.put(6, token: 60, sequence: 7)
        stage.commit()
        stage.arrive(try #require(stage.loads.min()))
        stage.commit()
        var served = 2
        while served < stage.loads.count {
            stage.arrive(stage.loads[served])
            served += 1
            stage.commit()
        }
        let splits = stage.records.compactMap { record -> LocationSplit? in
            if case .split(_, let split) = record { return split }
            return nil
        }
        let split = try #require(splits.first)
        for child in split.children {
            for (id, row) in zip(child.ids, child.vectors) {
                #expect(row == Self.vector(id == 6 ? 60 : Int(id)), "point \(id)")
            }
        }
        #expect(split.children.flatMap(\.ids).sorted() == [1, 2, 3, 4, 5, 6])
    }
}
