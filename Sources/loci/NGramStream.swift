import Foundation
import LociBase
import LociClient

/// The rows that a language model with tables of n-grams asks for: for each token of a text the
/// last two, three and four tokens up to it, fewer at the start of a document.
///
/// A document is a row of a CSV file (RFC 4180) without its first column. Its tokens are runs of
/// ASCII letters and digits, in lower case, and every other character that is not white space.
struct NGramStream {
    private static let lengths = 2...4

    private(set) var keys: [UInt64] = []

    init(csv file: UnpackedFile) throws {
        var content: [UInt8] = []
        try file.read { chunk in
            content.append(contentsOf: chunk)
            guard content.count <= TraceFile.mostRequests else {
                throw TraceFile.isTooLong(file.path)
            }
        }
        var row: [UInt8] = []
        var column = 0
        var isQuoted = false
        var last: UInt8 = 0
        for byte in content {
            switch byte {
            case UInt8(ascii: "\""):
                // A quote within quotes is written twice.
                if !isQuoted, last == byte, column > 0 { row.append(byte) }
                isQuoted.toggle()
            case UInt8(ascii: ",") where !isQuoted:
                if column > 0 { row.append(UInt8(ascii: " ")) }
                column += 1
            case UInt8(ascii: "\n") where !isQuoted:
                add(row)
                row = []
                column = 0
            default:
                if column > 0 { row.append(byte) }
            }
            last = byte
        }
        add(row)
    }

    private mutating func add(_ document: [UInt8]) {
        let tokens = Self.tokens(of: document)
        for end in tokens.indices {
            for length in Self.lengths {
                let last = tokens[max(0, end + 1 - length)...end]
                keys.append(last.reduce(mix64(UInt64(length))) { mix64($0 ^ $1) })
            }
        }
    }

    /// A hash of each token.
    private static func tokens(of document: [UInt8]) -> [UInt64] {
        var hashes: [UInt64] = []
        var word: UInt64?
        for scalar in String(decoding: document, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "a"..."z", "0"..."9": word = mix64((word ?? 0) ^ UInt64(scalar.value))
            case "A"..."Z": word = mix64((word ?? 0) ^ UInt64(scalar.value + 32))
            default:
                if let ended = word { hashes.append(ended) }
                word = nil
                if !scalar.properties.isWhitespace {
                    hashes.append(mix64(UInt64(scalar.value)))
                }
            }
        }
        if let word { hashes.append(word) }
        return hashes
    }
}
