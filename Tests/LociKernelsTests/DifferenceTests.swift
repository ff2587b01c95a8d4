import LociBase
import LociKernels
import Testing

/// Int8 differences from a centre: what a plain loop says, to the bit on every level.
@Suite struct DifferenceTests {
    private static func vector(_ length: Int, _ random: inout SeededRandom) -> [Float] {
        (0..<length).map { _ in Float(random.below(2001) - 1000) / 250 }
    }

    @Test(arguments: [1, 3, 15, 16, 17, 64, 100, 784]) func codesAreTheNearestMultiplesOfTheScale(
        dimension: Int
    ) {
        var random = SeededRandom(seed: UInt64(dimension))
        for isShort in [false, true] {
            let vector = Self.vector(dimension, &random)
            let centres = Self.vector(3 * dimension, &random)
            let difference = (0..<dimension).map { vector[$0] - centres[2 * dimension + $0] }
            var results: [[Int8]] = []
            for level in InstructionLevel.available {
                var codes = [Int8](repeating: 1, count: dimension)
                let (scale, error) = Kernels.encodeDifference(
                    vector, minus: 2, of: centres, shortScale: isShort, codes: &codes,
                    level: level)
                let exact = difference.map { abs($0) }.max()! / 127
                #expect(isShort ? scale >= exact && scale <= exact * 1.01 : scale == exact)
                #expect(!isShort || scale.bitPattern & 0xFFFF == 0)
                var squares = 0.0
                for element in 0..<dimension {
                    let rest = difference[element] - scale * Float(codes[element])
                    #expect(abs(rest) <= scale * 0.5001)
                    squares += Double(rest) * Double(rest)
                }
                #expect(abs(Double(error) - squares.squareRoot()) <= 1e-3 * Double(scale))
                results.append(codes)
            }
            #expect(results.allSatisfy { $0 == results[0] })
        }
    }

    @Test func whatCannotBeScaledIsAllInTheError() {
        for level in InstructionLevel.available {
            var codes: [Int8] = [7, 7]
            let none = Kernels.encodeDifference(
                [2, 3], minus: 0, of: [2, 3], shortScale: true, codes: &codes, level: level)
            #expect(none.scale == 0 && none.error == 0 && codes == [0, 0])
            codes = [7, 7]
            let tiny = Kernels.encodeDifference(
                [1e-38, 0], minus: 0, of: [0, 0], shortScale: false, codes: &codes, level: level)
            #expect(tiny.scale == 0 && codes == [0, 0])
            let endless = Kernels.encodeDifference(
                [.infinity, 0], minus: 0, of: [0, 0], shortScale: false, codes: &codes,
                level: level)
            #expect(!endless.error.isFinite || endless.scale == .infinity)
        }
    }

    @Test(arguments: [(0, 5), (1, 1), (15, 7), (17, 64), (300, 33), (513, 130)])
    func theFoundAreThoseUnderTheCut(count: Int, dimension: Int) {
        var random = SeededRandom(seed: 6)
        let rows = (0..<(count * dimension)).map { _ in Int8(random.below(255) - 127) }
        let query = (0..<dimension).map { _ in Int8(random.below(255) - 127) }
        let factors = (0..<count).map { _ in
            (Float(1 + random.below(100)) / 64).bitPattern & 0xFFFF_0000
                | UInt32(random.below(65_536))
        }
        let estimates = (0..<count).map { row in
            let product = (0..<dimension).reduce(0) {
                $0 + Int(query[$1]) * Int(rows[row * dimension + $1])
            }
            let scale = Float(bitPattern: factors[row] & 0xFFFF_0000)
            let length = Float(factors[row] & 0xFFFF) * 0.01 * scale
            return 3 + -2 * scale * Float(product) + length * length
        }
        let median = estimates.sorted().dropFirst(count / 2).first ?? 0
        for cut in [median, -.infinity, .infinity, .nan] {
            let expected = estimates.indices.filter { !(estimates[$0] > cut) }
            for level in InstructionLevel.available {
                var slots = [UInt32](repeating: .max, count: count)
                var found = [Float](repeating: 0, count: count)
                let terms = DifferenceScanTerms(base: 3, factor: -2, lengthUnit: 0.01, cut: cut)
                let number = Kernels.scanDifferences(
                    rows, factors: factors, query: query, terms: terms, slots: &slots,
                    estimates: &found, level: level)
                #expect(slots.prefix(number).map(Int.init) == expected)
                #expect(Array(found.prefix(number)) == expected.map { estimates[$0] })
            }
        }
    }

    @Test func twoRowsScoreAsInABlock() {
        var random = SeededRandom(seed: 2)
        for dimension in [1, 7, 16, 50, 100] {
            let queries = Self.vector(3 * dimension, &random)
            let rows = Self.vector(6 * dimension, &random)
            for kind in ScoreKind.allCases {
                var scores: [Float] = []
                Kernels.score(
                    kind, query: Array(queries[dimension..<(2 * dimension)]), rows: rows,
                    into: &scores)
                for row in 0..<6 {
                    let score = Kernels.score(
                        kind, row: 1, of: queries, with: row, of: rows, dimension: dimension)
                    #expect(score == scores[row])
                }
            }
        }
    }
}
