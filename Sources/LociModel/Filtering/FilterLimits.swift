/// Bounds of filters, beside `Limits.filterBytes`, and of the payloads that they look into.
public enum FilterLimits {
    /// Comparisons in one filter; a list counts as one. More get INVALID_ARGUMENT.
    public static let comparisons = 64
    /// Values of one list. More get INVALID_ARGUMENT.
    public static let listValues = 1024
    /// Parentheses and `not` within one another. Deeper ones get INVALID_ARGUMENT.
    public static let depth = 32
    /// Names of one path. More get INVALID_ARGUMENT.
    public static let pathNames = 8
    /// Objects and arrays within one another in a payload. A deeper one counts as malformed: it
    /// has no values.
    public static let payloadDepth = 64
}
