/// Which filters let so few points through that comparing all of these is better than scanning.
extension SearchTuning {
    /// Of points that pass a filter, as many are wanted for each neighbour as an unfiltered query
    /// looks at: else the k that were found would often not be the k nearest.
    public static let passedPerNeighbour = 8
    /// Comparing a vector anywhere in memory takes as long as looking at so many codes in a row:
    /// measured with 784 elements, 0.5 us and 0.08 us.
    static let codesPerVector = 6.0

    /// The share of a collection's points up to which a filter is selective: comparing all points
    /// that pass costs no more than looking at codes, either those that the query looks at anyway
    /// or as many as have `passedPerNeighbour * k` among them that pass.
    ///
    /// With n points, of which a share s passes, comparing costs `codesPerVector * s * n` codes,
    /// and looking for w that pass costs `w / s`: they are equal at `s^2 = w / (codesPerVector *
    /// n)`.
    /// - Parameters:
    ///   - points: Of the collection, wherever they are; 0 if nobody knows.
    ///   - codes: Those that the query looks at.
    /// - Returns: 0 to 1; 0 if nobody knows.
    public static func selectiveShare(k: Int, points: UInt64, codes: Double) -> Float {
        guard points > 0 else { return 0 }
        let cost = codesPerVector * Double(points)
        let looking = (Double(passedPerNeighbour * k) / cost).squareRoot()
        return Float(min(1, max(looking, codes / cost)))
    }
}
