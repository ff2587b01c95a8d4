import LociBase
import LociModel

/// The header of an `.npy` file: a Python dictionary with the keys `descr`, `fortran_order` and
/// `shape`. Source: NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays".
struct ArrayHeader {
    private var type = ""
    private var isColumnMajor = false
    private var shape: [UInt64] = []

    /// Nil when the text is not such a dictionary.
    init?(_ text: [UInt8]) {
        var scanner = Scanner(text: text)
        guard scanner.take("{") else { return nil }
        var keys = Set<String>()
        while !scanner.take("}") {
            guard let key = scanner.string(), keys.insert(key).inserted, scanner.take(":")
            else { return nil }
            switch key {
            case "descr":
                guard let value = scanner.string() else { return nil }
                type = value
            case "fortran_order":
                guard let value = scanner.boolean() else { return nil }
                isColumnMajor = value
            case "shape":
                guard let value = scanner.tuple() else { return nil }
                shape = value
            default: return nil
            }
            guard scanner.take(",") || scanner.peek("}") else { return nil }
        }
        guard keys.count == 3, scanner.isAtEnd else { return nil }
    }

    /// - Throws: INVALID_ARGUMENT with how to convert arrays that are not rows of vectors.
    func layout(path: String, headerBytes: UInt64) throws(LociError) -> VectorLayout {
        let element: VectorLayout.Element
        switch type {
        case "<f4": element = .float32
        case "<f2": element = .float16
        case "|u1", "<u1": element = .uint8
        default:
            throw LociError(
                .invalidArgument, "'\(path)' holds elements of type '\(type.prefix(16))'.",
                advice: "Loci reads f4, f2 and u1: save array.astype('float32').")
        }
        guard !isColumnMajor || shape.count == 1 else {
            throw LociError(
                .invalidArgument, "'\(path)' is stored by columns (fortran_order).",
                advice: "Save numpy.ascontiguousarray(array).")
        }
        guard shape.count == 1 || shape.count == 2 else {
            throw LociError(
                .invalidArgument, "'\(path)' has \(shape.count) axes.",
                advice: "Save it with two axes: array.reshape(rows, dimension).")
        }
        let dimension = shape[shape.count - 1]
        return VectorLayout(
            kind: "npy", element: element, headerBytes: headerBytes,
            rows: shape.count == 2 ? shape[0] : 1,
            dimension: Int(min(dimension, UInt64(Int32.max))), repeatsDimension: false)
    }

    /// Just enough of Python's literals.
    private struct Scanner {
        let text: [UInt8]
        var position = 0

        mutating func skipSpace() {
            while position < text.count, [0x20, 0x0A, 0x09, 0x0D].contains(text[position]) {
                position += 1
            }
        }

        var isAtEnd: Bool {
            mutating get {
                skipSpace()
                return position == text.count
            }
        }

        mutating func peek(_ sign: Unicode.Scalar) -> Bool {
            skipSpace()
            return position < text.count && text[position] == UInt8(ascii: sign)
        }

        mutating func take(_ sign: Unicode.Scalar) -> Bool {
            guard peek(sign) else { return false }
            position += 1
            return true
        }

        mutating func string() -> String? {
            let quote: Unicode.Scalar = peek("'") ? "'" : "\""
            guard take(quote) else { return nil }
            let start = position
            while position < text.count, text[position] != UInt8(ascii: quote) { position += 1 }
            guard position < text.count else { return nil }
            defer { position += 1 }
            return String(decoding: text[start..<position], as: UTF8.self)
        }

        mutating func boolean() -> Bool? {
            skipSpace()
            for (word, value) in [("True", true), ("False", false)] {
                if text[position...].starts(with: word.utf8) {
                    position += word.utf8.count
                    return value
                }
            }
            return nil
        }

        mutating func tuple() -> [UInt64]? {
            guard take("(") else { return nil }
            var numbers: [UInt64] = []
            while !take(")") {
                let start = position
                while position < text.count, (0x30...0x39).contains(text[position]) {
                    position += 1
                }
                let digits = String(decoding: text[start..<position], as: UTF8.self)
                guard let number = UInt64(digits) else { return nil }
                numbers.append(number)
                guard take(",") || peek(")") else { return nil }
                skipSpace()
            }
            return numbers
        }
    }
}
