import LociBase
import Testing

@testable import LociPrefetch

@Suite struct HoeffdingTreeTests {
    @Test func boundsAreHoeffdings() {
        func epsilon(_ count: Double, classes: Int = 2) -> Double {
            HoeffdingBound.epsilon(
                range: HoeffdingBound.range(classes: classes), delta: 1e-7, count: count)
        }
        #expect(abs(epsilon(200) - 0.2007) < 5e-5)
        #expect(abs(epsilon(1000) - 0.0898) < 5e-5)
        #expect(epsilon(3223) >= 0.05 && epsilon(3224) < 0.05)
        #expect(abs(epsilon(1000, classes: 4) - 2 * epsilon(1000)) < 1e-12)
    }

    /// Ten attributes of four values; which of them counts depends on two others; one label in
    /// twenty is any. The best anybody can do is .9625.
    private func accuracies(
        seed: UInt64, prediction: HoeffdingTree.LeafPrediction, mostBytes: Int = 4 << 20,
        examples: Int = 200_000
    ) -> (lastQuarter: Double, all: Double, tree: HoeffdingTree) {
        var options = HoeffdingTree.Options()
        options.prediction = prediction
        options.mostBytes = mostBytes
        var tree = HoeffdingTree(
            attributes: Array(repeating: .nominal(values: 4), count: 10), classes: 4,
            options: options)
        var random = SeededRandom(seed: seed)
        var values = [Float](repeating: 0, count: 10)
        var right = 0
        var rightLate = 0
        for example in 0..<examples {
            var bits = random.next()
            for index in 0..<10 {
                values[index] = Float(bits & 3)
                bits >>= 2
            }
            let second = values[2] < 2 ? values[1] : Float((Int(values[1]) + 1) & 3)
            let third = values[4] < 3 ? values[3] : 0
            var label = Int(values[0] < 2 ? second : third)
            if random.chance(0.05) { label = Int(random.next() & 3) }
            if tree.predict(values) == label {
                right += 1
                if example >= examples * 3 / 4 { rightLate += 1 }
            }
            tree.learn(values, label: label)
        }
        return (
            Double(rightLate) / Double(examples / 4), Double(right) / Double(examples), tree
        )
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func learnsAConceptOfDepth(seed: UInt64) {
        let result = accuracies(seed: seed, prediction: .majority)
        print(
            "seed \(seed): last quarter \(result.lastQuarter), all \(result.all), "
                + "\(result.tree.leafCount) leaves")
        #expect(result.lastQuarter >= 0.955)
        #expect(result.all >= 0.78)
    }

    @Test func adaptiveLeavesAreNoWorseAndEarlier() {
        let majority = accuracies(seed: 1, prediction: .majority, examples: 20_000)
        let adaptive = accuracies(seed: 1, prediction: .adaptive, examples: 20_000)
        #expect(adaptive.all >= majority.all - 0.01)
    }

    @Test func exclusiveOrOfTwoAttributesDoesNotSplitBeforeATie() {
        var options = HoeffdingTree.Options()
        options.prediction = .majority
        var tree = HoeffdingTree(
            attributes: [.nominal(values: 2), .nominal(values: 2), .nominal(values: 2)],
            classes: 2, options: options)
        var random = SeededRandom(seed: 3)
        for example in 1...20_000 {
            let (a, b, c) = (random.next() & 1, random.next() & 1, random.next() & 1)
            tree.learn([Float(a), Float(b), Float(c)], label: Int(a ^ b))
            if example < 3224 { #expect(tree.leafCount == 1) }
        }
        #expect(tree.leafCount > 1, "the tie threshold splits in the end")
    }

    @Test func anAttributeThatSaysNothingIsNotSplitOnEarly() {
        var tree = HoeffdingTree(
            attributes: [.nominal(values: 2), .numeric], classes: 2)
        var random = SeededRandom(seed: 4)
        for _ in 0..<3000 {
            tree.learn(
                [Float(random.next() & 1), Float(random.unit())], label: Int(random.next() & 1))
        }
        #expect(tree.leafCount == 1)
    }

    @Test func numericAttributesSplitNearTheBoundary() {
        var options = HoeffdingTree.Options()
        options.prediction = .majority
        var tree = HoeffdingTree(
            attributes: [.numeric, .numeric], classes: 2, options: options)
        var random = SeededRandom(seed: 5)
        var right = 0
        for example in 0..<20_000 {
            let values = [Float(random.unit()), Float(random.unit() * 100)]
            let label = values[1] > 62 ? 1 : 0
            if example >= 15_000, tree.predict(values) == label { right += 1 }
            tree.learn(values, label: label)
        }
        #expect(Double(right) / 5000 >= 0.95)
        guard case .numeric(let attribute, let point) = tree.nodes[0].kind else {
            Issue.record("the root did not split on a number")
            return
        }
        #expect(attribute == 1)
        #expect(abs(point - 62) < 15)
    }

    @Test(arguments: [12_000, 15_000]) func memoryStaysWithinItsCap(bytes: Int) {
        let result = accuracies(
            seed: 1, prediction: .majority, mostBytes: bytes, examples: 30_000)
        #expect(result.tree.memoryBytes <= bytes)
        #expect(result.tree.activeLeafCount < result.tree.leafCount)
        // Deactivated leaves go on predicting.
        #expect(result.lastQuarter >= 0.4)
        for (block, owner) in result.tree.owners.enumerated() where owner >= 0 {
            #expect(result.tree.nodes[Int(owner)].block == Int32(block))
        }
    }

    /// Of trees above 64 KiB that took what arrays take that double: a quarter more.
    @Test(arguments: [66_000, 130_000, 300_000]) func growingEndsAtTheCap(bytes: Int) {
        var options = HoeffdingTree.Options()
        options.grace = 20
        options.tie = 10
        options.mostBytes = bytes
        var tree = HoeffdingTree(
            attributes: Array(repeating: .nominal(values: 4), count: 6) + [.numeric, .numeric],
            classes: 3, options: options)
        var random = SeededRandom(seed: 6)
        var most = 0
        for _ in 0..<40_000 {
            let values = (0..<6).map { _ in Float(random.below(4)) }
            let numbers = [Float(random.unit()), Float(random.unit())]
            let label = (Int(values[0]) + Int(values[1]) + (numbers[0] > 0.5 ? 1 : 0)) % 3
            tree.learn(values + numbers, label: label)
            most = max(most, tree.memoryBytes)
        }
        #expect(most <= bytes)
        // It grew to what it may have.
        #expect(tree.owners.count == tree.blockLimit && most > bytes * 2 / 3)
    }

    /// A leaf starts with its parent's class counts and without values counted: if these were
    /// divided by those, the rarest class would win after every split.
    @Test func aNewLeafsBayesKnowsHowFewValuesItHasCounted() {
        var options = HoeffdingTree.Options()
        options.prediction = .naiveBayes
        var right = 0
        for seed in 1...20 as ClosedRange<UInt64> {
            var tree = HoeffdingTree(
                attributes: Array(repeating: .nominal(values: 2), count: 6), classes: 2,
                options: options)
            var random = SeededRandom(seed: seed)
            var tried = 0
            while tried < 100 {
                let values = (0..<6).map { _ in Float(random.below(2)) }
                let label = random.chance(0.1) ? 1 - Int(values[0]) : Int(values[0])
                if tree.leafCount > 1 {
                    tried += 1
                    if tree.predict(values) == label { right += 1 }
                }
                tree.learn(values, label: label)
            }
        }
        print("right after splits: \(right) of 2000")
        #expect(right >= 1700)
    }

    @Test func itForgetsNothingOnItsOwnButStartsAnewWhenTold() {
        var result = accuracies(seed: 2, prediction: .majority, examples: 20_000)
        #expect(result.tree.leafCount > 1)
        result.tree.reset()
        #expect(result.tree.leafCount == 1)
        #expect(result.tree.seen(at: 0) == 0)
        #expect(result.tree.nominalCounts.allSatisfy { $0 == 0 })
    }
}
