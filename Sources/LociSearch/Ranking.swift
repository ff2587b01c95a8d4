public import LociBase
public import LociKernels
public import LociModel

extension Metric {
    /// The kernel that scores rows for this metric.
    public var scoreKind: ScoreKind { self == .l2 ? .squaredL2 : .dot }

    /// A kernel's result as users see it: l2 is a distance, not its square.
    public func score(fromKernel value: Float) -> Float { self == .l2 ? value.squareRoot() : value }

    /// What the kernel would give for a row, as far as its code tells: codes estimate squared
    /// distances, for cosine those of vectors of length 1, and negative inner products for dot.
    public func kernelScore(fromEstimate estimate: Float) -> Float {
        switch self {
        case .l2: max(0, estimate)
        case .cosine: 1 - estimate / 2
        case .dot: -estimate
        }
    }

    /// What the code of a row would tell, if it were exact, for what the kernel gives.
    public func estimate(fromKernel value: Float) -> Float {
        switch self {
        case .l2: value
        case .cosine: 2 - 2 * value
        case .dot: -value
        }
    }

    /// Whether the first score means nearer than the second.
    public func isNearer(_ left: Float, _ right: Float) -> Bool {
        self == .l2 ? left < right : left > right
    }
}

/// One candidate for an answer. Equal scores are ordered by id, so that answers repeat exactly.
public struct Match: Equatable, Sendable {
    public var id: PointID
    public var version: UInt64
    public var score: Float

    public init(id: PointID, version: UInt64, score: Float) {
        self.id = id
        self.version = version
        self.score = score
    }

    public static func ranking(by metric: Metric) -> @Sendable (Match, Match) -> Bool {
        { left, right in
            left.score == right.score
                ? left.id < right.id : metric.isNearer(left.score, right.score)
        }
    }
}
