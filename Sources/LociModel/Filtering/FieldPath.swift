/// Where a value lies in a payload: the names of nested fields, from the outermost object inwards.
///
/// As text the names are separated by dots: `author.name`. A name that has other signs than
/// letters, digits, `_`, `-`, `$` and `@`, that begins with a digit, `-`, `$` or `@`, or that is
/// a word of the filter language stands in backquotes, a backquote in it twice: `` `first name` ``.
/// Everything outside of ASCII counts as a letter.
/// Names are equal when their UTF-8 is.
public struct FieldPath: Hashable, Sendable, CustomStringConvertible {
    /// UTF-8 of each name; 1 to `FilterLimits.pathNames` of them.
    let names: [[UInt8]]

    init(names: [[UInt8]]) {
        precondition((1...FilterLimits.pathNames).contains(names.count))
        self.names = names
    }

    /// - Throws: INVALID_ARGUMENT with the column of the first thing that does not belong there.
    public init(_ text: String) throws(LociError) {
        var parser = try FilterParser(text)
        self = try parser.wholePath()
    }

    /// The text that reads back as the same path.
    public var description: String {
        names.map(Self.quotedIfNeeded).joined(separator: ".")
    }

    private static func quotedIfNeeded(_ name: [UInt8]) -> String {
        let text = String(decoding: name, as: UTF8.self)
        let isPlain =
            name.first.map(isNameStart) == true && name.allSatisfy(isNamePart)
            && FilterWord(text) == nil
        return isPlain
            ? text
            : "`"
                + text.split(
                    separator: "`", omittingEmptySubsequences: false
                ).joined(separator: "``") + "`"
    }

    static func isNameStart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }

    static func isNamePart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "$"),
            UInt8(ascii: "@"):
            true
        default: isNameStart(byte)
        }
    }
}

extension FieldPath: Comparable {
    public static func < (left: FieldPath, right: FieldPath) -> Bool {
        left.names.lexicographicallyPrecedes(right.names) { $0.lexicographicallyPrecedes($1) }
    }
}
