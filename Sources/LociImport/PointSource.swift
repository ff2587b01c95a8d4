public import LociModel

/// Points in the order in which they lie in a source. Vectors or texts, never both.
public struct PointBatch: Sendable {
    /// Number of the first point within the source, from 0.
    public var firstRow: UInt64
    public var ids: [UInt64]
    /// `ids.count` times the dimension; empty for text.
    public var vectors: [Float]
    /// One per id; empty for vectors.
    public var texts: [String]
    /// One per id: a JSON object, or nothing.
    public var payloads: [String]

    public init(
        firstRow: UInt64, ids: [UInt64] = [], vectors: [Float] = [], texts: [String] = [],
        payloads: [String] = []
    ) {
        self.firstRow = firstRow
        self.ids = ids
        self.vectors = vectors
        self.texts = texts
        self.payloads = payloads
    }

    public var count: Int { ids.count }
}

/// A file or folder that is read a batch at a time; memory does not grow with its size.
///
/// The same source gives the same points in the same order, so an import goes on after an
/// interruption by skipping the rows that were acknowledged.
public protocol PointSource {
    /// The next 1 to `limit` points, fewer if they would fill more than 1 MiB; nil at the end.
    /// - Throws: DATA_LOSS or INVALID_ARGUMENT with file and row when the source is damaged or not
    ///   what it says. Reading does not go on after that.
    mutating func next(_ limit: Int) throws(LociError) -> PointBatch?

    /// What was left out so far and why, a sentence each.
    var notices: [String] { get }
}

/// What a source says of itself before it is read.
public struct SourceDescription: Equatable, Sendable {
    /// Name of the format, such as `npy` or `folder`.
    public var kind: String
    /// Points, if that can be known without reading them.
    public var rows: UInt64?
    /// Elements of a vector; nil for text.
    public var dimension: Int?
    public var isText: Bool
    /// Size on disk, of all files together.
    public var bytes: UInt64

    public init(kind: String, rows: UInt64?, dimension: Int?, isText: Bool, bytes: UInt64) {
        self.kind = kind
        self.rows = rows
        self.dimension = dimension
        self.isText = isText
        self.bytes = bytes
    }
}

/// What is larger or longer is refused or left out, with a sentence.
enum ImportLimits {
    /// Bytes of vectors or texts in one batch.
    static let batchBytes = 1 << 20
    /// A text file that is larger is left out of a folder, and refused by itself.
    static let textFileBytes: UInt64 = 16 << 20
    /// Where a NUL byte tells that a file is not text.
    static let binaryProbeBytes = 8 << 10
    /// Files of a folder. More are refused.
    static let folderFiles = 2_000_000
    /// Folders within folders.
    static let folderDepth = 128
    /// A line of JSON.
    static let lineBytes = 4 << 20
    /// Arrays and objects within one another.
    static let jsonDepth = 64
    /// Header of an .npy file.
    static let npyHeaderBytes = 64 << 10
    /// What `readFloats` and `readTruth` take into memory.
    static let wholeFileBytes: UInt64 = 1 << 30
}
