public import LociBase

/// A collection's name, metric and place. Immutable once created.
///
/// Invariants:
/// - A vector fills one row and rows never straddle a page.
/// - `space` holds the vectors, `space + 1` the payloads.
public struct CollectionDefinition: Hashable, Sendable {
    public let space: SpaceID
    public let name: String
    public let dimension: Int
    public let metric: Metric
    /// Points are passages of text; the coordinator encodes them.
    public let isText: Bool

    /// - Throws: INVALID_ARGUMENT with a sentence.
    public init(
        space: SpaceID, name: String, dimension: Int, metric: Metric, isText: Bool = false
    ) throws(LociError) {
        try checkName(name)
        guard (1...Limits.dimension).contains(dimension) else {
            throw LociError(
                .invalidArgument, "A dimension of \(dimension) is not possible.",
                advice: "Choose 1 to \(Limits.dimension).")
        }
        self.space = space
        self.name = name
        self.dimension = dimension
        self.metric = metric
        self.isText = isText
    }

    public var vectorSpace: SpaceID { space }
    public var payloadSpace: SpaceID { space + 1 }
    public var rowBytes: Int { dimension * 4 }

    /// Pages of vectors are 64 KiB: a posting is read whole, so fewer and larger pages pay.
    public var vectorPageBytes: Int { 64 << 10 }
    public var rowsPerPage: Int { vectorPageBytes / rowBytes }
    public static let payloadPageBytes = 16 << 10
}
