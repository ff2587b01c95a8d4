import CKernels
public import LociBase

/// What a kernel computes for a row. What a metric makes of it is the caller's business.
public enum ScoreKind: Sendable, CaseIterable {
    /// Squared Euclidean distance; smaller is nearer.
    case squaredL2
    /// Inner product; larger is nearer.
    case dot
}

/// The vector kernels, in safe Swift.
///
/// Invariants:
/// - Shapes are checked here, so that the kernels stay within their memory.
/// - On one machine a row's score does not depend on the rows scored with it. Sums are taken in
///   lanes; another instruction set rounds differently in the last bits.
public enum Kernels {
    /// Appends the scores of `count` contiguous float32 rows that start at byte `offset` of `rows`;
    /// a row has as many elements as the query. Any offset is fine, aligned or not.
    /// - Precondition: the rows lie within the bytes.
    public static func score(
        _ kind: ScoreKind, query: [Float], rows: Bytes, at offset: Int, count: Int,
        into scores: inout [Float]
    ) {
        let rowBytes = query.count * MemoryLayout<Float>.stride
        precondition(offset >= 0 && count >= 0 && offset <= rows.count, "rows out of bounds")
        precondition(
            rowBytes == 0 || count <= (rows.count - offset) / rowBytes, "rows out of bounds")
        unsafe rows.withUnsafeBytes { bytes in
            let first = unsafe bytes.baseAddress! + offset
            unsafe append(
                kind, query, first.assumingMemoryBound(to: Float.self), count, &scores)
        }
    }

    /// The score of the float32 row that starts at byte `offset` of `rows`, aligned or not.
    /// - Precondition: the row lies within the bytes.
    public static func score(
        _ kind: ScoreKind, query: [Float], row rows: Bytes, at offset: Int
    ) -> Float {
        let rowBytes = query.count * MemoryLayout<Float>.stride
        precondition(offset >= 0 && offset <= rows.count - rowBytes, "row out of bounds")
        var score: Float = 0
        unsafe rows.withUnsafeBytes { bytes in
            let row = unsafe (bytes.baseAddress! + offset).assumingMemoryBound(to: Float.self)
            switch kind {
            case .squaredL2:
                unsafe loci_score_l2sq_f32(query, row, query.count, 1, query.count, &score)
            case .dot: unsafe loci_score_dot_f32(query, row, query.count, 1, query.count, &score)
            }
        }
        return score
    }

    /// Appends the scores of all rows; `rows.count` is a multiple of the query's elements.
    public static func score(
        _ kind: ScoreKind, query: [Float], rows: [Float], into scores: inout [Float]
    ) {
        let count = rowCount(of: rows, dimension: query.count)
        unsafe rows.withUnsafeBufferPointer { buffer in
            guard let first = buffer.baseAddress else { return }
            unsafe append(kind, query, first, count, &scores)
        }
    }

    /// The row with the smallest Euclidean distance, the first of equals; nil when there is no row
    /// or no distance is finite. `rows.count` is a multiple of the query's elements.
    public static func nearest(
        _ query: [Float], among rows: [Float]
    ) -> (index: Int, squaredDistance: Float)? {
        let count = rowCount(of: rows, dimension: query.count)
        var distance: Float = 0
        let index = unsafe loci_nearest_l2sq_f32(query, rows, count, query.count, &distance)
        return index < count ? (index, distance) : nil
    }

    /// Inner product of two vectors of the same length.
    public static func dot(_ a: [Float], _ b: [Float]) -> Float {
        precondition(a.count == b.count, "vectors differ in length")
        return unsafe loci_dot_f32(a, b, a.count)
    }

    /// Divides by the Euclidean norm and returns that norm. A zero vector, and one whose norm is
    /// not finite, stays as it is.
    public static func normalize(_ vector: inout [Float]) -> Float {
        let count = vector.count
        return unsafe loci_normalize_f32(&vector, count)
    }

    /// Whether none of the little-endian float32 values in `bytes` is NaN or infinite.
    /// - Precondition: the length is a multiple of 4.
    public static func allFinite(_ bytes: Bytes) -> Bool {
        precondition(bytes.count % MemoryLayout<Float>.stride == 0, "not whole floats")
        return unsafe bytes.withUnsafeBytes { buffer in
            let first = unsafe buffer.baseAddress!.assumingMemoryBound(to: Float.self)
            return unsafe loci_all_finite_f32(first, buffer.count / 4) != 0
        }
    }

    /// Whether no value is NaN or infinite.
    public static func allFinite(_ values: [Float]) -> Bool {
        unsafe loci_all_finite_f32(values, values.count) != 0
    }

    /// Adds a vector of the same length, element by element.
    public static func add(_ row: [Float], to accumulator: inout [Float]) {
        precondition(row.count == accumulator.count, "vectors differ in length")
        unsafe loci_add_f32(&accumulator, row, row.count)
    }

    /// Adds the float32 row that starts at byte `offset` of `rows`, element by element.
    /// - Precondition: the row lies within the bytes.
    public static func add(_ rows: Bytes, at offset: Int, to accumulator: inout [Float]) {
        let count = accumulator.count
        let rowBytes = count * MemoryLayout<Float>.stride
        precondition(offset >= 0 && offset <= rows.count - rowBytes, "row out of bounds")
        unsafe rows.withUnsafeBytes { bytes in
            let first = unsafe (bytes.baseAddress! + offset).assumingMemoryBound(to: Float.self)
            unsafe loci_add_f32(&accumulator, first, count)
        }
    }

    /// Multiplies every element.
    public static func scale(_ vector: inout [Float], by factor: Float) {
        let count = vector.count
        unsafe loci_scale_f32(&vector, factor, count)
    }

    /// Name of the instruction set in use, such as `AVX3`.
    public static var target: String { unsafe String(cString: loci_kernel_target()) }

    private static func rowCount(of rows: [Float], dimension: Int) -> Int {
        precondition(
            dimension > 0 ? rows.count % dimension == 0 : rows.isEmpty, "rows are not whole")
        return dimension > 0 ? rows.count / dimension : 0
    }

    private static func append(
        _ kind: ScoreKind, _ query: [Float], _ rows: UnsafePointer<Float>, _ count: Int,
        _ scores: inout [Float]
    ) {
        let start = scores.count
        scores.append(contentsOf: repeatElement(0, count: count))
        unsafe scores.withUnsafeMutableBufferPointer { target in
            guard let base = target.baseAddress else { return }
            let first = unsafe base + start
            switch kind {
            case .squaredL2:
                unsafe loci_score_l2sq_f32(query, rows, query.count, count, query.count, first)
            case .dot:
                unsafe loci_score_dot_f32(query, rows, query.count, count, query.count, first)
            }
        }
    }
}
