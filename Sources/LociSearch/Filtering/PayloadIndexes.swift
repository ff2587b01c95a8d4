public import LociBase
public import LociModel

/// The indexes on payload fields of one partition of a collection, over its cells: dense numbers of
/// points, reused after deletion.
///
/// The state is a function of what each cell holds, not of the order of changes: the same cells
/// with the same payloads give the same answers and the same snapshot.
///
/// Memory for each indexed field: 12 bytes for each cell; 28 for each distinct value, and its text
/// if that has more than 15 bytes; about 40 for each further value of a cell (arrays). Growing
/// arrays have up to as much again in reserve.
///
/// Invariants:
/// - `live` are the cells that were inserted and not removed; indexes have values of these only.
public struct PayloadIndexes: Sendable {
    /// Fields of one collection. More are refused with RESOURCE_EXHAUSTED.
    public static let fieldsAtMost = 16
    /// Cells of one partition.
    public static let cellsAtMost = 1 << 31

    public var paths: [FieldPath] { fields.paths }
    /// All cells that hold a point.
    public internal(set) var live = CellSet()
    public internal(set) var liveCount = 0
    var indexes: [FieldIndex]
    private let fields: PayloadFields

    /// Empty indexes on these fields.
    /// - Throws: INVALID_ARGUMENT when a path occurs twice, RESOURCE_EXHAUSTED when there are more
    ///   than `fieldsAtMost`.
    public init(_ paths: [FieldPath]) throws(LociError) {
        guard paths.count <= Self.fieldsAtMost else {
            throw LociError(
                .resourceExhausted, "\(paths.count) indexed fields are too many.",
                advice: "Name at most \(Self.fieldsAtMost); filters work on the others without.")
        }
        for (index, path) in paths.enumerated() where paths[..<index].contains(path) {
            throw LociError(
                .invalidArgument, "The field '\(path)' is named twice.", advice: "Name it once.")
        }
        fields = PayloadFields(paths)
        indexes = paths.map { FieldIndex(path: $0) }
    }

    init(_ indexes: [FieldIndex], live: CellSet) {
        fields = PayloadFields(indexes.map(\.path))
        self.indexes = indexes
        self.live = live
        liveCount = live.count
    }

    /// Takes a point in. A payload that is no JSON object, or empty, has no values.
    /// - Precondition: The cell is not live, and below `cellsAtMost`.
    public mutating func insert(cell: UInt32, payload: Bytes) {
        precondition(cell < Self.cellsAtMost)
        precondition(!live.contains(cell), "a cell was inserted twice")
        live.insert(cell)
        liveCount += 1
        guard !indexes.isEmpty else { return }
        for (field, values) in fields.values(in: payload).enumerated() {
            indexes[field].insert(cell, values)
        }
    }

    /// Forgets a point; nothing happens when the cell is not live.
    public mutating func remove(cell: UInt32) {
        guard live.contains(cell) else { return }
        live.remove(cell)
        liveCount -= 1
        for field in indexes.indices { indexes[field].remove(cell) }
    }

    func index(of path: FieldPath) -> FieldIndex? { indexes.first { $0.path == path } }
}
