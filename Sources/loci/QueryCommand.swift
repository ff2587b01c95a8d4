import ArgumentParser
import Foundation
import LociClient
import LociImport

struct QueryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Finds the points nearest to a text or a vector.",
        discussion: """
            loci query notes "which clause grants a patent licence" -k 5
            loci query digits --vector @q.npy -k 10 --explain
            loci query points --vector 0.5,1,-2 --exact
            loci query news --vector @q.npy --filter 'topic = "sport" and year >= 2024'
            """)

    @Argument(help: "Name of the collection.")
    var collection: String
    @Argument(help: "The question, for a collection of texts.")
    var text: String?
    @Option(
        parsing: .unconditional,
        help: "The question: 1,2,3, or @FILE (.npy .fvecs .fbin .u8bin ...), one query per row.")
    var vector: String?
    @Option(name: .customShort("k"), help: "How many neighbours: 1 to \(Limits.neighbours).")
    var neighbours = 10
    @Flag(help: "Compare with every point; slow and exact.")
    var exact = false
    @OptionGroup var width: WidthOptions
    @Option(
        help: ArgumentHelp(
            "Only points whose payload passes.",
            discussion: "Comparisons of fields with numbers and texts (= != < <= > >=), in (...), "
                + "exists, and, or, not.", valueName: "condition"))
    var filter = ""
    @OptionGroup var limit: TierOption
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (text == nil) != (vector == nil) else {
            throw ValidationError("Give either a text or --vector.")
        }
        guard text != "" else {
            throw ValidationError("The question is empty: ask with at least one word.")
        }
        guard (1...Limits.neighbours).contains(neighbours) else {
            throw ValidationError("-k must be 1 to \(Limits.neighbours), not \(neighbours).")
        }
        guard !exact || width.isNone else {
            throw ValidationError(
                "--exact looks everywhere: leave --recall, --radius, --probes out.")
        }
    }

    func run() async throws {
        let client = try common.client()
        var answers: [Matches] = []
        if let text {
            answers.append(
                try await client.query(
                    collection, text: text, k: neighbours, isExact: exact, probes: width.probes,
                    maxTier: limit.maxTier, filter: filter, recall: width.recall,
                    radius: width.radius))
        } else {
            for row in try VectorArgument.rows(vector ?? "") {
                answers.append(
                    try await client.query(
                        collection, vector: row, k: neighbours, isExact: exact,
                        probes: width.probes, maxTier: limit.maxTier, filter: filter,
                        recall: width.recall, radius: width.radius))
            }
        }
        if common.json {
            let reports = answers.map(MatchesReport.init)
            if reports.count == 1 {
                try Terminal.printJSON(reports[0])
            } else {
                try Terminal.printJSON(reports)
            }
        } else {
            for (index, answer) in answers.enumerated() {
                if answers.count > 1 { print("query \(index)") }
                show(answer)
            }
        }
        if let partial = answers.first(where: \.isDegraded) {
            try Terminal.leavePartial(partial.receipt)
        }
    }

    private func show(_ answer: Matches) {
        let isPassages = answer.matches.contains { PassagePayload($0.point.payload) != nil }
        var table =
            isPassages
            ? Table("#rank", "#score", "place", "text")
            : Table("#rank", "#score", "#id", "payload")
        for (index, match) in answer.matches.enumerated() {
            let score = Show.decimal(Double(match.score), places: 4)
            if let passage = PassagePayload(match.point.payload) {
                table.add("\(index + 1)", score, passage.place, passage.line(nearest: text, of: 80))
            } else {
                let payload = PassagePayload.cut(match.point.payload, to: 80)
                table.add("\(index + 1)", score, "\(match.id)", payload)
            }
        }
        table.print()
        if answer.isExhausted {
            let passing = filter.isEmpty ? "" : " that pass the filter"
            Terminal.note(
                "Exhausted: the collection has only \(answer.matches.count) points\(passing).")
        }
        if explanation.explain { answer.receipt.printTable() }
    }
}

/// Vectors from the command line.
enum VectorArgument {
    /// `1,2,3` or `@file`, whose rows are one vector each.
    static func rows(_ text: String) throws -> [[Float]] {
        if text.hasPrefix("@") {
            let (rows, dimension, values) = try Import.readFloats(path: String(text.dropFirst()))
            return (0..<rows).map { Array(values[($0 * dimension)..<(($0 + 1) * dimension)]) }
        }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Float($0.trimmingCharacters(in: .whitespaces)) }
        guard numbers.count == parts.count else {
            throw ValidationError("'\(text.prefix(64))' is not a vector. Write 1,2,3 or @FILE.")
        }
        return [numbers]
    }
}

/// The payload of a passage that an import made.
struct PassagePayload: Decodable {
    let path: String
    let line: Int
    let text: String

    init?(_ json: String) {
        guard json.hasPrefix("{"),
            let payload = try? JSONDecoder().decode(Self.self, from: Data(json.utf8))
        else { return nil }
        self = payload
    }

    var place: String { "\(path):\(line)" }

    /// Its first line that has a letter or a digit.
    func firstLine(of width: Int) -> String {
        let lines = text.split(whereSeparator: \.isNewline)
        let line = lines.first { $0.contains { $0.isLetter || $0.isNumber } } ?? lines.first ?? ""
        return Self.cut(line.trimmingCharacters(in: .whitespaces), to: width)
    }

    /// The line that shares the most words with a question, the first of equals; without a question
    /// the first line.
    func line(nearest question: String?, of width: Int) -> String {
        let words = Set(Self.words(question ?? ""))
        var best = (line: "", shared: 0)
        for line in text.split(whereSeparator: \.isNewline) {
            let shared = words.intersection(Self.words(String(line))).count
            if shared > best.shared { best = (String(line), shared) }
        }
        return best.shared == 0
            ? firstLine(of: width)
            : Self.cut(best.line.trimmingCharacters(in: .whitespaces), to: width)
    }

    private static func words(_ text: String) -> [String] {
        text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
            .filter { $0.count > 2 }
    }

    static func cut(_ text: String, to width: Int) -> String {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.count <= width ? line : line.prefix(width - 3) + "..."
    }
}

/// A payload as it appears in JSON output: as the value that it is, not as a string with JSON in
/// it.
enum PayloadReport: Encodable {
    case absent
    case value(JSONValue)
    case text(String)

    init(_ payload: String) {
        if payload.isEmpty {
            self = .absent
        } else if let value = try? JSONDecoder().decode(JSONValue.self, from: Data(payload.utf8)) {
            self = .value(value)
        } else {
            self = .text(payload)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .absent: try container.encodeNil()
        case .value(let value): try container.encode(value)
        case .text(let text): try container.encode(text)
        }
    }
}

/// Any JSON.
indirect enum JSONValue: Codable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

/// A query's answer as JSON.
struct MatchesReport: Encodable {
    struct Item: Encodable {
        let id: UInt64
        let score: Float
        let payload: PayloadReport
    }

    let matches: [Item]
    let degraded: Bool
    let exhausted: Bool
    let receipt: ReceiptReport

    init(_ answer: Matches) {
        matches = answer.matches.map {
            Item(id: $0.id, score: $0.score, payload: PayloadReport($0.point.payload))
        }
        degraded = answer.isDegraded
        exhausted = answer.isExhausted
        receipt = ReceiptReport(answer.receipt)
    }
}
