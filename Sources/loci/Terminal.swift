import Foundation
import Glibc
import LociClient

/// Where output goes: answers to standard output, everything else to standard error.
enum Terminal {
    static func standardError(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }

    /// One sentence and what to do about it.
    static func complain(_ error: LociError) {
        let advice = error.advice.isEmpty ? "" : " \(error.advice)"
        standardError("loci: \(error.message)\(advice) (\(error.code.name))\n")
    }

    static func note(_ text: String) { standardError("loci: \(text)\n") }

    /// Whether a person watches standard error.
    static let showsProgress = isatty(STDERR_FILENO) == 1

    /// Keys in snake_case, sorted.
    static func printJSON(_ value: some Encodable) throws {
        try printJSON(value, [.prettyPrinted])
    }

    /// The same on one line, at once: a program that asks and waits reads it line by line.
    static func printJSONLine(_ value: some Encodable) throws {
        try printJSON(value, [])
        fflush(nil)
    }

    private static func printJSON(
        _ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting
    ) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "infinity", negativeInfinity: "-infinity", nan: "nan")
        print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// A warning, then exit code 3.
    static func leavePartial(_ receipt: Receipt) throws {
        let skipped = Tier.allCases.filter { receipt.tiers[$0].skipped > 0 }.map {
            "\(Show.amount(receipt.tiers[$0].skipped, "page")) on \($0.name)"
        }
        if !skipped.isEmpty {
            note("The answer is partial: --max-tier left out \(skipped.joined(separator: ", ")).")
        }
        if !receipt.isComplete || skipped.isEmpty {
            note(
                "The answer is partial: \(receipt.shardsAnswered) of \(receipt.shardsAsked) shards "
                    + "answered. `loci status` shows which are down.")
        }
        throw Loci.partial
    }
}

/// Rows in aligned columns; numbers to the right.
struct Table {
    private let header: [String]
    private var rows: [[String]] = []
    private let isNumeric: [Bool]

    /// A column whose title starts with `#` is numeric; the sign is not shown.
    init(_ titles: String...) { self.init(titles) }

    init(_ titles: [String]) {
        isNumeric = titles.map { $0.hasPrefix("#") }
        header = titles.map { $0.hasPrefix("#") ? String($0.dropFirst()) : $0 }
    }

    mutating func add(_ cells: String...) { add(cells) }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    func print() {
        let lines = [header] + rows
        let widths = header.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        for line in lines {
            let cells = line.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - line[column].count)
                return isNumeric[column] ? padding + line[column] : line[column] + padding
            }
            var text = cells.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            Swift.print(text)
        }
    }
}

/// Numbers as people read them.
enum Show {
    /// `12345678` as `12,345,678`.
    static func count(_ value: some BinaryInteger) -> String {
        var result = ""
        for (index, digit) in String(value).reversed().enumerated() {
            if index > 0, index % 3 == 0, digit != "-" { result.append(",") }
            result.append(digit)
        }
        return String(result.reversed())
    }

    /// `1 cell`, `12,345 cells`.
    static func amount(_ value: some BinaryInteger, _ unit: String) -> String {
        "\(count(value)) \(unit)\(value == 1 ? "" : "s")"
    }

    static func bytes(_ value: UInt64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
        var size = Double(value)
        var unit = 0
        while size >= 1024, unit < units.count - 1 {
            size /= 1024
            unit += 1
        }
        return unit == 0 ? "\(value) B" : "\(decimal(size, places: 1)) \(units[unit])"
    }

    static func decimal(_ value: Double, places: Int) -> String {
        guard value.isFinite else { return "\(value)" }
        let scale = places == 0 ? 1.0 : (1...places).reduce(1.0) { result, _ in result * 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 9e18 else { return "\(value)" }
        let whole = UInt64(scaled) / UInt64(scale)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard places > 0 else { return "\(sign)\(whole)" }
        let fraction = String(UInt64(scaled) % UInt64(scale))
        let zeros = String(repeating: "0", count: places - fraction.count)
        return "\(sign)\(whole).\(zeros)\(fraction)"
    }

    /// Microseconds as `123 us`, `1.23 ms` or `1.23 s`.
    /// Three digits that count, whatever the magnitude.
    static func significant(_ value: Double) -> String {
        if value == 0 || (0.01..<1000).contains(abs(value)) { return decimal(value, places: 3) }
        let exponent = Int(log10(abs(value)).rounded(.down))
        return decimal(value / pow(10, Double(exponent)), places: 2) + "e\(exponent)"
    }

    static func time(microseconds: UInt64) -> String {
        if microseconds < 1000 { return "\(microseconds) us" }
        let milliseconds = Double(microseconds) / 1000
        if milliseconds < 1000 { return "\(decimal(milliseconds, places: 2)) ms" }
        return "\(decimal(milliseconds / 1000, places: 2)) s"
    }

    /// `12.3 uJ`, `4.56 mJ`, `7.89 J`.
    static func energy(joules: Double) -> String {
        if joules < 1e-3 { return "\(decimal(joules * 1e6, places: 1)) uJ" }
        if joules < 1 { return "\(decimal(joules * 1e3, places: 2)) mJ" }
        return "\(decimal(joules, places: 2)) J"
    }

    static func hexadecimal(_ bytes: Bytes) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes.array {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func identity(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
