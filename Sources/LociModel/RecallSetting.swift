/// How wide an address has to be for a recall: on a collection's own data, as `loci tune` measured
/// it, or as is usual.
public struct RecallSetting: Hashable, Sendable {
    /// The part of the true neighbours that it is for.
    public var recall: Float
    /// Hard locations that a query activates at least.
    public var probes: UInt32
    /// Those within this factor of the nearest one's squared distance are active; at least 1.
    public var radius: Float

    public init(recall: Float, probes: UInt32, radius: Float) {
        self.recall = recall
        self.probes = probes
        self.radius = radius
    }

    /// - Throws: INVALID_ARGUMENT with a sentence.
    public func check() throws(LociError) {
        try Self.check(recall: recall)
        guard recall > 0, probes >= 1, radius >= 1 else {
            throw LociError(
                .invalidArgument,
                "A setting of \(probes) hard locations and a radius of \(radius) for a recall of "
                    + "\(recall) is not possible.",
                advice: "A recall is above 0; hard locations and radius are at least 1.")
        }
    }

    /// 0 stands for none.
    /// - Throws: INVALID_ARGUMENT with a sentence.
    public static func check(recall: Float) throws(LociError) {
        guard recall >= 0, recall < 1 else {
            throw LociError(
                .invalidArgument, "A recall of \(recall) cannot be asked for.",
                advice: "Name one below 1, such as 0.95, or ask for an exact answer.")
        }
    }

    /// 0 stands for none.
    /// - Throws: INVALID_ARGUMENT with a sentence.
    public static func check(radius: Float) throws(LociError) {
        guard radius == 0 || radius >= 1, radius.isFinite else {
            throw LociError(
                .invalidArgument, "A radius of \(radius) is not possible.",
                advice: "It is a factor of the nearest hard location's squared distance, "
                    + "at least 1, such as 1.6.")
        }
    }
}
