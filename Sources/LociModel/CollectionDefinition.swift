public import LociBase

/// A collection's name, metric, codes and place. Immutable once created.
///
/// Invariants:
/// - A vector fills one row of `vectorSpace`, a code one row of `codeSpace`; rows never straddle a
///   page.
/// - `space` holds the vectors, `space + 1` the payloads, `space + 2` the codes of the postings.
public struct CollectionDefinition: Hashable, Sendable {
    public let space: SpaceID
    public let name: String
    public let dimension: Int
    public let metric: Metric
    /// Points are passages of text; the coordinator encodes them.
    public let isText: Bool
    public let options: CollectionOptions

    /// Spaces that a collection takes up.
    public static let spaces: SpaceID = 3

    /// - Throws: INVALID_ARGUMENT with a sentence.
    public init(
        space: SpaceID, name: String, dimension: Int, metric: Metric, isText: Bool = false,
        options: CollectionOptions = .init()
    ) throws(LociError) {
        try checkName(name)
        guard (1...Limits.dimension).contains(dimension) else {
            throw LociError(
                .invalidArgument, "A dimension of \(dimension) is not possible.",
                advice: "Choose 1 to \(Limits.dimension).")
        }
        try options.check()
        self.space = space
        self.name = name
        self.dimension = dimension
        self.metric = metric
        self.isText = isText
        self.options = options
    }

    /// As paths: the options have been checked.
    public var indexedPaths: [FieldPath] {
        options.indexedFields.compactMap { try? FieldPath($0) }
    }

    public var vectorSpace: SpaceID { space }
    public var payloadSpace: SpaceID { space + 1 }
    public var codeSpace: SpaceID { space + 2 }
    public var rowBytes: Int { dimension * 4 }

    /// The smallest page of which rows leave at most a tenth unused: a query reads rows from here
    /// and there.
    public var vectorPageBytes: Int {
        var pageBytes = 4 << 10
        while pageBytes < 64 << 10, pageBytes % rowBytes * 10 > pageBytes || pageBytes < rowBytes {
            pageBytes *= 2
        }
        return pageBytes
    }
    public var rowsPerPage: Int { vectorPageBytes / rowBytes }
    public static let payloadPageBytes = 16 << 10
    /// A posting is read whole, and fills three or four of these.
    public var codePageBytes: Int {
        var pageBytes = 4 << 10
        while pageBytes < 64 << 10, pageBytes < dimension * options.codeBits * 4 { pageBytes *= 2 }
        return pageBytes
    }
}

/// What a collection's creator may choose beside its shape.
public struct CollectionOptions: Hashable, Sendable {
    /// Bits of each dimension in a posting's codes.
    public var codeBits: Int
    /// Hard locations of a partition that a point's code is written to, at most.
    public var copies: Int
    /// Payload fields with an index, such as `year` or `author.name`.
    public var indexedFields: [String]

    public static let standardCodeBits = 4
    public static let mostCopies = 8
    public static let mostIndexedFields = 16
    private static let longestFieldName = 255

    public init(
        codeBits: Int = standardCodeBits, copies: Int = 1, indexedFields: [String] = []
    ) {
        self.codeBits = codeBits
        self.copies = copies
        self.indexedFields = indexedFields
    }

    func check() throws(LociError) {
        guard (1...8).contains(codeBits) else {
            throw LociError(
                .invalidArgument, "Codes of \(codeBits) bits are not possible.",
                advice: "Choose 1 to 8, such as --codes 4bit.")
        }
        guard (1...Self.mostCopies).contains(copies) else {
            throw LociError(
                .invalidArgument, "\(copies) copies of a code are not possible.",
                advice: "Choose 1 to \(Self.mostCopies).")
        }
        guard indexedFields.count <= Self.mostIndexedFields else {
            throw LociError(
                .invalidArgument, "A collection has at most \(Self.mostIndexedFields) indexes.",
                advice: "Index the fields that filters name most; others can be filtered too.")
        }
        var paths: Set<FieldPath> = []
        for field in indexedFields {
            guard field.utf8.count <= Self.longestFieldName,
                paths.insert(try FieldPath(field)).inserted
            else {
                throw LociError(
                    .invalidArgument, "'\(field)' cannot be indexed.",
                    advice: "Name each field once, with 1 to \(Self.longestFieldName) bytes.")
            }
        }
    }
}
