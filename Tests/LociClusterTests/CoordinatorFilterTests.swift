import LociBase
import LociModel
import LociPlacement
import LociSearch
import LociWire
import Testing

@testable import LociCluster

/// Queries with filters: whom a coordinator asks, and how often.
@Suite struct CoordinatorFilterTests {
    private func matches(
        _ ids: [PointID], passed: UInt64, whole: [PartitionIndex] = []
    ) -> (Body, [Bytes]) {
        (
            .matches(
                MatchesAnswer(
                    count: UInt32(ids.count), receipt: Receipt(), passed: passed,
                    wholePartitions: whole)),
            [
                Bytes(values: ids), Bytes(values: ids.map { _ in UInt64(1) }),
                Bytes(values: ids.map { Float($0) }), Bytes(zeros: ids.count * 4), Bytes(), Bytes(),
            ]
        )
    }

    /// Answers all parts of a round alike, each with so many points that passed.
    private func answer(
        _ stage: inout CoordinatorStage, _ asked: [CoordinatorDirective], ids: Int, passed: UInt64,
        whole: [PartitionIndex] = []
    ) -> [CoordinatorDirective] {
        var last: [CoordinatorDirective] = []
        for (index, sent) in asked.sent.enumerated() {
            let ids = (0..<ids).map { PointID(index * 100 + $0) }
            let here = whole.filter { stage.node.metadata.map.shard(of: $0) == sent.shard }
            let (body, bulk) = matches(ids, passed: passed, whole: here)
            last = stage.reply(sent, body, bulk: bulk)
        }
        return last
    }

    @Test func aFilterTravelsInCanonicalFormAndAWrongOneIsRefused() throws {
        var stage = CoordinatorStage.withLocations()
        let asked = stage.query { $0.filter = "  year>=2024   AND topic='sport'" }
        #expect(!asked.sent.isEmpty)
        for sent in asked.sent {
            guard case .shardQuery(let query) = sent.message.body else {
                Issue.record("no query")
                return
            }
            #expect(query.filter == "year >= 2024 and topic = \"sport\"")
        }
        let wrong = stage.query { $0.filter = "year >=" }
        #expect(wrong.failure?.code == .invalidArgument && wrong.sent.isEmpty)
    }

    @Test func aFilterWidensUntilEnoughPointsHavePassed() {
        var stage = CoordinatorStage.withLocations()
        // Of 8 hard locations only 2 points pass, where 16 are wanted: ten times as many are asked.
        let first = stage.query { $0.filter = "a = 1" }
        #expect(first.locations.count == 8)
        let second = answer(&stage, first, ids: 1, passed: 1)
        #expect(second.locations.count == 80)
        let third = answer(&stage, second, ids: 2, passed: 8)
        guard case .matches(let matches)? = third.replies.first?.body else {
            Issue.record("enough have passed")
            return
        }
        #expect(matches.count == 2 && !matches.isExhausted && matches.passed == 16)
    }

    @Test func aShardThatDoesNotCountWhatPassedIsTakenAtItsMatches() {
        var stage = CoordinatorStage.withLocations()
        let first = stage.query { $0.filter = "a = 1" }
        let over = answer(&stage, first, ids: 2, passed: 0)
        guard case .matches(let matches)? = over.replies.first?.body else {
            Issue.record("k points were found")
            return
        }
        #expect(matches.count == 2 && !matches.isExhausted)
    }

    @Test func aFilterThatFewPassEndsWithAllHardLocations() {
        var stage = CoordinatorStage.withLocations()
        var asked = stage.query { $0.filter = "a = 1" }
        var rounds = 0
        while asked.replies.isEmpty, rounds < 10 {
            rounds += 1
            asked = answer(&stage, asked, ids: 0, passed: 0)
            if asked.locations.contains(ShardQuery.everyLocation) { break }
        }
        #expect(rounds < 4)
        #expect(asked.locations == Array(repeating: ShardQuery.everyLocation, count: 4))
        let over = answer(&stage, asked, ids: 0, passed: 0)
        guard case .matches(let matches)? = over.replies.first?.body else {
            Issue.record("all were asked")
            return
        }
        #expect(matches.isExhausted && matches.count == 0 && !matches.isDegraded)
    }

    private func selectiveShares(_ directives: [CoordinatorDirective]) -> Set<Float> {
        Set(
            directives.sent.compactMap { sent in
                guard case .shardQuery(let query) = sent.message.body else { return nil }
                return query.selectiveShare
            })
    }

    /// A partition that compared all points that pass does not know of the others: they are asked
    /// in one more round, and that is the last.
    @Test func aSelectiveFilterAsksAllOtherPartitionsOnce() {
        var stage = CoordinatorStage.withLocations()
        let first = stage.query { $0.filter = "a = 1" }
        #expect(first.partitions == [0, 1])
        let share = selectiveShares(first).first!
        #expect(selectiveShares(first).count == 1 && share > 0 && share < 0.2)
        let second = answer(&stage, first, ids: 1, passed: 1, whole: [0])
        #expect(second.partitions == [1, 2, 3])
        #expect(Set(second.locations) == [ShardQuery.ownChoice])
        #expect(selectiveShares(second) == [min(1, 4 * share)])
        // Partition 3 was scanned, and enough passed there.
        let over = answer(&stage, second, ids: 1, passed: 16, whole: [1, 2])
        guard case .matches(let matches)? = over.replies.first?.body else {
            Issue.record("k points were found, and all partitions were asked")
            return
        }
        #expect(matches.count == 2 && !matches.isExhausted && matches.passed == 32)
        #expect(matches.receipt.rounds == 2 && matches.wholePartitions.isEmpty)
        // Without a filter nothing is.
        #expect(selectiveShares(stage.query()) == [0])
    }

    /// The points of a whole partition may be far away: where too few of those that were scanned
    /// passed, the k that were found need not be the nearest.
    @Test func whatWasScannedHasToGiveEnoughByItself() {
        var stage = CoordinatorStage.withLocations()
        let first = stage.query { $0.filter = "a = 1" }
        let second = answer(&stage, first, ids: 1, passed: 1, whole: [0, 1])
        let third = answer(&stage, second, ids: 1, passed: 7, whole: [2])
        #expect(third.replies.isEmpty && third.partitions == [3])
        #expect(third.locations == [ShardQuery.everyLocation])
        #expect(answer(&stage, third, ids: 1, passed: 0, whole: [3]).replies.count == 1)
    }

    /// One partition on the border that hardly any point passes does not send a query everywhere.
    @Test func aWholePartitionBesideEnoughOthersIsTheEnd() {
        var stage = CoordinatorStage.withLocations()
        let first = stage.query { $0.filter = "a = 1" }
        let over = answer(&stage, first, ids: 1, passed: 16, whole: [0])
        #expect(over.replies.count == 1 && over.sent.isEmpty)
    }

    /// Where vectors must not be brought in, codes have to do.
    @Test func aTierLimitLeavesSelectiveFiltersToTheCodes() {
        var stage = CoordinatorStage.withLocations()
        let asked = stage.query {
            $0.filter = "a = 1"
            $0.maxTier = .dram
        }
        #expect(selectiveShares(asked) == [0])
    }

    /// Fewer than k may only be answered when no point that passes can be anywhere else.
    @Test func aSelectiveFilterIsExhaustedWhenEveryPartitionWasLookedAtAsAWhole() {
        for isScanned in [false, true] {
            var stage = CoordinatorStage.withLocations()
            let first = stage.query { $0.filter = "a = 1" }
            let second = answer(&stage, first, ids: 0, passed: 0, whole: [0, 1])
            #expect(second.partitions == [2, 3])
            var over = answer(
                &stage, second, ids: 0, passed: 0, whole: isScanned ? [2] : [2, 3])
            if isScanned {
                #expect(over.replies.isEmpty && over.partitions == [3])
                #expect(over.locations == [ShardQuery.everyLocation])
                over = answer(&stage, over, ids: 1, passed: 1, whole: [3])
            }
            guard case .matches(let matches)? = over.replies.first?.body else {
                Issue.record("all were asked")
                continue
            }
            #expect(matches.isExhausted && matches.count == (isScanned ? 1 : 0))
            #expect(matches.receipt.rounds == (isScanned ? 3 : 2))
        }
    }

    /// A shard that names partitions that do not exist does not end a query early.
    @Test func partitionsThatDoNotExistDoNotCountAsLookedAt() {
        var stage = CoordinatorStage.withLocations()
        let first = stage.query { $0.filter = "a = 1" }
        var next: [CoordinatorDirective] = []
        for sent in first.sent {
            let (body, bulk) = matches([], passed: 0, whole: [7, 8, 9, 10])
            next = stage.reply(sent, body, bulk: bulk)
        }
        #expect(next.replies.isEmpty && !next.sent.isEmpty)
    }
}
