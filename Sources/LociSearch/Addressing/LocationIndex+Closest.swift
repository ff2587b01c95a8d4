import LociModel
public import LociBase

extension LocationIndex {
    /// The hard locations of one partition's generation closest to a point, the closest first.
    public func closest(
        to point: [Float], generation: UInt32, most: Int
    ) -> [LocationID] {
        address(
            of: point, metric: .l2, most: most, epsilon: .infinity, generation: generation
        ).map(\.key.location)
    }
}
