import Glibc

/// Number, mean and squared deviations of similarities, and the largest: what a good sharpness of
/// recall follows from. Parts merge exactly, but for rounding (Chan, Golub and LeVeque, 1979).
public struct SimilaritySpread: Sendable, Equatable {
    /// What a beta that is chosen lies in, so that it is a number and above 0 also where vectors
    /// are so short or long that their similarities end at what a float can tell apart.
    public static let betas: ClosedRange<Float> = 1e-30...1e30

    public private(set) var count: UInt64 = 0
    public private(set) var mean = 0.0
    /// Sum of the squared deviations from the mean.
    public private(set) var squares = 0.0
    public private(set) var largest = -Double.infinity

    public init() {}

    /// As it arrives from another part.
    public init(count: UInt64, mean: Double, squares: Double, largest: Double) {
        self.count = count
        self.mean = mean
        self.squares = squares
        self.largest = largest
    }

    public mutating func add(_ similarity: Double) {
        merge(SimilaritySpread(count: 1, mean: similarity, squares: 0, largest: similarity))
    }

    public mutating func merge(_ other: SimilaritySpread) {
        guard other.count > 0 else { return }
        let total = Double(count) + Double(other.count)
        let difference = other.mean - mean
        squares +=
            other.squares + difference * difference * Double(count) * Double(other.count) / total
        mean += difference * Double(other.count) / total
        count += other.count
        largest = max(largest, other.largest)
    }

    /// The inverse temperature at which one stored vector is recalled out of all of these:
    /// `sqrt(2 ln M) / sigma`, of the M similarities without the largest and their standard
    /// deviation. There a random energy model freezes (Derrida 1981; of dense associative memories,
    /// Lucibello and Mezard 2024): with a softer softmax the many that are unlike the query
    /// outweigh the one that is like it, a sharper one gains nothing against them. For 10,000
    /// random bipolar vectors of 64 elements it is 0.54. Where there are fewer than two others, or
    /// all are equal, it is 10 over the distance of the largest from them, and 1 if there is none.
    /// It is within `betas`.
    public var recallBeta: Float {
        guard count > 1 else { return 1 }
        let others = Double(count - 1)
        // Welford's step backwards.
        let othersMean = mean - (largest - mean) / others
        let othersSquares = squares - (largest - mean) * (largest - othersMean)
        let deviation = (max(othersSquares, 0) / others).squareRoot()
        let gap = largest - othersMean
        guard gap > 0 else { return 1 }
        guard others >= 2, deviation > 1e-6 * gap else { return Self.clamped(10 / gap) }
        return Self.clamped((2 * log(others)).squareRoot() / deviation)
    }

    private static func clamped(_ beta: Double) -> Float {
        min(max(Float(beta), betas.lowerBound), betas.upperBound)
    }
}
