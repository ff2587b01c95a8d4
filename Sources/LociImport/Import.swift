import LociBase
public import LociModel

/// The way in for data: files of vectors, JSON lines and text, each also packed with gzip.
///
/// Formats go by the file's suffix: `.npy` (f4, f2, u1; one or two axes), `.fvecs`, `.bvecs`,
/// `.fbin`, `.u8bin`, `.jsonl`, `.txt`, `.md`; a folder is text. Points of vector files are
/// numbered from 0.
public enum Import {
    /// Opens a source at a row, 0 for its beginning. Of a packed vector file the whole size is
    /// checked by unpacking it once before the first row is given.
    /// - Throws: NOT_FOUND, INVALID_ARGUMENT or DATA_LOSS with what to do; nothing was read then.
    public static func open(
        path: String, skippingRows: UInt64 = 0
    ) throws(LociError) -> any PointSource {
        switch try format(of: path) {
        case .vectors(let suffix):
            try VectorFileSource(path: path, suffix: suffix, skippingRows: skippingRows)
        case .jsonLines: try JSONLinesSource(path: path, skippingRows: skippingRows)
        case .text: try TextSource(file: path, skippingRows: skippingRows)
        case .folder: try TextSource(folder: path, skippingRows: skippingRows)
        }
    }

    /// Opens a file of vectors together with a file of their payloads: one JSON object per line,
    /// line n for row n - 1; an empty line is a point without payload.
    /// - Throws: as `open`; INVALID_ARGUMENT when the first is no file of vectors, when the number
    ///   of lines is not that of the rows, and while reading, with its number, for a line that is
    ///   not a JSON object or has more than `Limits.payloadBytes`.
    public static func open(
        vectors path: String, payloads: String, skippingRows: UInt64 = 0
    ) throws(LociError) -> any PointSource {
        guard case .vectors(let suffix) = try format(of: path) else {
            throw LociError(
                .invalidArgument, "'\(path)' brings its own payloads.",
                advice: "Payloads of their own file belong to .npy .fvecs .bvecs .fbin .u8bin.")
        }
        let vectors = try VectorFileSource(path: path, suffix: suffix, skippingRows: skippingRows)
        return try PayloadSource(vectors, payloads: payloads, skippingRows: skippingRows)
    }

    /// What a source says of itself.
    /// - Throws: as `open`.
    public static func describe(path: String) throws(LociError) -> SourceDescription {
        let bytes = try FileSystem.entry(path).bytes
        switch try format(of: path) {
        case .vectors(let suffix):
            let source = try VectorFileSource(path: path, suffix: suffix, skippingRows: 0)
            return SourceDescription(
                kind: suffix, rows: source.rows, dimension: source.dimension, isText: false,
                bytes: bytes)
        case .jsonLines:
            let source = try JSONLinesSource(path: path, skippingRows: 0)
            return SourceDescription(
                kind: "jsonl", rows: nil, dimension: source.vectorDimension,
                isText: source.isText, bytes: bytes)
        case .text:
            return SourceDescription(
                kind: "text", rows: nil, dimension: nil, isText: true, bytes: bytes)
        case .folder:
            let source = try TextSource(folder: path, skippingRows: 0)
            return SourceDescription(
                kind: "folder", rows: nil, dimension: nil, isText: true, bytes: source.bytes)
        }
    }

    /// All vectors of a small file, row after row.
    /// - Throws: as `open`; INVALID_ARGUMENT for text, RESOURCE_EXHAUSTED beyond 1 GiB.
    public static func readFloats(
        path: String
    ) throws(LociError) -> (rows: Int, dimension: Int, values: [Float]) {
        let description = try describe(path: path)
        guard let dimension = description.dimension else {
            throw LociError(
                .invalidArgument, "'\(path)' holds no vectors.",
                advice: "Give a file such as .npy or .fbin.")
        }
        var source = try open(path: path)
        var values: [Float] = []
        while let batch = try source.next(4096) {
            values += batch.vectors
            guard values.count * 4 <= ImportLimits.wholeFileBytes else { throw tooLarge(path) }
        }
        return (values.count / dimension, dimension, values)
    }

    /// True neighbours from an `.ivecs` file: for each query the numbers of its nearest rows.
    /// - Throws: as `open`; RESOURCE_EXHAUSTED beyond 1 GiB.
    public static func readTruth(path: String) throws(LociError) -> [[Int32]] {
        guard suffix(of: path) == "ivecs" else {
            throw LociError(
                .invalidArgument, "'\(path)' is not an .ivecs file.",
                advice: "True neighbours are read from .ivecs.")
        }
        var source = try VectorFileSource(path: path, suffix: "ivecs", skippingRows: 0)
        let size = source.rows.multipliedReportingOverflow(by: UInt64(source.dimension * 4))
        guard !size.overflow, size.partialValue <= ImportLimits.wholeFileBytes else {
            throw tooLarge(path)
        }
        var truth: [[Int32]] = []
        while let rows = try source.nextIntegers(4096) { truth += rows }
        return truth
    }

    private enum Format {
        case vectors(suffix: String)
        case jsonLines, text, folder
    }

    private static func format(of path: String) throws(LociError) -> Format {
        if try FileSystem.entry(path).kind == .folder { return .folder }
        let suffix = suffix(of: path)
        switch suffix {
        case "npy", "fvecs", "bvecs", "fbin", "u8bin": return .vectors(suffix: suffix)
        case "jsonl": return .jsonLines
        case "txt", "md", "markdown", "rst": return .text
        case "ivecs":
            throw LociError(
                .invalidArgument, "'\(path)' holds row numbers, not vectors.",
                advice: "Use it as --truth.")
        default:
            throw LociError(
                .invalidArgument, "'\(path)' has no suffix that Loci knows.",
                advice: "It reads .npy .fvecs .bvecs .fbin .u8bin .jsonl .txt .md, each also with "
                    + ".gz, and folders of text.")
        }
    }

    /// What stands behind the last dot, without `.gz`, in lower case.
    private static func suffix(of path: String) -> String {
        var name = path.lowercased()[...]
        if name.hasSuffix(".gz") { name = name.dropLast(3) }
        guard let dot = name.lastIndex(of: "."), !name[dot...].contains("/") else { return "" }
        return String(name[name.index(after: dot)...])
    }

    private static func tooLarge(_ path: String) -> LociError {
        LociError(
            .resourceExhausted, "'\(path)' holds more than 1 GiB.",
            advice: "Give a smaller file; 'loci import' takes any size.")
    }
}
