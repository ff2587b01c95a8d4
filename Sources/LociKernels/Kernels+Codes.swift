import CKernels
public import LociBase

/// A row that a scan could not rule out. Scores are squared distances, or minus the inner product:
/// the smaller, the nearer.
public struct CodeCandidate: Sendable, Equatable {
    // In the order and with the sizes of `loci_code_candidate`.
    public var cell: UInt32
    public var tag: UInt32
    public var estimate: Float
    public var lower: Float
    public var upper: Float

    public init(cell: UInt32, tag: UInt32, estimate: Float, lower: Float, upper: Float) {
        self.cell = cell
        self.tag = tag
        self.estimate = estimate
        self.lower = lower
        self.upper = upper
    }
}

/// A rotated query in 8-bit integers: `query[k]` is about `step * values[k]`.
public struct QuantisedQuery: Sendable {
    /// -127 to 127; as many as the padded dimension.
    public let values: [Int8]
    /// The eight planes of the values' two's complement, the most significant first.
    let planes: [UInt64]
    /// Sum of the values.
    let sum: Int32
    public let step: Float
    /// Euclidean norm of what rounding has changed.
    public let error: Float

    /// - Precondition: the length is a multiple of 64, at most `Kernels.maximumCodeDimension`; the
    ///   values are finite.
    public init(_ rotated: [Float], level: InstructionLevel = .best) {
        let words = Kernels.codeWords(rotated.count, level)
        var values = [Int8](repeating: 0, count: rotated.count)
        var planes = [UInt64](repeating: 0, count: 8 * words)
        var (sum, step, error) = (Int32(0), Float(0), Float(0))
        unsafe loci_code_query(
            level.rawValue, rotated, rotated.count, &values, &planes, &sum, &step, &error)
        (self.values, self.planes, self.sum, self.step, self.error) = (
            values, planes, sum, step, error
        )
    }
}

/// What holds for all rows of one scan of codes.
public struct CodeScanTerms: Sendable {
    /// The part of the estimates that only the centroid and the query decide.
    public var addend: Float
    /// What the errors of the sign planes and of whole codes are multiplied with.
    public var signSpread: Float
    public var spread: Float
    /// Rows whose lower bound is above it are left out.
    public var threshold: Float

    public init(addend: Float, signSpread: Float, spread: Float, threshold: Float) {
        self.addend = addend
        self.signSpread = signSpread
        self.spread = spread
        self.threshold = threshold
    }
}

/// Rotation, encoding and scanning of codes; `LociSearch` says what they are for. Every instruction
/// level gives the same bits.
extension Kernels {
    /// The longest padded vector whose products cannot overflow int32.
    public static let maximumCodeDimension = 32_768

    /// Bytes of a row beside its planes: two numbers, and three factors for the sign plane and, of
    /// several bits, three for the whole code.
    public static func codeHeaderBytes(bits: Int) -> Int {
        signPlaneOffset + (bits > 1 ? MemoryLayout<loci_code_factors>.size : 0)
    }

    /// The sign plane lies behind its factors, so that a scan that looks at nothing else of most
    /// rows touches as few cache lines as it can.
    private static let signPlaneOffset = 20

    static func codeWords(_ padded: Int, _ level: InstructionLevel) -> Int {
        precondition(
            padded > 0 && padded % 64 == 0 && padded <= maximumCodeDimension,
            "not a padded dimension")
        precondition(level <= .best, "the machine lacks these instructions")
        return padded / 64
    }

    /// Pads the vector with zeros and rotates it by four rounds of factors and Hadamard transforms;
    /// `factors` holds as many elements for each round as the result has.
    public static func rotate(
        _ vector: [Float], factors: [Float], level: InstructionLevel = .best
    ) -> [Float] {
        let padded = factors.count / 4
        _ = codeWords(padded, level)
        precondition(factors.count % 4 == 0 && vector.count <= padded, "vector too long")
        return unsafe [Float](unsafeUninitializedCapacity: padded) { rotated, initialized in
            unsafe loci_rotate(
                level.rawValue, vector, vector.count, factors, padded, rotated.baseAddress!)
            initialized = padded
        }
    }

    /// Appends one row. See `CodeFormat` for what it holds.
    /// - Precondition: both vectors have the same padded length; 1 to 8 bits.
    public static func appendCode(
        of vector: [Float], centroid: [Float], bits: Int, fineness: Float, isDot: Bool,
        cell: UInt32, tag: UInt32, to rows: inout [UInt8], level: InstructionLevel = .best
    ) {
        let words = codeWords(vector.count, level)
        precondition(vector.count == centroid.count, "vectors differ in length")
        precondition((1...8).contains(bits), "not a code's bits")
        let start = rows.count
        let header = codeHeaderBytes(bits: bits)
        rows.append(contentsOf: repeatElement(0, count: header + 8 * words * bits))
        unsafe rows.withUnsafeMutableBytes { buffer in
            let row = unsafe buffer.baseAddress! + start
            unsafe row.storeBytes(of: cell.littleEndian, as: UInt32.self)
            unsafe row.storeBytes(of: tag.littleEndian, toByteOffset: 4, as: UInt32.self)
            let none = loci_code_factors()
            unsafe withUnsafeTemporaryAllocation(of: loci_code_factors.self, capacity: 2) {
                factors in
                unsafe factors.initialize(repeating: none)
                unsafe loci_code_encode(
                    level.rawValue, vector, centroid, vector.count, Int32(bits), fineness,
                    isDot ? 1 : 0, (row + header).assumingMemoryBound(to: UInt8.self),
                    factors.baseAddress!)
                let one = MemoryLayout<loci_code_factors>.size
                unsafe (row + 8).copyMemory(from: factors.baseAddress!, byteCount: one)
                guard bits > 1 else { return }
                // The sign plane moves to the front, and the factors of the whole code behind it.
                unsafe (row + signPlaneOffset).copyMemory(from: row + header, byteCount: 8 * words)
                unsafe (row + signPlaneOffset + 8 * words).copyMemory(
                    from: factors.baseAddress! + 1, byteCount: one)
            }
        }
    }

    /// Brings the first rows of codes that start at byte `offset` towards the processor, to be
    /// called shortly before they are scanned.
    /// - Precondition: as for `scanCodes`, with a vector of `length` elements.
    public static func fetchCodes(
        _ rows: Bytes, at offset: Int, count: Int, bits: Int, length: Int
    ) {
        let words = (length + 63) / 64
        let stride = codeHeaderBytes(bits: bits) + 8 * words * bits
        precondition(
            offset >= 0 && offset <= rows.count && count >= 0
                && count <= (rows.count - offset) / stride, "rows out of bounds")
        unsafe rows.withUnsafeBytes { bytes in
            let first = unsafe (bytes.baseAddress! + offset).assumingMemoryBound(to: UInt8.self)
            unsafe loci_code_fetch(first, stride, count, signPlaneOffset + 8 * words)
        }
    }

    /// Brings the rows of cells that were found, in a table of rows in the order of their cells,
    /// towards the processor. Cells beyond the table are left out.
    @inlinable public static func fetchCells<Row: BitwiseCopyable>(
        of found: [CodeCandidate], in table: [Row]
    ) {
        unsafe table.withUnsafeBytes { rows in
            unsafe fetchCells(of: found, in: rows, rowBytes: MemoryLayout<Row>.stride)
        }
    }

    @usableFromInline static func fetchCells(
        of found: [CodeCandidate], in table: UnsafeRawBufferPointer, rowBytes: Int
    ) {
        unsafe found.withUnsafeBytes { found in
            guard let rows = table.baseAddress, let first = found.baseAddress else {
                return
            }
            unsafe loci_candidate_fetch(
                first.assumingMemoryBound(to: loci_code_candidate.self),
                found.count / MemoryLayout<loci_code_candidate>.stride,
                rows.assumingMemoryBound(to: UInt8.self), rowBytes, table.count / rowBytes)
        }
    }

    /// Brings up to 512 bytes from byte `offset` on, which will be read soon, towards the
    /// processor; it sees by itself that the next ones follow.
    /// - Precondition: the offset lies within the bytes.
    public static func fetch(_ bytes: Bytes, at offset: Int, count: Int) {
        precondition(offset >= 0 && count >= 0 && offset <= bytes.count - count, "out of bounds")
        unsafe bytes.withUnsafeBytes { buffer in
            let first = unsafe (buffer.baseAddress! + offset).assumingMemoryBound(to: UInt8.self)
            unsafe loci_fetch(first, min(count, 512))
        }
    }

    /// Writes the rows that cannot be ruled out to the front of `found` and returns how many.
    /// - Precondition: `count` rows of codes of the query's length start at byte `offset`;
    ///   `found` has room for them.
    public static func scanCodes(
        _ rows: Bytes, at offset: Int, count: Int, bits: Int, query: QuantisedQuery,
        terms: CodeScanTerms, found: inout [CodeCandidate], level: InstructionLevel = .best
    ) -> Int {
        let words = codeWords(query.values.count, level)
        let stride = codeHeaderBytes(bits: bits) + 8 * words * bits
        precondition((1...8).contains(bits), "not a code's bits")
        precondition(
            offset >= 0 && offset <= rows.count && count >= 0
                && count <= (rows.count - offset) / stride, "rows out of bounds")
        precondition(found.count >= count, "no room for what is found")
        precondition(
            MemoryLayout<CodeCandidate>.stride == MemoryLayout<loci_code_candidate>.stride)
        return unsafe rows.withUnsafeBytes { bytes in
            unsafe query.values.withUnsafeBufferPointer { values in
                unsafe query.planes.withUnsafeBufferPointer { planes in
                    var scan = unsafe loci_code_scan_query(
                        values: values.baseAddress!, planes: planes.baseAddress!, words: words,
                        sum: query.sum, bits: Int32(bits), step: query.step, addend: terms.addend,
                        sign_spread: terms.signSpread, spread: terms.spread,
                        threshold: terms.threshold)
                    let first = unsafe (bytes.baseAddress! + offset)
                        .assumingMemoryBound(to: UInt8.self)
                    return unsafe found.withUnsafeMutableBytes { target in
                        guard let to = target.baseAddress else { return 0 }
                        return unsafe loci_code_scan(
                            level.rawValue, first, stride, count, &scan,
                            to.assumingMemoryBound(to: loci_code_candidate.self))
                    }
                }
            }
        }
    }
}
