public import LociModel

/// How a filter is applied during a search.
public enum FilterPlan: Sendable, Equatable {
    /// Exactly these cells match.
    case cells(CellSet)
    /// No other cells match; a cell of these does if its payload matches the residual.
    case within(CellSet, residual: Filter)
    /// Indexes say nothing: every payload must be asked.
    case payload

    /// The plan for all live cells. Costs up to about 2 ms for each million of cells and comparison
    /// that is indexed; a conjunction begins with the rarest part and looks the others up for its
    /// cells alone, where that is cheaper.
    public init(_ filter: Filter, _ indexes: PayloadIndexes) {
        let part = indexes.plan(filter.expression, isNegated: false, within: nil)
        switch (part.cells, part.residual) {
        case (let cells?, nil): self = .cells(cells)
        case (let cells?, let residual?): self = .within(cells, residual: Filter(residual))
        case (nil, _): self = .payload
        }
    }

    /// The number of cells that may match; nil when all may.
    public var count: Int? {
        switch self {
        case .cells(let cells), .within(let cells, _): cells.count
        case .payload: nil
        }
    }
}

/// What indexes know of a part of a filter.
private struct PlannedPart {
    /// A superset of the cells that match; nil for all live ones.
    var cells: CellSet?
    /// What a cell's payload must still fulfil; nil when `cells` is exact.
    var residual: FilterExpression?
}

extension PayloadIndexes {
    /// Part of an estimate for a comparison that no index knows.
    private static let unknownShare = 0.3

    /// A guess at the share of live cells that match, from the lists' lengths and as if fields were
    /// independent: 0 to 1, exact for one comparison with an indexed field of single values. Costs
    /// microseconds; no set is built.
    func share(_ expression: FilterExpression) -> Double {
        guard liveCount > 0 else { return 0 }
        let all = Double(liveCount)
        switch expression {
        case .exists(let path):
            return index(of: path).map { Double($0.present.count) / all } ?? Self.unknownShare
        case .oneOf(let path, let values):
            return share(path, .oneOf(values))
        case .noneOf(let path, let values):
            guard let index = index(of: path) else { return 1 - Self.unknownShare }
            return max(0, Double(index.present.count) / all - share(path, .oneOf(values)))
        case .compares(let path, let comparison, let bound):
            return share(path, .compares(comparison, bound))
        case .not(let part): return 1 - share(part)
        case .all(let parts): return parts.reduce(1) { $0 * share($1) }
        case .any(let parts): return 1 - parts.reduce(1) { $0 * (1 - share($1)) }
        }
    }

    private func share(_ path: FieldPath, _ question: IndexQuestion) -> Double {
        guard let index = index(of: path) else { return Self.unknownShare }
        return min(1, Double(index.count(index.ranges(question))) / Double(liveCount))
    }

    /// Plans a part or its complement. Complements go down to the comparisons, so that a superset
    /// stays one. With `candidates` the answer may be cut to them.
    fileprivate func plan(
        _ expression: FilterExpression, isNegated: Bool, within candidates: CellSet?
    ) -> PlannedPart {
        switch expression {
        case .not(let part): return plan(part, isNegated: !isNegated, within: candidates)
        case .all(let parts):
            return isNegated
                ? planAny(parts, isNegated: true, within: candidates)
                : planAll(parts, isNegated: false, within: candidates)
        case .any(let parts):
            return isNegated
                ? planAll(parts, isNegated: true, within: candidates)
                : planAny(parts, isNegated: false, within: candidates)
        case .exists(let path), .oneOf(let path, _), .noneOf(let path, _),
            .compares(let path, _, _):
            guard let index = index(of: path) else {
                return PlannedPart(residual: Self.signed(expression, isNegated))
            }
            return PlannedPart(cells: leaf(expression, index, isNegated, within: candidates))
        }
    }

    private func planAll(
        _ parts: [FilterExpression], isNegated: Bool, within candidates: CellSet?
    ) -> PlannedPart {
        let shares = parts.map { isNegated ? 1 - share($0) : share($0) }
        let order = parts.indices.sorted { (shares[$0], $0) < (shares[$1], $1) }
        var cells = candidates
        var isCut = false
        var residuals = [FilterExpression?](repeating: nil, count: parts.count)
        for part in order {
            let planned = plan(parts[part], isNegated: isNegated, within: cells)
            residuals[part] = planned.residual
            guard let found = planned.cells else { continue }
            isCut = true
            if cells == nil { cells = found } else { cells?.formIntersection(found) }
        }
        let rest = residuals.compactMap { $0 }
        return PlannedPart(
            cells: isCut ? cells : nil, residual: rest.isEmpty ? nil : .every(rest))
    }

    /// A residual of a part is no condition for the cells of the others, so the whole is asked.
    private func planAny(
        _ parts: [FilterExpression], isNegated: Bool, within candidates: CellSet?
    ) -> PlannedPart {
        var cells = CellSet()
        var isExact = true
        let whole = isNegated ? FilterExpression.not(.all(parts)) : .any(parts)
        for part in parts {
            let planned = plan(part, isNegated: isNegated, within: candidates)
            guard let found = planned.cells else { return PlannedPart(residual: whole) }
            cells.formUnion(found)
            isExact = isExact && planned.residual == nil
        }
        return PlannedPart(cells: cells, residual: isExact ? nil : whole)
    }

    private static func signed(
        _ expression: FilterExpression, _ isNegated: Bool
    ) -> FilterExpression { isNegated ? .unless(expression) : expression }

    /// The live cells for which a comparison, or its complement, holds.
    private func leaf(
        _ expression: FilterExpression, _ index: FieldIndex, _ isNegated: Bool,
        within candidates: CellSet?
    ) -> CellSet {
        let positive: CellSet
        switch expression {
        case .oneOf(_, let values):
            positive = cells(index, .oneOf(values), within: candidates)
        case .compares(_, let comparison, let bound):
            positive = cells(index, .compares(comparison, bound), within: candidates)
        case .noneOf(_, let values):
            let equal = cells(index, .oneOf(values), within: candidates)
            var cells = candidates ?? index.present
            if candidates != nil { cells.formIntersection(index.present) }
            cells.subtract(equal)
            positive = cells
        default: positive = index.present
        }
        guard isNegated else { return positive }
        var complement = candidates ?? live
        complement.subtract(positive)
        return complement
    }

    /// The cells that an index gives; when there are few candidates, those are looked up instead.
    private func cells(
        _ index: FieldIndex, _ question: IndexQuestion, within candidates: CellSet?
    ) -> CellSet {
        let ranges = index.ranges(question)
        if var candidates, candidates.count * FieldIndex.cellsPerWalkedCell < index.count(ranges) {
            candidates.keep { index.holds($0, question) }
            return candidates
        }
        return index.cells(ranges)
    }
}
