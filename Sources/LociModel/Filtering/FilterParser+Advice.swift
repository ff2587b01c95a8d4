/// What to write instead, where something else was written that other languages have.
extension FilterParser {
    static let example =
        "A filter reads like: topic = \"sport\" and (year >= 2024 or author in (\"A\", \"B\"))."

    /// Letters to the language, and yet not meant as such where a value begins.
    private static let typographicQuotes: Set<Character> = [
        "\u{201C}", "\u{201D}", "\u{201E}", "\u{201F}", "\u{2018}", "\u{2019}", "\u{201A}",
        "\u{201B}", "\u{AB}", "\u{BB}", "\u{2039}", "\u{203A}",
    ]

    /// For a sign that the language does not have.
    static func advice(on byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "&"): "Write 'and'. \(example)"
        case UInt8(ascii: "|"): "Write 'or'. \(example)"
        case UInt8(ascii: "!"): "Write 'not': not exists draft."
        default: example
        }
    }

    /// For a name where a value belongs.
    static func advice(onValue name: String) -> String {
        name.first.map(typographicQuotes.contains) == true
            ? "Quotes are straight ones: topic = \"sport\", topic = 'sport'."
            : "Strings stand in quotes: \(quotedJSON(name))."
    }

    /// For what is no comparison.
    static func advice(behind path: FieldPath, found name: String?) -> String {
        guard name?.lowercased() == "is" else { return example }
        let field = "\(path)".count <= 40 ? "\(path)" : "field"
        return "Write '\(field) = null' for a null, 'not exists \(field)' for a field that is "
            + "missing, 'exists \(field)' for one that is there."
    }
}
