import CKernels

/// What holds for all rows of one scan of differences.
public struct DifferenceScanTerms: Sendable {
    public var base: Float
    /// What a row's scale times its product is multiplied with.
    public var factor: Float
    /// What a row's length is counted in, before its scale; 0 leaves lengths out.
    public var lengthUnit: Float
    /// Rows whose estimate is larger are left out.
    public var cut: Float

    public init(base: Float, factor: Float, lengthUnit: Float, cut: Float) {
        self.base = base
        self.factor = factor
        self.lengthUnit = lengthUnit
        self.cut = cut
    }
}

/// Vectors as int8 differences from a centre. Every instruction level gives the same bits.
extension Kernels {
    /// The score of one row against another one, as if the former were the query.
    /// - Precondition: the rows lie within the arrays.
    public static func score(
        _ kind: ScoreKind, row: Int, of queries: [Float], with other: Int, of rows: [Float],
        dimension: Int
    ) -> Float {
        checkRow(row, of: queries, dimension)
        checkRow(other, of: rows, dimension)
        var score: Float = 0
        unsafe queries.withUnsafeBufferPointer { queries in
            unsafe rows.withUnsafeBufferPointer { rows in
                let query = unsafe queries.baseAddress! + row * dimension
                let first = unsafe rows.baseAddress! + other * dimension
                switch kind {
                case .squaredL2:
                    unsafe loci_score_l2sq_f32(query, first, dimension, 1, dimension, &score)
                case .dot:
                    unsafe loci_score_dot_f32(query, first, dimension, 1, dimension, &score)
                }
            }
        }
        return score
    }

    /// Brings the start of a row, which will be scored soon, towards the processor; it sees by
    /// itself that the rest follows.
    /// - Precondition: the row lies within the array.
    public static func fetch(row: Int, of rows: [Float], dimension: Int) {
        checkRow(row, of: rows, dimension)
        unsafe rows.withUnsafeBytes { rows in
            let rowBytes = dimension * MemoryLayout<Float>.stride
            let first = unsafe (rows.baseAddress! + row * rowBytes)
                .assumingMemoryBound(to: UInt8.self)
            unsafe loci_fetch(first, min(rowBytes, 512))
        }
    }

    /// Writes what a vector differs by from row `row` of `centres`, divided by a scale and rounded,
    /// into `codes`, and returns the scale, and the Euclidean norm of what rounding has changed.
    /// - Parameter shortScale: The scale is rounded up to 8 bits of mantissa, so that its upper
    ///   half says all of it.
    /// - Precondition: vector and codes have the same positive length; the row lies within.
    public static func encodeDifference(
        _ vector: [Float], minus row: Int, of centres: [Float], shortScale: Bool,
        codes: inout [Int8], level: InstructionLevel = .best
    ) -> (scale: Float, error: Float) {
        let dimension = codes.count
        precondition(vector.count == dimension, "vectors differ in length")
        precondition(level <= .best, "the machine lacks these instructions")
        checkRow(row, of: centres, dimension)
        var (scale, error) = (Float(0), Float(0))
        unsafe centres.withUnsafeBufferPointer { centres in
            let centre = unsafe centres.baseAddress! + row * dimension
            unsafe loci_difference_encode(
                level.rawValue, vector, centre, dimension, shortScale ? 1 : 0, &codes, &scale,
                &error)
        }
        return (scale, error)
    }

    /// Finds rows whose estimated score is not above the cut, in order: writes their numbers and
    /// estimates to the front of `slots` and `estimates`, and returns how many. The upper half of a
    /// factor is that of the row's scale, a float32, the lower half its length in units. An
    /// estimate is `base + factor * scale * <query, row> + (length * lengthUnit * scale)^2`.
    /// - Precondition: there are as many rows as factors, of the query's positive length, at most
    ///   65,536; `slots` and `estimates` have room for all.
    public static func scanDifferences(
        _ rows: [Int8], factors: [UInt32], query: [Int8], terms: DifferenceScanTerms,
        slots: inout [UInt32], estimates: inout [Float], level: InstructionLevel = .best
    ) -> Int {
        let count = factors.count
        precondition((1...maximumInt8Dimension).contains(query.count), "not a row's length")
        precondition(rows.count == count * query.count, "rows are not whole")
        precondition(slots.count >= count && estimates.count >= count, "no room for what is found")
        precondition(level <= .best, "the machine lacks these instructions")
        return unsafe query.withUnsafeBufferPointer { query in
            var scan = unsafe loci_difference_query(
                query: query.baseAddress!, dimension: query.count, base: terms.base,
                factor: terms.factor, length_unit: terms.lengthUnit, cut: terms.cut)
            return unsafe loci_difference_scan(
                level.rawValue, &scan, rows, factors, count, &slots, &estimates)
        }
    }

    private static func checkRow(_ row: Int, of rows: [Float], _ dimension: Int) {
        precondition(
            dimension > 0 && row >= 0 && row < rows.count / dimension, "row out of bounds")
    }
}
