public import LociKernels

/// A query made ready for scans, once for all centroids: rotated and rounded to 8 bits. Rounding is
/// part of the bounds that a scan gives.
public struct CodeQuery: Sendable {
    public let format: CodeFormat
    let quantised: QuantisedQuery
    /// Squared norm of the rounding errors.
    let squaredError: Float

    /// - Precondition: `rotated` has `format.paddedDimension` finite elements, rotated as the
    ///   vectors of the rows are.
    public init(rotated: [Float], format: CodeFormat, level: InstructionLevel = .best) {
        precondition(rotated.count == format.paddedDimension, "not the format's dimension")
        self.format = format
        quantised = QuantisedQuery(rotated, level: level)
        squaredError = quantised.error * quantised.error
    }
}

/// Where a query stands to the centroid that rows were coded with, computed exactly by the caller.
public struct CodeOrigin: Sendable {
    /// Euclidean distance of query and centroid.
    public let distance: Float
    /// Their score, the smaller the nearer: squared distance, or minus the inner product.
    public let score: Float

    /// For l2, and for cosine of normalised vectors.
    public init(squaredDistance: Float) {
        distance = squaredDistance.squareRoot()
        score = squaredDistance
    }

    /// For dot.
    public init(innerProduct: Float, squaredDistance: Float) {
        distance = squaredDistance.squareRoot()
        score = -innerProduct
    }
}
