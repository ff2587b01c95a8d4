import Glibc

/// Mean and variance of the values of an attribute in one class, updated one value at a time
/// (Welford 1962), with their extremes.
struct NormalEstimate: Sendable {
    private(set) var count: Float = 0
    private(set) var mean: Float = 0
    private var squares: Float = 0
    private(set) var least: Float = .infinity
    private(set) var most: Float = -.infinity

    mutating func add(_ value: Float) {
        count += 1
        let distance = value - mean
        mean += distance / count
        squares += distance * (value - mean)
        least = min(least, value)
        most = max(most, value)
    }

    private var deviation: Double {
        count > 1 ? Double(max(squares, 0) / (count - 1)).squareRoot() : 0
    }

    /// How many of the values are at or below a point, if they are normally distributed; exact
    /// outside of their extremes.
    func countBelow(_ point: Float) -> Double {
        if count == 0 || point < least { return 0 }
        if point >= most { return Double(count) }
        let deviation = deviation
        guard deviation > 0 else { return point >= mean ? Double(count) : 0 }
        let z = Double(point - mean) / deviation
        return Double(count) * 0.5 * erfc(-z / 2.0.squareRoot())
    }

    /// Density at a value. A class whose values were all equal has a narrow bell.
    func density(_ value: Float) -> Double {
        guard count > 0 else { return 0 }
        let deviation = max(deviation, 1e-3 * (1 + Double(abs(mean))))
        let z = Double(value - mean) / deviation
        return exp(-0.5 * z * z) / (deviation * 2.5066282746310002)
    }
}
