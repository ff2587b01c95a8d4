import LociBase
import LociKernels
import LociModel
import LociSearch
import Testing

/// Sums over many estimates, for different rotations of the same data.
private struct Accuracy {
    var estimates = 0
    var alignment = 0.0
    /// Of the inner product of the two normalised residuals.
    var bias = 0.0
    var relativeError = 0.0
    var outside = 0
    var below = 0

    func part(_ count: Int) -> Double { Double(count) / Double(estimates) }
    func mean(_ sum: Double) -> Double { sum / Double(estimates) }

    /// - Parameter isRotated: false leaves the rotation out.
    init(
        vectors: [[Float]], queries: [[Float]], centroid: [Float], bits: Int,
        metric: Metric = .l2, rotations: Int, isRotated: Bool = true
    ) {
        let norms = vectors.map { squaredDistance($0, centroid).squareRoot() }
        let distances = queries.map { squaredDistance($0, centroid).squareRoot() }
        let scores = queries.map { query in
            vectors.map { metric == .dot ? -product($0, query) : squaredDistance($0, query) }
        }
        let both = metric == .dot ? 1.0 : 2.0
        for seed in 0..<rotations {
            let format = CodeFormat(dimension: centroid.count, bits: bits, metric: metric)
            let rotation = CodeRotation(dimension: centroid.count, seed: UInt64(seed))
            func rotate(_ vector: [Float]) -> [Float] {
                isRotated ? rotation.rotate(vector) : vector
            }
            var rows: [UInt8] = []
            let base = rotate(centroid)
            for vector in vectors {
                format.append(vector: rotate(vector), centroid: base, cell: 0, tag: 0, to: &rows)
            }
            let page = Bytes(rows)
            for row in vectors.indices {
                let rescale = Double(page.load(Float.self, at: row * format.rowBytes + 12))
                let padded = Double(format.paddedDimension)
                alignment +=
                    -both * norms[row] / (rescale * padded.squareRoot()) * Double(queries.count)
            }
            for (number, query) in queries.enumerated() {
                let prepared = CodeQuery(rotated: rotate(query), format: format)
                let square = Float(distances[number] * distances[number])
                let origin =
                    metric == .dot
                    ? CodeOrigin(
                        innerProduct: Float(product(query, centroid)), squaredDistance: square)
                    : CodeOrigin(squaredDistance: square)
                var scanner = CodeScanner(query: prepared, epsilon: 1.9)
                var found: [CodeCandidate] = []
                scanner.scan(
                    page, at: 0, count: vectors.count, origin: origin, threshold: .infinity,
                    into: &found)
                for (row, candidate) in found.enumerated() {
                    let score = scores[number][row]
                    let error = Double(candidate.estimate) - score
                    estimates += 1
                    bias -= error / (both * norms[row] * distances[number])
                    relativeError += abs(error) / abs(score)
                    if Double(candidate.lower) > score { below += 1 }
                    if Double(candidate.lower) > score || Double(candidate.upper) < score {
                        outside += 1
                    }
                }
            }
        }
    }
}

/// What RaBitQ promises, on data for which it is known.
@Suite struct CodeAccuracyTests {
    private func vectors(_ count: Int, _ dimension: Int, seed: UInt64) -> [[Float]] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in normal(dimension, &random) }
    }

    private func expectBoundsToHold(_ accuracy: Accuracy) {
        #expect(accuracy.part(accuracy.outside) <= 0.075)
        #expect(accuracy.part(accuracy.below) <= 0.04)
        // A bound that always holds would be too wide to rule anything out.
        #expect(accuracy.part(accuracy.outside) >= 0.03)
    }

    @Test(arguments: [(64, 0.801, 0.077), (128, 0.7996, 0.055), (256, 0.7984, 0.039)])
    func theSignPlaneIsAsExactAsPublished(dimension: Int, alignment: Double, relative: Double) {
        let accuracy = Accuracy(
            vectors: vectors(60, dimension, seed: 1), queries: vectors(40, dimension, seed: 2),
            centroid: [Float](repeating: 0, count: dimension), bits: 1, rotations: 25)
        let mean = (
            accuracy.mean(accuracy.alignment), accuracy.mean(accuracy.bias),
            accuracy.mean(accuracy.relativeError)
        )
        print(
            "codes: \(dimension) x 1 bit: <code, residual> \(mean.0), bias \(mean.1), relative",
            "error \(mean.2), outside \(accuracy.part(accuracy.outside)),",
            "below \(accuracy.part(accuracy.below))")
        #expect(abs(mean.0 - alignment) < 0.004)
        #expect(abs(mean.1) < 1e-3)
        #expect(abs(mean.2 / relative - 1) < 0.15)
        expectBoundsToHold(accuracy)
    }

    @Test(arguments: [Metric.l2, .dot])
    func everyBitHalvesTheErrorAndBoundsHold(metric: Metric) {
        let dimension = 128
        var random = SeededRandom(seed: 3)
        let centroid = normal(dimension, &random)
        let vectors = vectors(50, dimension, seed: 4).map { zip($0, centroid).map(+) }
        let queries = self.vectors(20, dimension, seed: 5).map { zip($0, centroid).map(+) }
        var errors: [Double] = []
        for bits in 1...8 {
            let accuracy = Accuracy(
                vectors: vectors, queries: queries, centroid: centroid, bits: bits,
                metric: metric, rotations: 4)
            expectBoundsToHold(accuracy)
            errors.append(accuracy.mean(accuracy.relativeError))
        }
        print("codes: \(metric), mean relative error for 1 to 8 bits: \(errors)")
        // The last bits are as fine as the query's 8, whose rounding they cannot undo.
        for bits in 1..<6 { #expect(errors[bits - 1] / errors[bits] > 1.6) }
        for bits in 1..<8 { #expect(errors[bits - 1] / errors[bits] > 1.2) }
        for bits in 1..<8 { #expect(errors[bits - 1] / errors[bits] < 2.4) }
    }

    /// Lengths along axes fall as 1 / axis, so that a few of them decide.
    @Test(arguments: [1, 4])
    func skewedDataKeepsItsBoundsByTheRotationOnly(bits: Int) {
        func skewed(_ count: Int, seed: UInt64) -> [[Float]] {
            vectors(count, 128, seed: seed).map { vector in
                vector.enumerated().map { $1 / Float($0 + 1) }
            }
        }
        let centroid = [Float](repeating: 0.1, count: 128)
        let (data, queries) = (skewed(60, seed: 6), skewed(40, seed: 7))
        let rotated = Accuracy(
            vectors: data, queries: queries, centroid: centroid, bits: bits, rotations: 6)
        #expect(rotated.part(rotated.outside) <= 0.075)
        #expect(rotated.part(rotated.below) <= 0.04)
        #expect(abs(rotated.mean(rotated.bias)) < 0.005)
        let plain = Accuracy(
            vectors: data, queries: queries, centroid: centroid, bits: bits, rotations: 1,
            isRotated: false)
        #expect(plain.part(plain.outside) > 0.15)
    }

    /// Far from the origin the query's rounding is the larger part of the error; bounds know it.
    @Test(arguments: [1, 4, 8])
    func boundsHoldForResidualsThatAreSmallBesideTheQuery(bits: Int) {
        var random = SeededRandom(seed: 8)
        let centroid = normal(128, &random).map { 30 * $0 }
        let data = vectors(50, 128, seed: 9).map { zip($0, centroid).map(+) }
        let queries = vectors(40, 128, seed: 10).map { zip($0, centroid).map(+) }
        let accuracy = Accuracy(
            vectors: data, queries: queries, centroid: centroid, bits: bits, rotations: 8)
        print(
            "codes: far from the origin, \(bits) bits: \(accuracy.part(accuracy.outside)) outside")
        #expect(accuracy.part(accuracy.outside) <= 0.08)
    }
}
