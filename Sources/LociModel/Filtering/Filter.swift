public import LociBase

/// A condition on payloads.
///
///     topic = "sport" and year >= 2024
///     author.name in ("Ada", "Grace") or not (draft = true or exists withdrawn)
///
/// Grammar; words in any case of letters, strings in double or single quotes with JSON's escapes,
/// numbers as in JSON, `FieldPath` for fields:
///
///     filter     = all { "or" all }
///     all        = term { "and" term }
///     term       = "not" term | "(" filter ")" | field comparison
///                | "exists" ( field | "(" field ")" )
///     comparison = ( "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) value
///                | [ "not" ] "in" "(" value { "," value } ")"
///     value      = number | string | "true" | "false" | "null"
///
/// Meaning:
/// - `PayloadFields` says what the values of a field are. `=`, `in`, `<`, `<=`, `>` and `>=` hold
///   if they hold for any of them, so a field that is missing fulfils none.
/// - `!=` and `not in` hold if the field has a value and none equals: a missing field does not
///   fulfil them (as in SQL). `not` is the plain complement: `not topic = "sport"` holds for a
///   missing field too (as `must_not` in Qdrant).
/// - `exists` holds if there is a value; null is one, an empty array has none. `= null` asks for an
///   explicit null, `not exists` for a missing field.
/// - Integers of 64 bits and doubles compare exactly by value: `1 = 1.0`. Other integers are
///   rounded to doubles. Strings compare by code points; values of different classes are unequal
///   and have no order.
/// - A payload that is not a JSON object has no values.
///
/// Equal filters have equal canonical texts. Bounds: `FilterLimits`, `Limits.filterBytes`.
public struct Filter: Sendable {
    public let expression: FilterExpression
    /// The canonical text, which parses to the same filter; it is what travels.
    public let text: String
    private let program: FilterProgram

    /// - Throws: INVALID_ARGUMENT with the column (in characters, from 1) and what was expected.
    public init(_ text: String) throws(LociError) {
        var parser = try FilterParser(text)
        let expression = try parser.wholeFilter()
        let canonical = expression.description
        guard canonical.utf8.count <= Limits.filterBytes else {
            throw FilterParser.tooLong(canonical.utf8.count)
        }
        self.expression = expression
        self.text = canonical
        program = FilterProgram(expression)
    }

    /// A filter from parts of a parsed one.
    /// - Precondition: No more comparisons than `FilterLimits.comparisons`.
    public init(_ expression: FilterExpression) {
        self.expression = expression
        text = expression.description
        program = FilterProgram(expression)
    }

    /// Whether the payload fulfils the filter. Reads it once, to its end.
    public func matches(payload: Bytes) -> Bool { program.matches(payload) }
}

extension Filter: Hashable, CustomStringConvertible {
    public static func == (left: Filter, right: Filter) -> Bool {
        left.expression == right.expression
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(expression) }

    public var description: String { text }
}
