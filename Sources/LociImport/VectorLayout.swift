import LociBase
import LociModel

/// How the rows of a vector file lie, from its header or from its first row.
///
/// Invariants:
/// - `rows` times `rowBytes` is what the file holds behind its header, no more and no less.
/// - `dimension` is 1 to `Limits.dimension`.
struct VectorLayout {
    enum Element {
        case float32, float16, uint8, int32

        var bytes: Int {
            switch self {
            case .float32, .int32: 4
            case .float16: 2
            case .uint8: 1
            }
        }
    }

    var kind: String
    var element: Element
    var headerBytes: UInt64
    var rows: UInt64
    var dimension: Int
    /// Every row repeats the dimension in 32 bits before its elements.
    var repeatsDimension: Bool

    var rowBytes: Int { (repeatsDimension ? 4 : 0) + dimension * element.bytes }

    static let suffixes = ["npy", "fvecs", "bvecs", "ivecs", "fbin", "u8bin"]

    /// Reads the header and leaves `file` behind it, at the first row.
    static func read(_ file: InputFile, suffix: String) throws(LociError) -> VectorLayout {
        switch suffix {
        case "npy": try readArrayFile(file)
        case "fbin": try readCounted(file, suffix, .float32)
        case "u8bin": try readCounted(file, suffix, .uint8)
        case "fvecs": try readRepeating(suffix, .float32, file)
        case "bvecs": try readRepeating(suffix, .uint8, file)
        default: try readRepeating(suffix, .int32, file)
        }
    }

    /// `.fbin`, `.u8bin`: rows and dimension, 32 bits each, then the elements.
    private static func readCounted(
        _ file: InputFile, _ kind: String, _ element: Element
    ) throws(LociError) -> VectorLayout {
        let header = try file.read(8)
        guard header.count == 8 else { throw foreign(file.path, kind) }
        let layout = VectorLayout(
            kind: kind, element: element, headerBytes: 8,
            rows: UInt64(header.load(UInt32.self, at: 0)),
            dimension: Int(header.load(UInt32.self, at: 4)), repeatsDimension: false)
        try layout.check(file, remaining: try file.remainingBytes())
        return layout
    }

    /// `.fvecs`, `.bvecs`, `.ivecs`: each row is its dimension in 32 bits, then its elements.
    private static func readRepeating(
        _ kind: String, _ element: Element, _ file: InputFile
    ) throws(LociError) -> VectorLayout {
        let other = try InputFile(path: file.path)
        let first = try other.read(4)
        guard first.count == 4 else { throw foreign(file.path, kind) }
        let dimension = Int(first.load(Int32.self, at: 0))
        try checkDimension(dimension, file.path, kind)
        var layout = VectorLayout(
            kind: kind, element: element, headerBytes: 0, rows: 0, dimension: dimension,
            repeatsDimension: true)
        let size = try file.remainingBytes()
        let rowBytes = UInt64(layout.rowBytes)
        guard size % rowBytes == 0 else {
            throw LociError(
                .dataLoss,
                "'\(file.path)' is cut short or not .\(kind): its \(size) bytes are no whole "
                    + "number of rows of dimension \(dimension).",
                advice: "Fetch or write it again.")
        }
        layout.rows = size / rowBytes
        return layout
    }

    private static func readArrayFile(_ file: InputFile) throws(LociError) -> VectorLayout {
        let start = try file.read(8)
        guard start.count == 8, start.slice(0..<6).array == [0x93] + Array("NUMPY".utf8) else {
            throw foreign(file.path, "npy")
        }
        let isFirstVersion = start[6] == 1
        let lengthBytes = isFirstVersion ? 2 : 4
        let lengthField = try file.read(lengthBytes)
        guard (1...3).contains(start[6]), lengthField.count == lengthBytes else {
            throw foreign(file.path, "npy")
        }
        let length =
            isFirstVersion
            ? Int(lengthField.load(UInt16.self, at: 0))
            : Int(lengthField.load(UInt32.self, at: 0))
        guard length <= ImportLimits.npyHeaderBytes else { throw foreign(file.path, "npy") }
        let text = try file.read(length)
        guard text.count == length, let header = ArrayHeader(text.array) else {
            throw foreign(file.path, "npy")
        }
        let layout = try header.layout(
            path: file.path, headerBytes: UInt64(8 + lengthBytes + length))
        try layout.check(file, remaining: try file.remainingBytes())
        return layout
    }

    private func check(_ file: InputFile, remaining: UInt64) throws(LociError) {
        try Self.checkDimension(dimension, file.path, kind)
        let (expected, overflow) = rows.multipliedReportingOverflow(by: UInt64(rowBytes))
        guard !overflow, expected <= remaining else {
            throw LociError(
                .dataLoss,
                "'\(file.path)' is cut short: its header promises \(rows) rows of dimension "
                    + "\(dimension), it holds \(remaining / UInt64(rowBytes)).",
                advice: "Fetch or write it again.")
        }
        guard expected == remaining else {
            throw LociError(
                .dataLoss,
                "'\(file.path)' holds \(remaining - expected) bytes more than the \(rows) rows of "
                    + "dimension \(dimension) that its header promises.",
                advice: "Its header or its suffix is wrong: write it again.")
        }
    }

    private static func checkDimension(
        _ dimension: Int, _ path: String, _ kind: String
    ) throws(LociError) {
        guard (1...Limits.dimension).contains(dimension) else {
            throw LociError(
                .invalidArgument,
                "'\(path)' would have dimension \(dimension), which is not possible.",
                advice: "A dimension is 1 to \(Limits.dimension); is it a .\(kind) file?")
        }
    }

    private static func foreign(_ path: String, _ kind: String) -> LociError {
        LociError(
            .invalidArgument, "'\(path)' is not a .\(kind) file: its header does not read as one.",
            advice: "Check the file, or its suffix.")
    }
}
