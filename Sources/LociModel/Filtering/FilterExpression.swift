/// What a filter says, as a tree.
///
/// Invariants, which the parser establishes:
/// - Lists of values are sorted, without repetition and not empty.
/// - `all` and `any` have two or more parts, none of which is of the same kind; `not` does not
///   stand in `not`.
/// - A bound is a number or a string.
public indirect enum FilterExpression: Hashable, Sendable {
    /// The field has a value, null and objects included.
    case exists(FieldPath)
    /// A value of the field is one of these.
    case oneOf(FieldPath, [FieldValue])
    /// The field has a value, and none of its values is one of these.
    case noneOf(FieldPath, [FieldValue])
    /// A value of the field, of the same class as the bound, is on this side of it.
    case compares(FieldPath, Comparison, FieldValue)
    case not(FilterExpression)
    case all([FilterExpression])
    case any([FilterExpression])

    public enum Comparison: String, Hashable, Sendable, CaseIterable {
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="

        /// Whether a value stands so to the bound; false between classes.
        public func holds(_ value: FieldValue, _ bound: FieldValue) -> Bool {
            guard value.isOrdered(with: bound) else { return false }
            return switch self {
            case .less: value < bound
            case .lessOrEqual: value <= bound
            case .greater: value > bound
            case .greaterOrEqual: value >= bound
            }
        }
    }

    /// All of these; the parts of an `all` among them are taken out of it.
    /// - Precondition: There is at least one.
    public static func every(_ parts: [FilterExpression]) -> FilterExpression {
        precondition(!parts.isEmpty)
        let flat = parts.flatMap { if case .all(let inner) = $0 { inner } else { [$0] } }
        return flat.count == 1 ? flat[0] : .all(flat)
    }

    /// At least one of these; the parts of an `any` among them are taken out of it.
    /// - Precondition: There is at least one.
    public static func either(_ parts: [FilterExpression]) -> FilterExpression {
        precondition(!parts.isEmpty)
        let flat = parts.flatMap { if case .any(let inner) = $0 { inner } else { [$0] } }
        return flat.count == 1 ? flat[0] : .any(flat)
    }

    /// The complement; of a complement, what it complements.
    public static func unless(_ part: FilterExpression) -> FilterExpression {
        if case .not(let inner) = part { inner } else { .not(part) }
    }

    /// Comparisons and `exists` in it.
    var leafCount: Int {
        switch self {
        case .exists, .oneOf, .noneOf, .compares: 1
        case .not(let part): part.leafCount
        case .all(let parts), .any(let parts): parts.reduce(0) { $0 + $1.leafCount }
        }
    }
}

extension FilterExpression: CustomStringConvertible {
    /// The canonical text: parses to the same tree, with as few parentheses as may be.
    public var description: String {
        switch self {
        case .exists(let path): "exists \(path)"
        case .oneOf(let path, let values): "\(path) \(Self.text("=", "in", values))"
        case .noneOf(let path, let values): "\(path) \(Self.text("!=", "not in", values))"
        case .compares(let path, let comparison, let bound):
            "\(path) \(comparison.rawValue) \(bound)"
        case .not(let part): "not \(part.bracketed(isLoose: part.isAll || part.isAny))"
        case .all(let parts):
            parts.map { $0.bracketed(isLoose: $0.isAny) }.joined(separator: " and ")
        case .any(let parts): parts.map(\.description).joined(separator: " or ")
        }
    }

    private var isAll: Bool { if case .all = self { true } else { false } }
    private var isAny: Bool { if case .any = self { true } else { false } }

    private func bracketed(isLoose: Bool) -> String { isLoose ? "(\(self))" : description }

    private static func text(_ one: String, _ several: String, _ values: [FieldValue]) -> String {
        values.count == 1
            ? "\(one) \(values[0])"
            : "\(several) (\(values.map(\.description).joined(separator: ", ")))"
    }
}
