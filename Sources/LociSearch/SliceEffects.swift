public import LociBase
import LociModel

/// What a verb of a slice leads to, beside its new state.
public struct SliceEffects: Sendable {
    public var writes: [PageWrite] = []
    /// Codes that were appended to postings, in order.
    public var placed: [PlacedRow] = []

    public init() {}
}

/// A code that was appended to a posting, with the vector that it stands for.
public struct PlacedRow: Sendable {
    public let location: LocationID
    public let cell: CellNumber
    public let tag: UInt32
    public let vector: Bytes
}

/// What a slice counts of itself since it was made.
public struct SliceCounters: Equatable, Sendable {
    /// Primary copies that are stored.
    public internal(set) var primaries: UInt64 = 0
    public internal(set) var splits: UInt64 = 0
    /// Postings rewritten to be rid of stale rows.
    public internal(set) var rewrites: UInt64 = 0
    public internal(set) var merges: UInt64 = 0
    /// Points that were looked at after splits, to see whether another hard location is nearer.
    public internal(set) var evaluated: UInt64 = 0
    /// Points that moved to a nearer hard location, or away from one that was given up.
    public internal(set) var moved: UInt64 = 0
}

/// Points that are to go to the hard locations nearest to them.
public struct PointMove: Equatable, Sendable {
    public var cells: [CellNumber]
    /// Of their codes so far: a point that has changed since is left alone.
    public var tags: [UInt32]
    public var vectors: [Bytes]
    /// A hard location that is given up, once it has no point any more.
    public var retiring: LocationID?
    /// Points that were looked at to find these.
    public var evaluated: UInt64

    public init(
        cells: [CellNumber], tags: [UInt32], vectors: [Bytes], retiring: LocationID?,
        evaluated: UInt64
    ) {
        self.cells = cells
        self.tags = tags
        self.vectors = vectors
        self.retiring = retiring
        self.evaluated = evaluated
    }
}
