import LociBase
import LociKernels
import LociModel
import LociSearch
import Testing

private func near(_ a: Double, _ b: Double, _ scale: Double) -> Bool {
    abs(a - b) <= 2e-5 * (scale + abs(b))
}

@Suite struct CodeTests {
    private func set(
        _ dimension: Int, bits: Int, metric: Metric, rows: Int, seed: UInt64,
        level: InstructionLevel = .best
    ) -> (CodedSet, [Float]) {
        var random = SeededRandom(seed: seed)
        let centroid = normal(dimension, &random)
        let vectors = (0..<rows).map { row in
            // The first row is the centroid itself: a residual of zero.
            zip(centroid, normal(dimension, &random)).map { row == 0 ? $0 : $0 + 0.7 * $1 }
        }
        let set = CodedSet(
            vectors: vectors, centroid: centroid, bits: bits, metric: metric, level: level)
        return (set, normal(dimension, &random))
    }

    @Test(arguments: 1...8, [Metric.l2, .dot])
    func aRowHoldsTheNearestBipolarIntegersAndTheFactorsOfItsFormula(bits: Int, metric: Metric) {
        for dimension in [1, 64, 100, 784] {
            let (set, _) = set(dimension, bits: bits, metric: metric, rows: 5, seed: 5)
            let format = set.format
            let padded = format.paddedDimension
            #expect(format.rowBytes % 4 == 0)
            #expect(set.rows.count == 5 * format.rowBytes)
            let centroid = set.rotation.rotate(set.centroid)
            for row in 0..<5 {
                let decoded = DecodedRow(set.rows, at: row * format.rowBytes, format: format)
                #expect(decoded.cell == UInt32(row) && decoded.tag == UInt32(row * 7))
                let residual = zip(set.rotation.rotate(set.vectors[row]), centroid).map(-)
                let square = product(residual, residual)
                let code = decoded.code.map(Float.init)
                if row > 0 {
                    #expect(
                        zip(decoded.signs, residual).allSatisfy {
                            $1 == 0 || Float($0) * $1 > -1e-5
                        })
                    for (codes, factors) in [
                        (decoded.signs.map(Float.init), decoded.signFactors),
                        (code, decoded.factors),
                    ] {
                        let scale = square / product(codes, residual)
                        let base = product(codes, centroid)
                        let slack =
                            square * product(codes, codes)
                            / (product(codes, residual) * product(codes, residual)) - 1
                        let error = (square * slack / Double(padded - 1)).squareRoot()
                        let both = metric == .dot ? 1.0 : 2.0
                        let addend =
                            metric == .dot ? -product(residual, centroid) : square
                        #expect(near(Double(factors[0]), addend + both * scale * base, square))
                        #expect(near(Double(factors[1]), -both * scale, 0))
                        #expect(abs(Double(factors[2]) - both * error) < 0.02 * both * error + 1e-6)
                    }
                } else {
                    #expect(decoded.factors[1] == 0 && decoded.factors[2] == 0)
                }
            }
        }
    }

    @Test(arguments: 1...8, [Metric.l2, .dot])
    func everyLevelWritesTheSameRowsAndFindsTheSameCandidates(bits: Int, metric: Metric) {
        for dimension in [3, 64, 65, 192, 784] {
            // Two blocks of sixteen, and a part of a third.
            let count = 41
            let (expected, query) = set(
                dimension, bits: bits, metric: metric, rows: count, seed: 6)
            let all = expected.scan(query)
            let middle = all.map(\.lower).sorted()[count / 2]
            let some = expected.scan(query, threshold: middle)
            #expect(all.count == count && !some.isEmpty && some.count < count)
            for level in InstructionLevel.available {
                let (other, _) = set(
                    dimension, bits: bits, metric: metric, rows: count, seed: 6, level: level)
                #expect(other.rows == expected.rows)
                #expect(other.scan(query, level: level) == all)
                #expect(other.scan(query, threshold: middle, level: level) == some)
            }
        }
    }

    @Test(arguments: 1...8, [Metric.l2, .dot])
    func estimatesAreTheFormulaAppliedToTheRoundedQuery(bits: Int, metric: Metric) {
        for dimension in [64, 100, 784] {
            let (set, query) = set(dimension, bits: bits, metric: metric, rows: 9, seed: 8)
            let quantised = QuantisedQuery(set.rotation.rotate(query))
            let origin = set.origin(query)
            let found = set.scan(query)
            #expect(found.count == 9)
            for (row, candidate) in found.enumerated() {
                let decoded = DecodedRow(
                    set.rows, at: row * set.format.rowBytes, format: set.format)
                let whole = zip(decoded.code, quantised.values).reduce(0) {
                    $0 + $1.0 * Int($1.1)
                }
                let expected =
                    Double(decoded.factors[0]) + Double(origin.score)
                    + Double(decoded.factors[1]) * Double(quantised.step) * Double(whole)
                let scale = abs(Double(decoded.factors[0])) + Double(abs(origin.score))
                #expect(near(Double(candidate.estimate), expected, scale))
                #expect(candidate.cell == UInt32(row) && candidate.tag == UInt32(row * 7))
                #expect(candidate.lower <= candidate.estimate)
                #expect(candidate.upper >= candidate.estimate)
            }
            // The centroid's own score is exact: nothing is estimated.
            #expect(found[0].lower == found[0].upper)
            #expect(near(Double(found[0].estimate), set.score(query, 0), 1))
        }
    }

    @Test func aPageIsScannedFromAnyOffsetAndInAnyParts() {
        let (set, query) = set(100, bits: 3, metric: .l2, rows: 700, seed: 9)
        let whole = set.scan(query)
        #expect(whole.count == 700)
        let shifted = Bytes.joined([Bytes(zeros: 13), set.rows])
        let prepared = CodeQuery(rotated: set.rotation.rotate(query), format: set.format)
        var scanner = CodeScanner(query: prepared, epsilon: 1.9)
        var found: [CodeCandidate] = []
        var first = 0
        for part in [0, 1, 256, 300, 143] {
            scanner.scan(
                shifted, at: 13 + first * set.format.rowBytes, count: part,
                origin: set.origin(query), threshold: .infinity, into: &found)
            first += part
        }
        #expect(found == whole)
    }

    @Test func rowsBeyondFloat32AreFoundByEveryScan() {
        var random = SeededRandom(seed: 10)
        for bits in [1, 4] {
            for metric in [Metric.l2, .dot] {
                let vectors = (0..<3).map { row in
                    normal(64, &random).map { row == 1 ? $0 * 1e30 : $0 }
                }
                let set = CodedSet(
                    vectors: vectors, centroid: normal(64, &random), bits: bits, metric: metric)
                for level in InstructionLevel.available {
                    let found = set.scan(
                        normal(64, &random), threshold: -.greatestFiniteMagnitude, level: level)
                    #expect(found.map(\.cell) == [1])
                    #expect(found.first?.lower == -.infinity && found.first?.upper == .infinity)
                }
            }
        }
    }

    @Test func aZeroQueryIsEstimatedExactly() {
        for bits in [1, 4] {
            let (set, _) = set(65, bits: bits, metric: .dot, rows: 4, seed: 12)
            for candidate in set.scan([Float](repeating: 0, count: 65)) {
                #expect(candidate.lower <= 0.001 && candidate.upper >= -0.001)
            }
        }
    }

    @Test func rowsOutsideTheBytesAreRefused() async {
        await #expect(processExitsWith: .failure) {
            let format = CodeFormat(dimension: 64, bits: 1, metric: .l2)
            let query = CodeQuery(rotated: [Float](repeating: 1, count: 64), format: format)
            var scanner = CodeScanner(query: query, epsilon: 1.9)
            var found: [CodeCandidate] = []
            scanner.scan(
                Bytes(zeros: format.rowBytes), at: 4, count: 1,
                origin: CodeOrigin(squaredDistance: 1), threshold: 0, into: &found)
        }
    }
}
