/// A position in JSON text (RFC 8259) and the steps from it. The text is passed to each step. What
/// is not JSON makes a step return nil or false and never traps; the position is then meaningless.
struct JSONCursor {
    var position = 0

    /// What stands between the quotes of a string.
    struct Quoted {
        var range: Range<Int>
        var hasEscapes: Bool
        /// JSON knows only `"`; filters have `'` too.
        var quote = UInt8(ascii: "\"")
    }

    func peek(_ text: Span<UInt8>) -> UInt8? { position < text.count ? text[position] : nil }

    mutating func skipSpace(_ text: Span<UInt8>) {
        while position < text.count {
            switch text[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// Skips space, then the sign if it is there.
    mutating func take(_ sign: UInt8, _ text: Span<UInt8>) -> Bool {
        skipSpace(text)
        guard peek(text) == sign else { return false }
        position += 1
        return true
    }

    mutating func take(word: StaticString, _ text: Span<UInt8>) -> Bool {
        let count = word.utf8CodeUnitCount
        guard text.count - position >= count else { return false }
        var offset = 0
        for byte in word.description.utf8 {
            if text[position + offset] != byte { return false }
            offset += 1
        }
        position += count
        return true
    }

    // MARK: Strings

    /// A string up to its closing quote. Checks escapes and UTF-8.
    mutating func quoted(
        _ text: Span<UInt8>, by quote: UInt8 = UInt8(ascii: "\"")
    ) -> Quoted? {
        guard peek(text) == quote else { return nil }
        position += 1
        let start = position
        var hasEscapes = false
        while position < text.count {
            let byte = text[position]
            if byte == quote {
                position += 1
                return Quoted(
                    range: start..<(position - 1), hasEscapes: hasEscapes, quote: quote)
            }
            switch byte {
            case UInt8(ascii: "\\"):
                hasEscapes = true
                position += 1
                guard escape(text, quote) != nil else { return nil }
            case 0..<0x20: return nil
            case 0x80...: guard skipScalar(text) else { return nil }
            default: position += 1
            }
        }
        return nil
    }

    /// The UTF-8 of a string that `quoted` has checked.
    static func plain(_ string: Quoted, _ text: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(string.range.count)
        var cursor = JSONCursor(position: string.range.lowerBound)
        while cursor.position < string.range.upperBound {
            let byte = text[cursor.position]
            cursor.position += 1
            if byte == UInt8(ascii: "\\"), let scalar = cursor.escape(text, string.quote) {
                result.append(contentsOf: UTF8.encode(scalar)!)
            } else {
                result.append(byte)
            }
        }
        return result
    }

    /// What follows a backslash. Halves of a surrogate pair without the other become U+FFFD.
    private mutating func escape(_ text: Span<UInt8>, _ quote: UInt8) -> Unicode.Scalar? {
        guard let byte = peek(text) else { return nil }
        position += 1
        switch byte {
        case quote, UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return unicodeEscape(text)
        default: return nil
        }
    }

    private mutating func unicodeEscape(_ text: Span<UInt8>) -> Unicode.Scalar? {
        guard let unit = hexadecimal(text) else { return nil }
        let before = position
        guard (0xD800..<0xDC00).contains(unit), take(word: "\\u", text) else {
            return Unicode.Scalar(unit) ?? "\u{FFFD}"
        }
        guard let low = hexadecimal(text) else { return nil }
        if (0xDC00..<0xE000).contains(low) {
            return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
        }
        position = before
        return "\u{FFFD}"
    }

    private mutating func hexadecimal(_ text: Span<UInt8>) -> UInt32? {
        guard text.count - position >= 4 else { return nil }
        var unit: UInt32 = 0
        for _ in 0..<4 {
            let byte = text[position]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: return nil
            }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }

    /// Passes one scalar of two to four bytes (table 3-7 of the Unicode standard).
    private mutating func skipScalar(_ text: Span<UInt8>) -> Bool {
        let first = text[position]
        var second: ClosedRange<UInt8> = 0x80...0xBF
        let count: Int
        switch first {
        case 0xC2...0xDF: count = 2
        case 0xE0: (count, second) = (3, 0xA0...0xBF)
        case 0xED: (count, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: count = 3
        case 0xF0: (count, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: count = 4
        case 0xF4: (count, second) = (4, 0x80...0x8F)
        default: return false
        }
        guard text.count - position >= count, second.contains(text[position + 1]) else {
            return false
        }
        for offset in 2..<max(count, 2) where text[position + offset] & 0xC0 != 0x80 {
            return false
        }
        position += count
        return true
    }
}
