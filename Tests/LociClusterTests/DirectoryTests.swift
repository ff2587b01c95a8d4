import LociBase
import Testing

@testable import LociSearch

@Suite struct DirectoryTests {
    private enum Step: Equatable {
        case claim(UInt64, [UInt16])
        case settle(UInt64, [UInt16])
    }

    private func run(_ steps: [Step]) -> Directory {
        var directory = Directory()
        for step in steps {
            switch step {
            case .claim(let sequence, let targets):
                directory.claim(7, targets: targets, sequence: sequence)
            case .settle(let sequence, let targets):
                directory.settle(7, targets: targets, sequence: sequence)
            }
        }
        return directory
    }

    /// Two mutations of a point, each with a claim and a settlement, arrive in every order in which
    /// the second one's own messages are in order; a settlement may arrive twice.
    @Test func lateMessagesOfAnEarlierMutationChangeNothing() {
        let steps: [Step] = [
            .claim(1, [1, 2]), .settle(1, [1]), .claim(2, [3]), .settle(2, [3]), .settle(2, [3]),
        ]
        var orders = 0
        for order in permutations(of: steps)
        where order.firstIndex(of: steps[2])! < order.firstIndex(of: steps[3])! {
            orders += 1
            let directory = run(order)
            #expect(directory.targets(of: 7) == [3], "\(order)")
            #expect(directory.interrupted(before: .max, limit: 10).isEmpty, "\(order)")
        }
        #expect(orders == 40)
    }

    /// At every moment of every order, the entry names what the latest claim wants to store.
    @Test func anOpenClaimIsAlwaysNamed() {
        let steps: [Step] = [.claim(1, [1]), .settle(1, [1]), .claim(2, [2]), .claim(3, [4])]
        for order in permutations(of: steps) {
            let last = order.firstIndex(of: steps[3])!
            for end in (last + 1)...order.count {
                #expect(run(Array(order[..<end])).targets(of: 7).contains(4), "\(order)")
            }
        }
    }

    @Test func aClaimAddsToWhatMayBeStoredAndItsSettlementReplacesIt() {
        var directory = run([.claim(1, [1]), .settle(1, [1]), .claim(2, [2, 1])])
        #expect(directory.targets(of: 7) == [1, 2])
        directory.settle(7, targets: [2], sequence: 2)
        #expect(directory.targets(of: 7) == [2])
        directory.claim(7, targets: [], sequence: 3)
        #expect(directory.targets(of: 7) == [2])
        directory.settle(7, targets: [], sequence: 3)
        #expect(directory.targets(of: 7).isEmpty && directory.count == 0)
    }

    @Test func aDeletionOfAnUnknownPointLeavesNothingBehind() {
        let directory = run([.claim(4, []), .settle(4, [])])
        #expect(directory == Directory())
    }

    /// A claim that arrives after a later deletion forgot the point cannot be told from a new one:
    /// it must at least be named as interrupted once the fence has passed it.
    @Test func aClaimThatComesAfterADeletionIsNamedAsInterrupted() {
        let directory = run([
            .claim(1, [1]), .settle(1, [1]), .claim(3, []), .settle(3, []), .claim(2, [5]),
        ])
        #expect(directory.interrupted(before: 2, limit: 10).isEmpty)
        #expect(directory.interrupted(before: 3, limit: 10) == [7])
    }

    @Test func interruptedPointsComeInOrderAndNoMoreThanAskedFor() {
        var directory = Directory()
        for id in [PointID(9), 3, 5, 1] { directory.claim(id, targets: [0], sequence: id) }
        directory.settle(3, targets: [0], sequence: 3)
        #expect(directory.interrupted(before: 9, limit: 10) == [1, 5])
        #expect(directory.interrupted(before: 10, limit: 2) == [1, 5])
        #expect(directory.interrupted(before: 10, limit: 10) == [1, 5, 9])
    }

    @Test func everyPointHasOnePartitionAndTheyShareEvenly() {
        var counts = [Int](repeating: 0, count: 7)
        for id in PointID(0)..<7000 {
            counts[Int(Directory.partition(of: id, partitions: 7))] += 1
        }
        #expect(counts.allSatisfy { (900...1100).contains($0) }, "\(counts)")
    }
}
