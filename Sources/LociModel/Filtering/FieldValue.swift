/// One value of a field, as filters compare it.
///
/// Invariants:
/// - `double` holds no value that `integer` could: numbers are equal when their cases are. It is
///   never NaN; a number of JSON beyond double is infinite.
/// - Values are ordered null, objects, false, true, numbers, strings. Numbers compare exactly, also
///   an integer with a double; strings by their UTF-8, which is the order of code points. No
///   normalisation: composed and decomposed letters differ.
public enum FieldValue: Sendable {
    case null
    /// A nested object: it is there, and no value of a filter equals it.
    case object
    case bool(Bool)
    case integer(Int64)
    case double(Double)
    case string(String)

    /// - Precondition: Not NaN.
    public static func number(_ value: Double) -> FieldValue {
        precondition(!value.isNaN)
        return whole(value).map { .integer($0) } ?? .double(value)
    }

    /// Values compare with `<` within a class, never across.
    enum Class: Int { case null, object, bool, number, string }

    var valueClass: Class {
        switch self {
        case .null: .null
        case .object: .object
        case .bool: .bool
        case .integer, .double: .number
        case .string: .string
        }
    }

    /// Whether `<` and `>` are defined between the two: both numbers, or both strings.
    public func isOrdered(with other: FieldValue) -> Bool {
        let own = valueClass
        return own == other.valueClass && (own == .number || own == .string)
    }

    /// Whether every value of this one's class comes before every one of the other's.
    public func isOfClass(before other: FieldValue) -> Bool {
        valueClass.rawValue < other.valueClass.rawValue
    }

    /// The value as an integer of 64 bits, where it is one. (`Int64(exactly:)` and `rounded` would
    /// need the C library of mathematics.)
    public static func whole(_ value: Double) -> Int64? {
        guard value >= -0x1p63, value < 0x1p63 else { return nil }
        let cut = Int64(value)
        return Double(cut) == value ? cut : nil
    }

    /// Exact, though not every integer is a double.
    static func isLess(_ left: Int64, _ right: Double) -> Bool {
        if right >= 0x1p63 { return true }
        if right < -0x1p63 { return false }
        if let right = whole(right) { return left < right }
        let cut = Int64(right)
        return right < 0 ? left < cut : left <= cut
    }
}

extension FieldValue: Hashable {
    public static func == (left: FieldValue, right: FieldValue) -> Bool {
        switch (left, right) {
        case (.null, .null), (.object, .object): true
        case (.bool(let a), .bool(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.double(let a), .double(let b)): a == b
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        default: false
        }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(valueClass)
        switch self {
        case .null, .object: break
        case .bool(let value): hasher.combine(value)
        case .integer(let value): hasher.combine(value)
        case .double(let value): hasher.combine(value)
        case .string(let value): hasher.combine(value)
        }
    }
}

extension FieldValue: Comparable {
    public static func < (left: FieldValue, right: FieldValue) -> Bool {
        switch (left, right) {
        case (.bool(let a), .bool(let b)): !a && b
        case (.integer(let a), .integer(let b)): a < b
        case (.double(let a), .double(let b)): a < b
        case (.integer(let a), .double(let b)): isLess(a, b)
        case (.double(let a), .integer(let b)): !isLess(b, a)
        case (.string(let a), .string(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
        default: left.isOfClass(before: right)
        }
    }
}

extension FieldValue: CustomStringConvertible {
    /// As a filter writes it: JSON.
    public var description: String {
        switch self {
        case .null: "null"
        case .object: "{}"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .double(let value): value.description
        case .string(let value): quotedJSON(value)
        }
    }
}

extension [FieldValue] {
    /// Whether a sorted list has the value.
    public func containsSorted(_ value: FieldValue) -> Bool {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low] == value
    }
}
