import LociBase
import LociModel

/// Rows of a vector file with payloads from another file: line n belongs to row n - 1. A line holds
/// one JSON object; an empty one is a point without payload.
///
/// Invariants:
/// - `pending` holds rows that were read from the vectors and not given yet, from `taken` on;
///   `lines` stands at the line of the first of them, or of the row after the last that was given.
struct PayloadSource: PointSource {
    private var vectors: VectorFileSource
    private let path: String
    private let dimension: Int
    private let file: InputFile
    private var lines: LineReader
    private var pending = PointBatch(firstRow: 0)
    private var taken = 0

    var notices: [String] { [] }

    /// Passes the whole file of payloads once, so that one that does not fit is refused before the
    /// first row is given.
    /// - Throws: INVALID_ARGUMENT when it has fewer or more lines than there are rows; empty lines
    ///   behind the last do not count.
    init(
        _ vectors: VectorFileSource, payloads path: String, skippingRows: UInt64
    ) throws(LociError) {
        self.vectors = vectors
        self.path = path
        dimension = vectors.dimension
        try Self.checkLines(path, rows: vectors.rows)
        file = try InputFile(path: path)
        lines = LineReader(file)
        while lines.line < min(skippingRows, vectors.rows) {
            guard try lines.next() != nil else { throw ended() }
        }
    }

    mutating func next(_ limit: Int) throws(LociError) -> PointBatch? {
        precondition(limit > 0, "a batch has at least one point")
        if taken == pending.count {
            guard let more = try vectors.next(limit) else { return nil }
            pending = more
            taken = 0
        }
        var bytes = 0
        let first = taken
        var payloads: [String] = []
        while taken < pending.count, taken - first < limit, bytes < ImportLimits.batchBytes {
            let payload = try nextPayload()
            bytes += payload.utf8.count + dimension * 4
            payloads.append(payload)
            taken += 1
        }
        return PointBatch(
            firstRow: pending.firstRow + UInt64(first), ids: Array(pending.ids[first..<taken]),
            vectors: Array(pending.vectors[(first * dimension)..<(taken * dimension)]),
            payloads: payloads)
    }

    private mutating func nextPayload() throws(LociError) -> String {
        guard let line = try lines.next() else { throw ended() }
        if Self.isBlank(line) { return "" }
        guard let text = String(validating: line, as: UTF8.self) else {
            throw wrong("is not UTF-8", advice: "Convert the file, with 'iconv -t utf-8' for one.")
        }
        var scanner = JSONScanner(line)
        let found = scanner.value()
        if scanner.isTooDeep {
            throw wrong(
                "has more than \(ImportLimits.jsonDepth) objects and arrays within one another",
                advice: "Write the payload flatter, or put its inner part into a string.")
        }
        guard let value = found, scanner.isAtEnd, value.first == UInt8(ascii: "{") else {
            throw wrong(
                "is not a JSON object", advice: "A line holds one object: {\"year\": 2024}.")
        }
        guard value.count <= Limits.payloadBytes else {
            throw wrong(
                "is a payload of \(value.count) bytes",
                advice: "At most \(Limits.payloadBytes) are possible.")
        }
        return value.count == line.count ? text : String(decoding: value, as: UTF8.self)
    }

    private static func checkLines(_ path: String, rows: UInt64) throws(LociError) {
        var lines = LineReader(try InputFile(path: path))
        while let line = try lines.next() {
            guard lines.line <= rows || isBlank(line) else {
                throw LociError(
                    .invalidArgument,
                    "Line \(lines.line) of '\(path)' has no vector: there are \(rows) rows.",
                    advice: "Line n is the payload of row n - 1, counted from 0; has the file a "
                        + "heading?")
            }
        }
        guard lines.line >= rows else {
            throw LociError(
                .invalidArgument,
                "'\(path)' ends after line \(lines.line), and there are \(rows) vectors.",
                advice: "Give a line for each vector, an empty one where it has no payload.")
        }
    }

    private static func isBlank(_ line: [UInt8]) -> Bool {
        line.allSatisfy { [0x20, 0x09, 0x0D].contains($0) }
    }

    /// It was whole when it was checked.
    private func ended() -> LociError {
        LociError(
            .dataLoss, "'\(path)' ends after line \(lines.line), and was longer before.",
            advice: "Leave it alone while it is imported.")
    }

    private func wrong(_ what: String, advice: String) -> LociError {
        LociError(.invalidArgument, "Line \(lines.line) of '\(path)' \(what).", advice: advice)
    }
}
