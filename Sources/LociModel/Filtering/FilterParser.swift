import LociBase

/// Words of the filter language, in any case of letters. A field of such a name needs backquotes.
enum FilterWord: String, CaseIterable {
    case and, or, not, `in`, exists, `true`, `false`, null

    init?(_ text: String) { self.init(rawValue: text.lowercased()) }
}

/// Reads filters by recursive descent; `Filter` has the grammar.
struct FilterParser {
    private enum Token: Equatable {
        case word(FilterWord)
        case name([UInt8])
        case value(FieldValue)
        /// A comparison, a bracket, a comma, a dot.
        case sign(String)
        case end
    }

    private static let signs = [
        "==", "!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", ".",
    ]

    private let text: [UInt8]
    private var cursor = JSONCursor()
    private var token = Token.end
    /// Where `token` begins.
    private var start = 0
    private var leaves = 0

    init(_ text: String) throws(LociError) {
        guard text.utf8.count <= Limits.filterBytes else {
            throw Self.tooLong(text.utf8.count)
        }
        self.text = Array(text.utf8)
        try advance()
    }

    static func tooLong(_ count: Int) -> LociError {
        LociError(
            .invalidArgument, "The filter has \(count) bytes.",
            advice: "At most \(Limits.filterBytes) are possible; ask with shorter lists.")
    }

    mutating func wholeFilter() throws(LociError) -> FilterExpression {
        let result = try disjunction(depth: 0)
        guard token == .end else { throw expected("'and', 'or' or the end of the filter") }
        return result
    }

    mutating func wholePath() throws(LociError) -> FieldPath {
        let result = try path()
        guard token == .end else { throw expected("'.' or the end of the field's path") }
        return result
    }

    // MARK: Grammar

    private mutating func disjunction(depth: Int) throws(LociError) -> FilterExpression {
        var parts = [try conjunction(depth: depth)]
        while try take(.word(.or)) { parts.append(try conjunction(depth: depth)) }
        return .either(parts)
    }

    private mutating func conjunction(depth: Int) throws(LociError) -> FilterExpression {
        var parts = [try term(depth: depth)]
        while try take(.word(.and)) { parts.append(try term(depth: depth)) }
        return .every(parts)
    }

    private mutating func term(depth: Int) throws(LociError) -> FilterExpression {
        guard depth <= FilterLimits.depth else {
            throw wrong(
                "more than \(FilterLimits.depth) parentheses and 'not' within one another",
                advice: "Write it flatter.")
        }
        if try take(.word(.not)) { return .unless(try term(depth: depth + 1)) }
        if try take(.sign("(")) {
            let inner = try disjunction(depth: depth + 1)
            guard try take(.sign(")")) else { throw expected("'and', 'or' or ')'") }
            return inner
        }
        leaves += 1
        guard leaves <= FilterLimits.comparisons else {
            throw wrong(
                "more than \(FilterLimits.comparisons) comparisons",
                advice: "Compare a field with many values by 'in': topic in (\"a\", \"b\").")
        }
        if try take(.word(.exists)) { return .exists(try pathInBrackets()) }
        guard case .name = token else { throw expected("a field, 'not', 'exists' or '('") }
        return try comparison(of: try path())
    }

    private mutating func comparison(of path: FieldPath) throws(LociError) -> FilterExpression {
        if try take(.word(.in)) { return .oneOf(path, try list()) }
        if try take(.word(.not)) {
            guard try take(.word(.in)) else { throw expected("'in'") }
            return .noneOf(path, try list())
        }
        guard case .sign(let sign) = token, !["(", ")", ",", "."].contains(sign) else {
            throw expected(
                "a comparison (= != < <= > >= in, not in)",
                advice: Self.advice(behind: path, found: name))
        }
        try advance()
        let place = start
        let value = try value()
        switch sign {
        case "=", "==": return .oneOf(path, [value])
        case "!=", "<>": return .noneOf(path, [value])
        default:
            guard let comparison = FilterExpression.Comparison(rawValue: sign),
                value.isOrdered(with: value)
            else {
                throw wrong(
                    at: place, "a number or a string expected behind '\(sign)', found '\(value)'",
                    advice: "Only numbers and strings have an order: year >= 2024.")
            }
            return .compares(path, comparison, value)
        }
    }

    /// A path, with or without brackets around it.
    private mutating func pathInBrackets() throws(LociError) -> FieldPath {
        guard try take(.sign("(")) else { return try path() }
        let path = try path()
        guard try take(.sign(")")) else { throw expected("')' behind the field's path") }
        return path
    }

    private mutating func path() throws(LociError) -> FieldPath {
        var names: [[UInt8]] = []
        repeat {
            guard case .name(let name) = token else { throw expected("the name of a field") }
            guard names.count < FilterLimits.pathNames else {
                throw wrong(
                    "more than \(FilterLimits.pathNames) names in one path",
                    advice: "Keep what is filtered nearer to the top of the payload.")
            }
            names.append(name)
            try advance()
        } while try take(.sign("."))
        return FieldPath(names: names)
    }

    private mutating func list() throws(LociError) -> [FieldValue] {
        guard try take(.sign("(")) else { throw expected("'(' and a list of values") }
        var values: [FieldValue] = []
        repeat {
            guard values.count < FilterLimits.listValues else {
                throw wrong(
                    "more than \(FilterLimits.listValues) values in one list",
                    advice: "Ask with several shorter lists.")
            }
            values.append(try value())
        } while try take(.sign(","))
        guard try take(.sign(")")) else { throw expected("',' or ')'") }
        values.sort()
        var distinct: [FieldValue] = []
        for value in values where distinct.last != value { distinct.append(value) }
        return distinct
    }

    private mutating func value() throws(LociError) -> FieldValue {
        let result: FieldValue
        switch token {
        case .value(let value): result = value
        case .word(.true): result = .bool(true)
        case .word(.false): result = .bool(false)
        case .word(.null): result = .null
        case .name(let name):
            let text = String(String(decoding: name, as: UTF8.self).prefix(40))
            throw wrong(
                "a value expected, found the name '\(text)'", advice: Self.advice(onValue: text))
        default: throw expected("a value (a number, a string in quotes, true, false, null)")
        }
        try advance()
        return result
    }

    private mutating func take(_ wanted: Token) throws(LociError) -> Bool {
        guard token == wanted else { return false }
        try advance()
        return true
    }

    // MARK: Tokens

    private mutating func advance() throws(LociError) {
        let text = text
        cursor.skipSpace(text.span)
        start = cursor.position
        token = try readToken()
    }

    private mutating func readToken() throws(LociError) -> Token {
        let text = text
        guard let byte = cursor.peek(text.span) else { return .end }
        if FieldPath.isNameStart(byte) { return bareWord() }
        switch byte {
        case UInt8(ascii: "`"): return .name(try quotedName())
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            guard let string = cursor.quoted(text.span, by: byte) else {
                throw wrong(
                    "a string that does not end, or has an escape or sign that cannot be",
                    advice: "Escapes are those of JSON: \"a \\\"word\\\"\", \"\\u00e9\".")
            }
            let plain = JSONCursor.plain(string, text.span)
            return .value(.string(String(decoding: plain, as: UTF8.self)))
        case UInt8(ascii: "-"), 0x30...0x39:
            let number = cursor.number(text.span)
            guard let number, number < .number(.infinity), .number(-.infinity) < number,
                cursor.peek(text.span).map(FieldPath.isNamePart) != true
            else {
                throw wrong(
                    "a number that is none, or beyond a double",
                    advice: "Numbers are written 2024, -3 or 1.5e3; strings stand in quotes.")
            }
            return .value(number)
        default:
            let rest = text[cursor.position...]
            guard let sign = Self.signs.first(where: { rest.starts(with: $0.utf8) }) else {
                throw wrong(
                    "'\(Unicode.Scalar(byte))' does not belong here", advice: Self.advice(on: byte))
            }
            cursor.position += sign.utf8.count
            return .sign(sign)
        }
    }

    private mutating func bareWord() -> Token {
        while let byte = cursor.peek(text.span), FieldPath.isNamePart(byte) {
            cursor.position += 1
        }
        let name = Array(text[start..<cursor.position])
        if let word = FilterWord(String(decoding: name, as: UTF8.self)) { return .word(word) }
        return .name(name)
    }

    private mutating func quotedName() throws(LociError) -> [UInt8] {
        var name: [UInt8] = []
        cursor.position += 1
        while let byte = cursor.peek(text.span) {
            cursor.position += 1
            if byte == UInt8(ascii: "`") {
                guard cursor.peek(text.span) == byte else { return name }
                cursor.position += 1
            }
            name.append(byte)
        }
        throw wrong("a name in backquotes that does not end", advice: "Close it: `first name`.")
    }

    // MARK: Errors

    /// The name that `token` is, if it is one.
    private var name: String? {
        if case .name(let name) = token { String(decoding: name, as: UTF8.self) } else { nil }
    }

    private func expected(_ what: String, advice: String = example) -> LociError {
        let end = cursor.position
        let found =
            token == .end
            ? "the end"
            : "'\(String(decoding: text[start..<end], as: UTF8.self).prefix(40))'"
        return wrong("\(what) expected, found \(found)", advice: advice)
    }

    private func wrong(at place: Int? = nil, _ what: String, advice: String) -> LociError {
        let before = String(decoding: text[..<(place ?? start)], as: UTF8.self)
        return LociError(
            .invalidArgument, "Column \(before.count + 1) of the filter: \(what).", advice: advice)
    }
}
