/// How postings grow and hard locations are learned. What is logged does not depend on it, so it
/// may differ from start to start; tests use small numbers to get to the interesting states soon.
public struct SearchTuning: Equatable, Sendable {
    /// A posting with more rows is split.
    public var splitAbove = 128
    /// Hard locations around one that was split whose points may belong to its children (SPFresh).
    public var reassignNeighbours = 64
    /// A code is written to hard locations within `1 + epsilon` of the nearest one's squared
    /// distance (SPANN, equation 2), if the collection keeps more than one copy.
    public var closureEpsilon: Float = 10
    /// Points after which hard locations are learned over the whole collection.
    public var learnAfter: UInt64 = 2048
    /// Points moved to a newer generation at a time.
    public var moveBatch: UInt32 = 128
    /// Hard locations that a query activates at most, when it does not say.
    public var probes = 20
    /// A query activates at least so many, however near the nearest one is.
    public var leastProbes = 8
    /// A query activates hard locations within `1 + epsilon` of the nearest one's squared distance.
    public var probeEpsilon: Float = 4
    /// Partitions that may hold a copy of a point.
    public var copies = 2
    /// A point gets a copy in a second partition whose nearest hard location is within this of the
    /// nearest of all, in squared distance.
    public var copyEpsilon: Float = 0.1
    /// Standard deviations of a code's error within which a distance is believed to lie.
    public var bound: Float = 1.9
    /// Points that are placed or written in one event, about: others have their turn after a
    /// millisecond.
    public var pointsPerTurn = 8

    public init() {}
}
