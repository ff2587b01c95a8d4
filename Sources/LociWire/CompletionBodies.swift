public import LociBase
public import LociModel

// Patterns restored from what a collection holds: what is asked and answered.

/// Asks for the pattern that a partial or noisy vector belongs to. Bulk: `[vector: Float each]`.
/// Answer: `completionAnswer`.
public struct Complete: Equatable, Sendable {
    public var collection: String
    /// Steps at most, 1 to `Limits.steps`.
    public var steps: UInt32
    /// Inverse temperature: the larger, the fewer points share in a step. 0 lets the coordinator
    /// choose from the data.
    public var beta: Float
    /// As in `Query`.
    public var probes: UInt32
    public var radius: Float
    public var recall: Float

    public init(
        collection: String, steps: UInt32 = 5, beta: Float = 0, probes: UInt32 = 0,
        radius: Float = 0, recall: Float = 0
    ) {
        self.collection = collection
        self.steps = steps
        self.beta = beta
        self.probes = probes
        self.radius = radius
        self.recall = recall
    }
}

/// Bulk: `[vector: Float each]`, the restored pattern.
public struct CompletionAnswer: Equatable, Sendable {
    public var steps: UInt32
    /// The last step moved nothing: the pattern is a fixed point.
    public var hasConverged: Bool
    /// How well the vector that was sent is known, 0 to 1.
    public var familiarity: Float
    /// The one that was used.
    public var beta: Float
    public var receipt: Receipt
    /// Some shard that should have been asked did not answer.
    public var isDegraded: Bool

    public init(
        steps: UInt32, hasConverged: Bool, familiarity: Float, beta: Float,
        receipt: Receipt = Receipt(), isDegraded: Bool = false
    ) {
        self.steps = steps
        self.hasConverged = hasConverged
        self.familiarity = familiarity
        self.beta = beta
        self.receipt = receipt
        self.isDegraded = isDegraded
    }
}

/// One step's part of a completion. Bulk: `[state: Float each, (partition: UInt32, location:
/// UInt32) each]`, the latter as in `ShardQuery`. Answer: `partialCompletion`.
public struct ShardComplete: Equatable, Sendable {
    public var space: SpaceID
    /// 0 lets every point weigh the same, which is enough to choose a beta.
    public var beta: Float

    public init(space: SpaceID, beta: Float) {
        self.space = space
        self.beta = beta
    }
}

/// Over the points that the address reaches here, with similarities `s` to the state: the largest
/// of them, and the sum of `exp(beta * (s - maximum))`. Bulk: `[weighted sum: Double each]`, of the
/// vectors with the same weights. Without a point everything is zero.
public struct PartialCompletion: Equatable, Sendable {
    public var maximum: Double
    public var sum: Double
    /// Points that had a part in it.
    public var rows: UInt64
    public var isDegraded: Bool
    public var receipt: Receipt
    /// Of the similarities.
    public var mean: Double
    /// The sum of the squared deviations of the similarities from their mean.
    public var squaredDeviations: Double
    /// `|x|^2` of the point with the largest similarity.
    public var nearestSquaredNorm: Double

    public init(
        maximum: Double, sum: Double, rows: UInt64, isDegraded: Bool = false,
        receipt: Receipt = Receipt(), mean: Double = 0, squaredDeviations: Double = 0,
        nearestSquaredNorm: Double = 0
    ) {
        self.mean = mean
        self.squaredDeviations = squaredDeviations
        self.nearestSquaredNorm = nearestSquaredNorm
        self.maximum = maximum
        self.sum = sum
        self.rows = rows
        self.isDegraded = isDegraded
        self.receipt = receipt
    }
}
