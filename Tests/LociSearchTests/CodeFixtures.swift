import LociBase
import LociKernels
import LociModel
import LociSearch

/// Normally distributed values (Box and Muller).
func normal(_ count: Int, _ random: inout SeededRandom) -> [Float] {
    (0..<count).map { _ in
        let radius = (-2 * logarithm(1 - random.unit())).squareRoot()
        return Float(radius * cosine(random.unit()))
    }
}

/// Natural logarithm of a positive number: its exponent, and a series of its significand.
private func logarithm(_ value: Double) -> Double {
    let z = (value.significand - 1) / (value.significand + 1)
    var (sum, power) = (0.0, z)
    for k in stride(from: 1.0, to: 40, by: 2) {
        sum += power / k
        power *= z * z
    }
    return 2 * sum + Double(value.exponent) * 0.693147180559945309
}

/// Cosine of a part of the full turn, by its series.
private func cosine(_ turn: Double) -> Double {
    let x = (turn - 0.5) * 2 * Double.pi
    var (sum, term) = (1.0, 1.0)
    for k in stride(from: 1.0, to: 40, by: 2) {
        term *= -x * x / (k * (k + 1))
        sum += term
    }
    return -sum
}

func product(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
}

func squaredDistance(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
}

/// What a scan of coded vectors must find, computed plainly: every row's code decoded, the formulas
/// of `CodeFormat` in double precision.
struct DecodedRow {
    let cell: UInt32
    let tag: UInt32
    /// Addend, rescale, error of the sign plane and of the whole code.
    let signFactors: [Float]
    let factors: [Float]
    /// Odd integers.
    let signs: [Int]
    let code: [Int]

    init(_ rows: Bytes, at offset: Int, format: CodeFormat) {
        cell = rows.load(UInt32.self, at: offset)
        tag = rows.load(UInt32.self, at: offset + 4)
        signFactors = (0..<3).map { rows.load(Float.self, at: offset + 8 + 4 * $0) }
        let planeBytes = format.paddedDimension / 8
        let rest = offset + 20 + planeBytes
        factors =
            format.bits == 1
            ? signFactors : (0..<3).map { rows.load(Float.self, at: rest + 4 * $0) }
        let bits = (0..<format.bits).map { plane in
            (0..<format.paddedDimension).map { k in
                let start = plane == 0 ? offset + 20 : rest + 12 + (plane - 1) * planeBytes
                let byte = rows[start + k / 8]
                return Int(byte >> UInt8(k % 8) & 1)
            }
        }
        signs = bits[0].map { 2 * $0 - 1 }
        code = (0..<format.paddedDimension).map { k in
            (0..<format.bits).reduce(0) { 2 * $0 + 2 * bits[$1][k] - 1 }
        }
    }
}

/// Vectors coded with one centroid, and queries to scan them with.
struct CodedSet {
    let format: CodeFormat
    let rotation: CodeRotation
    let centroid: [Float]
    let vectors: [[Float]]
    let rows: Bytes

    init(
        vectors: [[Float]], centroid: [Float], bits: Int, metric: Metric, seed: UInt64 = 1,
        level: InstructionLevel = .best
    ) {
        let format = CodeFormat(dimension: centroid.count, bits: bits, metric: metric)
        let rotation = CodeRotation(dimension: centroid.count, seed: seed)
        let rotated = rotation.rotate(centroid)
        var rows: [UInt8] = []
        for (row, vector) in vectors.enumerated() {
            format.append(
                vector: rotation.rotate(vector), centroid: rotated, cell: UInt32(row),
                tag: UInt32(row * 7), to: &rows, level: level)
        }
        self.format = format
        self.rotation = rotation
        self.centroid = centroid
        self.vectors = vectors
        self.rows = Bytes(rows)
    }

    func origin(_ query: [Float]) -> CodeOrigin {
        let distance = Float(squaredDistance(query, centroid))
        return format.metric == .dot
            ? CodeOrigin(
                innerProduct: Float(product(query, centroid)), squaredDistance: distance)
            : CodeOrigin(squaredDistance: distance)
    }

    /// The score that rows estimate.
    func score(_ query: [Float], _ row: Int) -> Double {
        format.metric == .dot
            ? -product(query, vectors[row]) : squaredDistance(query, vectors[row])
    }

    func scan(
        _ query: [Float], epsilon: Float = 1.9, threshold: Float = .infinity,
        level: InstructionLevel = .best
    ) -> [CodeCandidate] {
        let quantised = CodeQuery(rotated: rotation.rotate(query), format: format, level: level)
        var scanner = CodeScanner(query: quantised, epsilon: epsilon, level: level)
        var found: [CodeCandidate] = []
        scanner.scan(
            rows, at: 0, count: vectors.count, origin: origin(query), threshold: threshold,
            into: &found)
        return found
    }
}
