import LociKernels

/// Which centre each row of a block is nearest to, and how far from it, squared.
struct NearestCentres {
    var centres: [Int]
    /// Without the penalties.
    var distances: [Float]

    /// Scores a block of rows against all centres: one pass of the block kernel per centre.
    /// - Parameter penalties: What is added to each centre's squared distances when they are
    ///   compared. The first of equals is nearest.
    static func assign(
        _ block: [Float], to centres: [Float], dimension: Int, penalties: [Float] = []
    ) -> NearestCentres {
        let count = block.count / dimension
        let branches = centres.count / dimension
        var nearest = [Int](repeating: 0, count: count)
        var distances = [Float](repeating: .infinity, count: count)
        var costs = [Float](repeating: .infinity, count: count)
        var scores: [Float] = []
        scores.reserveCapacity(count)
        for centre in 0..<branches {
            scores.removeAll(keepingCapacity: true)
            Kernels.score(
                .squaredL2,
                query: Array(centres[(centre * dimension)..<((centre + 1) * dimension)]),
                rows: block, into: &scores)
            let penalty = penalties.isEmpty ? 0 : penalties[centre]
            for row in 0..<count where scores[row] + penalty < costs[row] {
                costs[row] = scores[row] + penalty
                distances[row] = scores[row]
                nearest[row] = centre
            }
        }
        return NearestCentres(centres: nearest, distances: distances)
    }

    func sizes(_ branches: Int) -> [Int] {
        var sizes = [Int](repeating: 0, count: branches)
        for centre in centres { sizes[centre] += 1 }
        return sizes
    }

    /// The largest and the mean squared distance of a centre's rows.
    func spread(of centre: Int) -> (most: Float, mean: Float) {
        var (most, sum, count): (Float, Float, Float) = (0, 0, 0)
        for (row, owner) in centres.enumerated() where owner == centre {
            most = max(most, distances[row])
            sum += distances[row]
            count += 1
        }
        return (most, count == 0 ? 0 : sum / count)
    }
}
