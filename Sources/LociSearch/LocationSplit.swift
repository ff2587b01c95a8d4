public import LociBase
import LociModel

/// A posting that became too full, cut in two or more; or with one child, rewritten without its
/// stale rows. Carries the codes, so that replaying it computes nothing and reads no page.
public struct LocationSplit: Equatable, Sendable {
    public struct Child: Equatable, Sendable {
        public var centroid: [Float]
        public var cells: [CellNumber]
        public var tags: [UInt32]
        /// Rows of the posting, one behind the other.
        public var codes: Bytes

        public init(centroid: [Float], cells: [CellNumber], tags: [UInt32], codes: Bytes) {
            self.centroid = centroid
            self.cells = cells
            self.tags = tags
            self.codes = codes
        }
    }

    public var location: LocationID
    public var children: [Child]

    public init(location: LocationID, children: [Child]) {
        self.location = location
        self.children = children
    }

    /// Cuts current rows of a posting into balanced parts; none that fits is cut.
    public init(_ posting: Posting, rows: [SplitRow], of slice: CollectionSlice) {
        location = posting.location
        let centroid = slice.locations.centroid(of: slice.key(location))!
        let splitAbove = slice.splitAbove
        let coder = slice.coder
        let dimension = centroid.count
        var parts: [(centroid: [Float], members: [Int])] = [(centroid, Array(rows.indices))]
        if rows.count > splitAbove * 3 / 4 {
            var values: [Float] = []
            values.reserveCapacity(rows.count * dimension)
            for row in rows { values += row.vector.values(Float.self) }
            var bisection = BalancedBisection(
                rows: values, dimension: dimension, seed: UInt64(location))
            let count = max(2, (rows.count + splitAbove - 1) / splitAbove)
            parts = bisection.split(into: count).filter { !$0.isEmpty }.map {
                (bisection.mean(of: $0), $0)
            }
        }
        children = parts.map { part in
            Child(
                centroid: part.centroid, cells: part.members.map { rows[$0].cell },
                tags: part.members.map { rows[$0].tag },
                codes: coder.codes(part.members.map { rows[$0] }, around: part.centroid))
        }
    }
}

/// A current row of a posting that is rewritten.
public struct SplitRow: Sendable {
    public let cell: CellNumber
    public let tag: UInt32
    public let vector: Bytes

    public init(cell: CellNumber, tag: UInt32, vector: Bytes) {
        self.cell = cell
        self.tag = tag
        self.vector = vector
    }
}

extension PointMove {
    /// All points of a posting that is given up.
    public init(_ posting: Posting, rows: [SplitRow], of slice: CollectionSlice) {
        let home = rows.filter { slice.points[$0.cell].location == posting.location }
        self.init(
            cells: home.map(\.cell), tags: home.map(\.tag), vectors: home.map(\.vector),
            retiring: posting.location, evaluated: 0)
    }
}
