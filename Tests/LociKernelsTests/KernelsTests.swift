import LociBase
import LociKernels
import Testing

private func vector(_ count: Int, _ random: inout SeededRandom) -> [Float] {
    (0..<count).map { _ in Float(random.unit() * 2 - 1) }
}

/// The plain sum in double precision.
private func reference(_ kind: ScoreKind, _ a: some Sequence<Float>, _ b: [Float]) -> Double {
    zip(a, b).reduce(0) { sum, pair in
        let (x, y) = (Double(pair.0), Double(pair.1))
        return sum + (kind == .dot ? x * y : (x - y) * (x - y))
    }
}

private func isNear(_ score: Float, _ expected: Double, dimension: Int) -> Bool {
    abs(Double(score) - expected) <= 1e-6 * (1 + Double(dimension))
}

private let dimensions = Array(1...67) + [128, 784, 1023]

@Suite struct KernelsTests {
    @Test(arguments: ScoreKind.allCases)
    func scoresEqualAPlainSumForEveryDimensionAndOffset(kind: ScoreKind) {
        var random = SeededRandom(seed: 1)
        for dimension in dimensions {
            for rows in [0, 1, 3, 4, 5, 9] {
                let query = vector(dimension, &random)
                let values = vector(dimension * rows, &random)
                let offset = random.below(9)
                let bytes = Bytes.joined([Bytes(zeros: offset), Bytes(values: values)])
                var scores: [Float] = [42]
                Kernels.score(
                    kind, query: query, rows: bytes, at: offset, count: rows, into: &scores)
                #expect(scores.count == rows + 1 && scores[0] == 42)
                for row in 0..<rows {
                    let slice = values[(row * dimension)..<((row + 1) * dimension)]
                    let expected = reference(kind, slice, query)
                    #expect(isNear(scores[row + 1], expected, dimension: dimension))
                }
                var again: [Float] = []
                Kernels.score(kind, query: query, rows: values, into: &again)
                #expect(again == Array(scores.dropFirst()))
            }
        }
    }

    @Test(arguments: ScoreKind.allCases)
    func aRowsScoreDoesNotDependOnTheRowsAroundIt(kind: ScoreKind) {
        var random = SeededRandom(seed: 2)
        for dimension in dimensions {
            let query = vector(dimension, &random)
            let row = vector(dimension, &random)
            var scores: [Float] = []
            Kernels.score(
                kind, query: query, rows: Array((0..<7).map { _ in row }.joined()), into: &scores)
            #expect(Set(scores).count == 1)
        }
    }

    @Test func nearestFindsTheFirstOfTheSmallestDistances() {
        var random = SeededRandom(seed: 3)
        for count in [1, 2, 255, 256, 257, 700] {
            let query = vector(24, &random)
            var rows = vector(24 * count, &random)
            let planted = random.below(count)
            rows.replaceSubrange((planted * 24)..<((planted + 1) * 24), with: query)
            rows += query
            let found = Kernels.nearest(query, among: rows)
            #expect(found?.index == planted && found?.squaredDistance == 0)
        }
        #expect(Kernels.nearest([1, 2], among: []) == nil)
        #expect(Kernels.nearest([1, 2], among: [.nan, 0, .infinity, 1]) == nil)
        #expect(Kernels.nearest([1, 2], among: [.nan, 0, 5, 5, 1, 1])?.index == 2)
    }

    @Test func normalizeReturnsTheNormAndLeavesZeroAlone() {
        var random = SeededRandom(seed: 4)
        for dimension in dimensions {
            for magnitude: Float in [1, 1e-25, 1e25] {
                var values = vector(dimension, &random).map { $0 * magnitude }
                let expected = reference(.dot, values, values).squareRoot()
                let norm = Kernels.normalize(&values)
                #expect(abs(Double(norm) / expected - 1) < 1e-5)
                #expect(abs(Kernels.dot(values, values) - 1) < 1e-4)
            }
        }
        var zero: [Float] = [0, 0, 0]
        #expect(Kernels.normalize(&zero) == 0 && zero == [0, 0, 0])
        var infinite: [Float] = [1, .infinity]
        #expect(Kernels.normalize(&infinite) == .infinity && infinite == [1, .infinity])
    }

    @Test func oneValueThatIsNotFiniteIsFoundWhereverItStands() {
        for count in [1, 7, 16, 17, 64, 65] {
            var values = [Float](repeating: .greatestFiniteMagnitude, count: count)
            #expect(Kernels.allFinite(values) && Kernels.allFinite(Bytes(values: values)))
            for position in 0..<count {
                for bad in [Float.nan, .infinity, -.infinity, -.nan, .signalingNaN] {
                    values[position] = bad
                    #expect(!Kernels.allFinite(values))
                    #expect(!Kernels.allFinite(Bytes(values: values)))
                }
                values[position] = -.leastNonzeroMagnitude
            }
        }
        #expect(Kernels.allFinite(Bytes()))
    }

    @Test func addAndScaleWorkElementByElement() {
        var random = SeededRandom(seed: 5)
        for dimension in dimensions {
            let a = vector(dimension, &random)
            let b = vector(dimension, &random)
            var sum = a
            Kernels.add(b, to: &sum)
            #expect(sum == zip(a, b).map { $0 + $1 })
            Kernels.add(Bytes.joined([Bytes(zeros: 3), Bytes(values: b)]), at: 3, to: &sum)
            #expect(sum == zip(a, b).map { $0 + $1 + $1 })
            Kernels.scale(&sum, by: 0.5)
            #expect(sum == zip(a, b).map { ($0 + $1 + $1) * 0.5 })
        }
    }

    @Test func rowsThatLieOutsideTheBytesAreRefused() async {
        await #expect(processExitsWith: .failure) {
            var scores: [Float] = []
            Kernels.score(
                .dot, query: [1, 2], rows: Bytes(zeros: 16), at: 4, count: 2, into: &scores)
        }
        await #expect(processExitsWith: .failure) { _ = Kernels.dot([1], [1, 2]) }
    }

    @Test func anInstructionSetIsChosen() {
        #expect(!Kernels.target.isEmpty)
        print("kernels: \(Kernels.target)")
    }
}
