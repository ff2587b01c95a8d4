import Glibc
import LociBase
import LociKernels
import LociModel
import LociSearch
import Testing

private func bipolar(_ count: Int, _ random: inout SeededRandom) -> [Float] {
    (0..<count).map { _ in random.chance(0.5) ? 1 : -1 }
}

private func gaussian(_ random: inout SeededRandom) -> Float {
    Float((0..<12).reduce(-6) { sum, _ in sum + random.unit() })
}

extension [Float] {
    /// With exactly `flips` signs turned over.
    fileprivate func flipped(_ flips: Int, _ random: inout SeededRandom) -> [Float] {
        var flipped = self
        for index in indices.shuffled(using: &random).prefix(flips) { flipped[index] *= -1 }
        return flipped
    }
}

/// One step over all rows, in double precision and without any trick.
private func reference(
    _ state: [Float], _ rows: [[Float]], metric: Metric, beta: Double
) -> (mean: [Double], logSumExp: Double) {
    let similarities = rows.map { row in
        zip(state, row).reduce(0.0) { sum, pair in
            let (a, b) = (Double(pair.0), Double(pair.1))
            return sum + (metric == .l2 ? -(a - b) * (a - b) / 2 : a * b)
        }
    }
    let top = similarities.max()!
    let weights = similarities.map { exp(beta * ($0 - top)) }
    let total = weights.reduce(0, +)
    var mean = [Double](repeating: 0, count: state.count)
    for (row, weight) in zip(rows, weights) {
        for index in mean.indices { mean[index] += weight / total * Double(row[index]) }
    }
    return (mean, top + log(total) / beta)
}

private func relativeError(_ value: [Float], _ expected: [Double]) -> Double {
    let error = zip(value, expected).reduce(0) {
        $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1)
    }
    return (error / expected.reduce(0) { $0 + $1 * $1 }).squareRoot()
}

@Suite struct DenseAssociationTests {
    /// Bipolar patterns, raw dot products, one step: the share recalled without an error.
    @Test(.timeLimit(.minutes(1)))
    func oneStepRecallsBipolarPatternsUpToTheKnownNoise() {
        var random = SeededRandom(seed: 1)
        let (dimension, count, trials) = (64, 10_000, 100)
        let values = bipolar(dimension * count, &random)
        let rows = Bytes(values: values)
        func recalled(flips share: Double, beta: Float) -> Double {
            var successes = 0
            for _ in 0..<trials {
                let start = random.below(count) * dimension
                let pattern = Array(values[start..<(start + dimension)])
                let query = pattern.flipped(Int((share * 64).rounded()), &random)
                var partial = SoftmaxPartial(dimension: dimension, beta: beta)
                partial.add(rows, count: count, state: query, metric: .dot)
                if partial.mean!.map({ $0 > 0 ? 1 : -1 }) == pattern { successes += 1 }
            }
            return Double(successes) / Double(trials)
        }
        #expect(recalled(flips: 0.10, beta: 0.5) >= 0.99)
        #expect(recalled(flips: 0.20, beta: 0.5) >= 0.97)
        #expect(recalled(flips: 0.30, beta: 0.5) <= 0.1)
        // Too soft: the many that are unlike outweigh the one that is like.
        #expect(recalled(flips: 0.20, beta: 0.25) <= 0.05)
    }

    @Test(arguments: Metric.allCases)
    func partsMergedInAnyOrderAreTheWholeStep(metric: Metric) {
        var random = SeededRandom(seed: 2)
        for (dimension, count, beta) in [(64, 1000, Float(0.5)), (37, 333, 3), (5, 64, 0.01)] {
            let values = (0..<count).map { _ in
                var row = (0..<dimension).map { _ in gaussian(&random) }
                if metric == .cosine { _ = Kernels.normalize(&row) }
                return row
            }
            let rows = Bytes(values: Array(values.joined()))
            let state = (0..<dimension).map { _ in gaussian(&random) * 0.7 }
            let expected = reference(state, values, metric: metric, beta: Double(beta))
            for parts in [1, 2, 4, 8] {
                let edges =
                    [0] + (0..<(parts - 1)).map { _ in random.below(count) }.sorted() + [count]
                var merged = SoftmaxPartial(dimension: dimension, beta: beta)
                for part in (0..<parts).shuffled(using: &random) {
                    var partial = SoftmaxPartial(dimension: dimension, beta: beta)
                    // In pieces, as pages come.
                    for piece in stride(from: edges[part], to: edges[part + 1], by: 50) {
                        partial.add(
                            rows, at: piece * dimension * 4,
                            count: min(50, edges[part + 1] - piece), state: state, metric: metric)
                    }
                    merged.merge(partial)
                }
                #expect(relativeError(merged.mean!, expected.mean) < 1e-5)
                let logSum = Double(beta) * Double(merged.largest) + log(merged.exponentials)
                #expect(abs(logSum / Double(beta) / expected.logSumExp - 1) < 1e-5)
                #expect(merged.spread.count == UInt64(count))
            }
        }
    }

    @Test func manyStepsOverPartsEndWhereTheyEndOverTheWhole() {
        var random = SeededRandom(seed: 3)
        let (dimension, count) = (32, 400)
        let rows = (0..<count).map { _ in
            var row = (0..<dimension).map { _ in gaussian(&random) }
            _ = Kernels.normalize(&row)
            return row
        }
        for beta: Float in [5, 20] {
            var ends: [DenseAssociation] = []
            for parts in [1, 2, 4, 8] {
                var association = DenseAssociation(
                    rows[7].map { $0 + 0.2 / Float(dimension).squareRoot() }, metric: .cosine)
                while !association.isFixedPoint && association.steps < 50 {
                    var merged = SoftmaxPartial(dimension: dimension, beta: beta)
                    for part in 0..<parts {
                        let own = rows.enumerated().filter { $0.offset % parts == part }
                        var partial = SoftmaxPartial(dimension: dimension, beta: beta)
                        partial.add(
                            Bytes(values: Array(own.map(\.element).joined())), count: own.count,
                            state: association.state, metric: .cosine)
                        merged.merge(partial)
                    }
                    association.advance(merged)
                }
                ends.append(association)
            }
            for end in ends.dropFirst() {
                #expect(end.isFixedPoint == ends[0].isFixedPoint)
                #expect(relativeError(end.state, ends[0].state.map(Double.init)) < 1e-4)
            }
        }
    }

    @Test(arguments: Metric.allCases)
    func sharpnessFromTheDataRestoresANoisyPatternToItsFixedPoint(metric: Metric) {
        var random = SeededRandom(seed: 4)
        let (dimension, count) = (96, 1000)
        let rows = (0..<count).map { _ in
            var row = (0..<dimension).map { _ in gaussian(&random) }
            if metric != .l2 { _ = Kernels.normalize(&row) }
            return row
        }
        let bytes = Bytes(values: Array(rows.joined()))
        var restored = 0
        for index in 0..<15 {
            let length = Kernels.dot(rows[index], rows[index]).squareRoot()
            let noise = 0.6 * length / Float(dimension).squareRoot()
            let noisy = rows[index].map { $0 + noise * gaussian(&random) }
            var association = DenseAssociation(noisy, metric: metric)
            var spread = SoftmaxPartial(dimension: dimension, beta: 0)
            spread.add(bytes, count: count, state: association.state, metric: metric)
            let beta = spread.spread.recallBeta
            while !association.isFixedPoint && association.steps < 10 {
                var partial = SoftmaxPartial(dimension: dimension, beta: beta)
                partial.add(bytes, count: count, state: association.state, metric: metric)
                association.advance(partial)
            }
            let error = relativeError(association.state, rows[index].map(Double.init))
            if association.isFixedPoint && error < 0.05 { restored += 1 }
        }
        #expect(restored >= 14, "\(restored) of 15")
    }

    @Test func sharpnessFromTheDataIsThatOfARandomEnergyModel() {
        var random = SeededRandom(seed: 5)
        var spread = SimilaritySpread()
        let pattern = bipolar(64, &random)
        for _ in 0..<9_999 { spread.add(Double(Kernels.dot(pattern, bipolar(64, &random)))) }
        let without = spread
        spread.add(64)
        // sqrt(2 ln 10,000) / 8. The one that is like the query does not count.
        #expect(abs(spread.recallBeta - 0.536) < 0.02)
        #expect(abs(without.recallBeta - 0.536) < 0.02)
        var halves = SimilaritySpread()
        halves.merge(spread)
        halves.merge(SimilaritySpread())
        #expect(halves == spread)
        for similarities in [[], [3], [3, 3], [1, 1, 1, 5], [0, 2]] as [[Double]] {
            var few = SimilaritySpread()
            for similarity in similarities { few.add(similarity) }
            #expect(few.recallBeta > 0 && few.recallBeta.isFinite)
        }
    }

    @Test func sharpnessIsANumberHoweverSmallOrLargeTheData() {
        let betas = SimilaritySpread.betas
        for scale in [1e-45, 1e-42, 1e-31, 1e-10, 1, 1e10, 1e31, 1e38] {
            for similarities in [[0, 1], [0, 0, 1], [0, 0, 0, 0.5, 1], [-3, -2, -2, -1]] {
                var spread = SimilaritySpread()
                for similarity in similarities { spread.add(similarity * scale) }
                let beta = spread.recallBeta
                #expect(betas.contains(beta), "\(similarities) at \(scale)")
                let partial = SoftmaxPartial(dimension: 1, beta: beta)
                #expect(partial.beta == beta)
                if (1e-10...1e10).contains(scale) {
                    #expect(betas.lowerBound < beta && beta < betas.upperBound)
                }
            }
        }
    }

    @Test(arguments: Metric.allCases)
    func familiarityFallsAsNoiseIsAdded(metric: Metric) {
        var random = SeededRandom(seed: 6)
        let (dimension, count) = (128, 500)
        let values = bipolar(dimension * count, &random).map {
            metric == .cosine ? $0 / Float(dimension).squareRoot() : $0
        }
        let rows = Bytes(values: values)
        func familiarity(flips: Int) -> Float {
            (0..<20).reduce(0) { sum, index in
                let start = index * dimension
                let query = Array(values[start..<(start + dimension)]).flipped(flips, &random)
                let state = DenseAssociation(query, metric: metric).state
                var partial = SoftmaxPartial(dimension: dimension, beta: 1)
                partial.add(rows, count: count, state: state, metric: metric)
                return sum
                    + DenseAssociation.familiarity(of: state, metric: metric, partial: partial) / 20
            }
        }
        let levels = [0, 6, 13, 26, 39, 64].map { familiarity(flips: $0) }
        #expect(abs(levels[0] - 1) < 1e-5)
        #expect(levels.allSatisfy { (0...1.00001).contains($0) })
        for (more, less) in zip(levels, levels.dropFirst()) { #expect(less < more) }
        #expect(abs(levels[1] - (1 - 2 * 6 / 128)) < 1e-4)
        let nothing = SoftmaxPartial(dimension: dimension, beta: 1)
        #expect(
            DenseAssociation.familiarity(
                of: Array(values.prefix(dimension)), metric: metric, partial: nothing) == 0)
    }

    @Test func nothingOverflowsHoweverSharpOrFar() {
        let rows: [Float] = [3e3, 0, -3e3, 0, 0, 3e3]
        var partial = SoftmaxPartial(dimension: 2, beta: 1e6)
        // The largest last, so that what came before is scaled away.
        for row in [1, 2, 0] {
            partial.add(
                Bytes(values: rows), at: row * 8, count: 1, state: [3e3, 1], metric: .dot)
        }
        #expect(partial.mean == [3e3, 0])
        var none = SoftmaxPartial(dimension: 2, beta: 1e6)
        none.merge(partial)
        #expect(none.mean == partial.mean && none.largest == partial.largest)
        partial.merge(SoftmaxPartial(dimension: 2, beta: 1e6))
        #expect(partial == none)
        var association = DenseAssociation([1, 2], metric: .dot)
        association.advance(SoftmaxPartial(dimension: 2, beta: 1))
        #expect(association.isFixedPoint && association.state == [1, 2])
    }
}

@Suite struct PolynomialAssociationTests {
    /// 100 elements, degree 3: 361 patterns are the capacity without errors.
    @Test(.timeLimit(.minutes(1)), arguments: [(361, 0.98...1.0), (1447, 0.0...0.4)])
    func storedPatternsAreFixedUpToTheCapacity(count: Int, expected: ClosedRange<Double>) {
        var random = SeededRandom(seed: 7)
        var association = PolynomialAssociation(dimension: 100, degree: 3)
        let patterns = (0..<count).map { _ in bipolar(100, &random) }
        for pattern in patterns { association.store(pattern) }
        let fixed = patterns.prefix(30).filter {
            association.recall($0, sweeps: 1).state == $0
        }
        let restored = patterns.prefix(30).filter {
            association.recall($0.flipped(10, &random)).state == $0
        }
        #expect(expected.contains(Double(fixed.count) / 30), "\(fixed.count) of 30 fixed")
        #expect(expected.contains(Double(restored.count) / 30), "\(restored.count) of 30 restored")
    }
}
