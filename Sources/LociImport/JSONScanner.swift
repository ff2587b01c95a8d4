/// Reads and checks JSON (RFC 8259) in one pass, without a tree: values that only travel on stay
/// the bytes they are. Nesting is bounded; nothing in the text can trap.
struct JSONScanner {
    let text: [UInt8]
    private(set) var position = 0
    /// Whether a value was refused for objects and arrays within one another, of which there may be
    /// `ImportLimits.jsonDepth`.
    private(set) var isTooDeep = false

    init(_ text: [UInt8]) { self.text = text }

    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return position == text.count
        }
    }

    mutating func take(_ sign: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < text.count, text[position] == UInt8(ascii: sign) else { return false }
        position += 1
        return true
    }

    /// The bytes of the next value, checked; nil when it is not JSON.
    mutating func value() -> ArraySlice<UInt8>? {
        skipSpace()
        let start = position
        return skipValue(depth: 0) ? text[start..<position] : nil
    }

    /// A string without its quotes and escapes.
    mutating func string() -> String? {
        guard take("\"") else { return nil }
        var plain: [UInt8] = []
        while position < text.count {
            let byte = text[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: plain, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let scalar = escape() else { return nil }
                plain += Array(String(scalar).utf8)
            case 0..<0x20: return nil
            default: plain.append(byte)
            }
        }
        return nil
    }

    /// Numbers between brackets, rounded to float32; nil when anything else stands there.
    mutating func numbers() -> [Float]? {
        guard take("[") else { return nil }
        var result: [Float] = []
        if take("]") { return result }
        repeat {
            skipSpace()
            guard let digits = number(), let value = Float(digits) else { return nil }
            result.append(value)
        } while take(",")
        return take("]") ? result : nil
    }

    /// A whole number from 0 to 2^64 - 1.
    mutating func unsigned() -> UInt64? {
        skipSpace()
        guard let digits = number() else { return nil }
        return UInt64(digits)
    }

    private mutating func skipSpace() {
        while position < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[position]) {
            position += 1
        }
    }

    private mutating func skipValue(depth: Int) -> Bool {
        skipSpace()
        guard depth < ImportLimits.jsonDepth else {
            isTooDeep = true
            return false
        }
        guard position < text.count else { return false }
        switch text[position] {
        case UInt8(ascii: "\""): return string() != nil
        case UInt8(ascii: "{"):
            position += 1
            if take("}") { return true }
            repeat {
                guard string() != nil, take(":"), skipValue(depth: depth + 1) else { return false }
            } while take(",")
            return take("}")
        case UInt8(ascii: "["):
            position += 1
            if take("]") { return true }
            repeat {
                guard skipValue(depth: depth + 1) else { return false }
            } while take(",")
            return take("]")
        case UInt8(ascii: "t"): return word("true")
        case UInt8(ascii: "f"): return word("false")
        case UInt8(ascii: "n"): return word("null")
        default: return number() != nil
        }
    }

    private mutating func word(_ word: String) -> Bool {
        guard text[position...].starts(with: word.utf8) else { return false }
        position += word.utf8.count
        return true
    }

    /// `-`, digits without a leading zero, a fraction, an exponent.
    private mutating func number() -> String? {
        let start = position
        if peek() == UInt8(ascii: "-") { position += 1 }
        let isZero = peek() == UInt8(ascii: "0")
        let count = digits()
        guard count > 0, !isZero || count == 1 else { return nil }
        if peek() == UInt8(ascii: ".") {
            position += 1
            guard digits() > 0 else { return nil }
        }
        if peek() == UInt8(ascii: "e") || peek() == UInt8(ascii: "E") {
            position += 1
            if peek() == UInt8(ascii: "+") || peek() == UInt8(ascii: "-") { position += 1 }
            guard digits() > 0 else { return nil }
        }
        return String(decoding: text[start..<position], as: UTF8.self)
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = peek(), (0x30...0x39).contains(byte) { position += 1 }
        return position - start
    }

    private func peek() -> UInt8? { position < text.count ? text[position] : nil }

    /// What follows a backslash. Halves of a surrogate pair without the other become U+FFFD.
    private mutating func escape() -> Unicode.Scalar? {
        guard let byte = peek() else { return nil }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard let unit = hexadecimal() else { return nil }
            guard (0xD800..<0xDC00).contains(unit), text[position...].starts(with: "\\u".utf8)
            else { return Unicode.Scalar(unit) ?? "\u{FFFD}" }
            let before = position
            position += 2
            guard let low = hexadecimal() else { return nil }
            if (0xDC00..<0xE000).contains(low) {
                return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
            }
            position = before
            return "\u{FFFD}"
        default: return nil
        }
    }

    private mutating func hexadecimal() -> UInt32? {
        guard position + 4 <= text.count else { return nil }
        var unit: UInt32 = 0
        for byte in text[position..<(position + 4)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            unit = unit << 4 | UInt32(digit)
        }
        position += 4
        return unit
    }
}
