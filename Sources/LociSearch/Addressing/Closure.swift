import LociKernels

/// To which hard locations a vector is written: the nearest, and others almost as near that lie in
/// another direction (SPANN, section 4.1, with the relative neighbourhood rule as SPTAG's code has
/// it).
public enum Closure {
    /// Hard locations that hold a copy of a vector at most.
    public static let most = 8
    /// Nearest hard locations among which the rule chooses.
    public static let candidates = 64

    /// Walks candidates nearest first. One is skipped when its squared distance is more than
    /// `1 + epsilon` times the nearest one's, or when a candidate already chosen is nearer to it
    /// than the vector is.
    /// - Parameter distances: Squared distances from the vector, ascending.
    /// - Parameter rows: The candidates' own vectors in the same order, one after the other.
    /// - Returns: Positions of the chosen candidates, ascending; the first candidate is always one.
    public static func choose(
        distances: [Float], rows: [Float], most: Int, epsilon: Float
    ) -> [Int] {
        guard !distances.isEmpty else { return [] }
        precondition(rows.count % distances.count == 0, "rows are not whole")
        let dimension = rows.count / distances.count
        return choose(distances: distances, most: most, epsilon: epsilon) { chosen, later in
            Kernels.score(
                .squaredL2, row: chosen, of: rows, with: later, of: rows, dimension: dimension)
        }
    }

    /// - Parameter between: The squared distance between a candidate that was chosen and a later
    ///   one.
    static func choose(
        distances: [Float], most: Int, epsilon: Float, between: (Int, Int) -> Float
    ) -> [Int] {
        guard let nearest = distances.first, most > 0 else { return [] }
        let bound = epsilon < .infinity ? (1 + epsilon) * nearest : .infinity
        var isCovered = [Bool](repeating: false, count: distances.count)
        var chosen: [Int] = []
        for candidate in distances.indices
        where candidate == 0 || (distances[candidate] <= bound && !isCovered[candidate]) {
            chosen.append(candidate)
            if chosen.count == most { break }
            for later in distances.indices.dropFirst(candidate + 1)
            where distances[later] <= bound && !isCovered[later] {
                isCovered[later] = between(candidate, later) < distances[later]
            }
        }
        return chosen
    }
}
