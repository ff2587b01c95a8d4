import LociBase

/// Payloads and conditions as trees of their own, with an evaluator that shares nothing with the
/// code under test: numbers are known by their place in a hand-sorted list.
indirect enum JSON {
    case null
    case bool(Bool)
    /// Number of a group of `numbers`.
    case number(Int)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    /// Groups of texts for the same number, in ascending order.
    static let numbers: [[String]] = [
        ["-1e400", "-9e999"],
        ["-9223372036854775808", "-9.223372036854775808e18"],
        ["-9223372036854775807"], ["-2.5", "-25e-1"],
        ["0", "-0", "0.0", "-0.0", "0e5", "0E-7"], ["1e-300"], ["0.1", "1e-1", "0.10"],
        ["1", "1.0", "1e0", "10e-1", "0.1E+1"], ["2", "2.0"], ["2.5", "2.50"],
        ["9007199254740992", "9007199254740992.0"], ["9007199254740993"],
        ["9007199254740994", "9.007199254740994e15"], ["9223372036854775806"],
        ["9223372036854775807"],
        ["9223372036854775808", "9223372036854775808.0", "9.223372036854775808e18"],
        ["1.7976931348623157e308"], ["1e400", "9e999"],
    ]
    static let finite = 1..<(numbers.count - 1)
    static let strings = [
        "", "a", "b", "ab", "B", "é", "e\u{301}", "\"q'", "back\\slash", "\n\u{1}", "😀", "日本", "1",
        "\u{FFFD}", "longer than what fits fifteen bytes",
    ]
    static let keys = ["a", "b", "c", "not", "key with `", "é"]

    static func random(_ random: inout SeededRandom, depth: Int = 0) -> JSON {
        switch random.below(depth < 3 ? 10 : 7) {
        case 0: return .null
        case 1: return .bool(random.chance(0.5))
        case 2, 3: return .number(random.below(numbers.count))
        case 4, 5, 6: return .string(strings[random.below(strings.count)])
        case 7, 8: return .object(fields(&random, depth: depth + 1))
        default:
            return .array(
                (0..<random.below(4)).map { _ in Self.random(&random, depth: depth + 1) })
        }
    }

    static func fields(_ random: inout SeededRandom, depth: Int) -> [(String, JSON)] {
        (0..<random.below(5)).map { _ in
            (keys[random.below(keys.count)], Self.random(&random, depth: depth))
        }
    }

    /// The text, with space, escapes and notations by chance.
    func text(_ random: inout SeededRandom) -> String {
        func space() -> String { random.chance(0.2) ? [" ", "\n", "\t "][random.below(3)] : "" }
        var result = space()
        switch self {
        case .null: result += "null"
        case .bool(let value): result += value ? "true" : "false"
        case .number(let group):
            result += Self.numbers[group][random.below(Self.numbers[group].count)]
        case .string(let value): result += Self.quoted(value, "\"", &random)
        case .array(let items):
            var texts: [String] = []
            for item in items { texts.append(item.text(&random)) }
            result += "[" + texts.joined(separator: ",") + space() + "]"
        case .object(let fields):
            var texts: [String] = []
            for (key, value) in fields {
                texts.append(
                    space() + Self.quoted(key, "\"", &random) + space() + ":" + value.text(&random))
            }
            result += "{" + texts.joined(separator: ",") + space() + "}"
        }
        return result + space()
    }

    static func quoted(_ string: String, _ quote: String, _ random: inout SeededRandom) -> String {
        var result = quote
        for scalar in string.unicodeScalars {
            if random.chance(0.2) {
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16, uppercase: random.chance(0.5))
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            } else if String(scalar) == quote || scalar == "\\" {
                result += "\\" + String(scalar)
            } else if scalar == "\n" {
                result += "\\n"
            } else if scalar.value < 0x20 {
                result += "\\u000" + String(scalar.value, radix: 16)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result + quote
    }

    /// What stands at a path, arrays opened.
    func values(_ path: ArraySlice<String>) -> [JSON] {
        switch self {
        case .array(let items): return items.flatMap { $0.values(path) }
        case .object(let fields):
            guard let name = path.first else { return [self] }
            return fields.filter { $0.0.unicodeScalars.elementsEqual(name.unicodeScalars) }
                .flatMap { $0.1.values(path.dropFirst()) }
        default: return path.isEmpty ? [self] : []
        }
    }

    /// Negative, 0 or positive; nil between classes and where there is no order.
    func order(_ other: JSON) -> Int? {
        switch (self, other) {
        case (.number(let a), .number(let b)): return a - b
        case (.string(let a), .string(let b)):
            let (left, right) = (a.unicodeScalars.map(\.value), b.unicodeScalars.map(\.value))
            if left == right { return 0 }
            return left.lexicographicallyPrecedes(right) ? -1 : 1
        default: return nil
        }
    }

    func equals(_ other: JSON) -> Bool {
        switch (self, other) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        default: order(other) == 0
        }
    }
}

/// A condition, its text, and what it means.
indirect enum Condition {
    case exists([String])
    case compares([String], String, JSON)
    case list([String], isNegated: Bool, [JSON])
    case not(Condition)
    case all([Condition])
    case any([Condition])

    static let paths = [["a"], ["b"], ["a", "b"], ["c", "not"], ["key with `"], ["é", "a", "c"]]

    static func literal(_ random: inout SeededRandom) -> JSON {
        switch random.below(8) {
        case 0: .null
        case 1: .bool(random.chance(0.5))
        case 2, 3, 4: .number(JSON.finite.randomElement(using: &random)!)
        default: .string(JSON.strings[random.below(JSON.strings.count)])
        }
    }

    static func random(
        _ random: inout SeededRandom, depth: Int = 0, paths: [[String]] = Self.paths
    ) -> Condition {
        let path = paths[random.below(paths.count)]
        switch random.below(depth < 3 ? 12 : 7) {
        case 0: return .exists(path)
        case 1, 2:
            return .compares(path, ["=", "==", "!=", "<>"][random.below(4)], literal(&random))
        case 3, 4, 5:
            var bound = literal(&random)
            while bound.order(bound) == nil { bound = literal(&random) }
            return .compares(path, ["<", "<=", ">", ">="][random.below(4)], bound)
        case 6:
            let values = (0..<(1 + random.below(5))).map { _ in literal(&random) }
            return .list(path, isNegated: random.chance(0.4), values)
        case 7: return .not(.random(&random, depth: depth + 1, paths: paths))
        case 8, 9:
            return .all(
                (0..<(1 + random.below(3))).map { _ in
                    .random(&random, depth: depth + 1, paths: paths)
                })
        default:
            return .any(
                (0..<(1 + random.below(3))).map { _ in
                    .random(&random, depth: depth + 1, paths: paths)
                })
        }
    }

    /// The text in brackets where it could need them, with notations by chance.
    func text(_ random: inout SeededRandom) -> String {
        func word(_ text: String) -> String { random.chance(0.3) ? text.uppercased() : text }
        func literal(_ value: JSON) -> String {
            guard case .string(let text) = value else { return value.text(&random) }
            return JSON.quoted(text, random.chance(0.5) ? "'" : "\"", &random)
        }
        func joined(_ parts: [Condition], _ by: String) -> String {
            var texts: [String] = []
            for part in parts { texts.append("(" + part.text(&random) + ")") }
            return texts.joined(separator: " " + word(by) + " ")
        }
        switch self {
        case .exists(let path): return word("exists") + " " + Self.text(path)
        case .compares(let path, let sign, let value):
            let space = random.chance(0.5) ? " " : ""
            return Self.text(path) + space + sign + space + literal(value)
        case .list(let path, let isNegated, let values):
            var texts: [String] = []
            for value in values { texts.append(literal(value)) }
            return Self.text(path) + word(isNegated ? " not in " : " in ") + "("
                + texts.joined(separator: " ,") + ")"
        case .not(let part): return word("not") + " (" + part.text(&random) + ")"
        case .all(let parts): return joined(parts, "and")
        case .any(let parts): return joined(parts, "or")
        }
    }

    static func text(_ path: [String]) -> String {
        path.map { name in
            name.count == 1
                ? name
                : "`"
                    + name.split(separator: "`", omittingEmptySubsequences: false)
                    .joined(separator: "``") + "`"
        }.joined(separator: ".")
    }

    func holds(_ payload: JSON) -> Bool {
        switch self {
        case .exists(let path): return !payload.values(path[...]).isEmpty
        case .compares(let path, let sign, let bound):
            let values = payload.values(path[...])
            switch sign {
            case "=", "==": return values.contains { $0.equals(bound) }
            case "!=", "<>": return !values.isEmpty && !values.contains { $0.equals(bound) }
            case "<": return values.contains { $0.order(bound).map { $0 < 0 } ?? false }
            case "<=": return values.contains { $0.order(bound).map { $0 <= 0 } ?? false }
            case ">": return values.contains { $0.order(bound).map { $0 > 0 } ?? false }
            default: return values.contains { $0.order(bound).map { $0 >= 0 } ?? false }
            }
        case .list(let path, let isNegated, let wanted):
            let values = payload.values(path[...])
            let isIn = values.contains { value in wanted.contains { $0.equals(value) } }
            return isNegated ? !values.isEmpty && !isIn : isIn
        case .not(let part): return !part.holds(payload)
        case .all(let parts): return parts.allSatisfy { $0.holds(payload) }
        case .any(let parts): return parts.contains { $0.holds(payload) }
        }
    }
}
