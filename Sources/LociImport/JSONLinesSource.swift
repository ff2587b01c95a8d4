import LociBase
import LociModel

/// Points as JSON objects, one per line: `{"id": 7, "vector": [...], "payload": {...}}` or
/// `{"id": 7, "text": "..."}`. Without an id the line's number counts, from 1. A text without a
/// payload gets itself as payload, so that answers can show it.
struct JSONLinesSource: PointSource {
    private let file: InputFile
    private var lines: LineReader
    private var row: UInt64 = 0
    /// Nil until the first point is read; then the dimension, 0 for text.
    private var dimension: Int?
    /// Read by the initialiser, or left over from a full batch.
    private var pending: Point?

    private struct Point {
        var id: UInt64
        var vector: [Float]
        var text: String
        var payload: String
        var bytes: Int { vector.count * 4 + text.utf8.count + payload.utf8.count }
    }

    var notices: [String] { [] }

    init(path: String, skippingRows: UInt64) throws(LociError) {
        file = try InputFile(path: path)
        lines = LineReader(file)
        while row < skippingRows, try nextLine() != nil { row += 1 }
        pending = try nextPoint()
    }

    /// Elements of the vectors; nil for text, or when there is no point.
    var vectorDimension: Int? { dimension == 0 ? nil : dimension }
    var isText: Bool { dimension == 0 }

    mutating func next(_ limit: Int) throws(LociError) -> PointBatch? {
        precondition(limit > 0, "a batch has at least one point")
        var batch = PointBatch(firstRow: row)
        var bytes = 0
        while batch.count < limit, let point = pending {
            if batch.count > 0, bytes + point.bytes > ImportLimits.batchBytes { break }
            bytes += point.bytes
            batch.ids.append(point.id)
            batch.payloads.append(point.payload)
            if isText { batch.texts.append(point.text) } else { batch.vectors += point.vector }
            row += 1
            pending = nil
            pending = try nextPoint()
        }
        return batch.count > 0 ? batch : nil
    }

    /// The next line that is not blank.
    private mutating func nextLine() throws(LociError) -> [UInt8]? {
        while let line = try lines.next() {
            if line.contains(where: { ![0x20, 0x09, 0x0D].contains($0) }) { return line }
        }
        return nil
    }

    private mutating func nextPoint() throws(LociError) -> Point? {
        guard let line = try nextLine() else { return nil }
        let point = try parse(line)
        let found = point.vector.count
        if let dimension, dimension != found {
            throw wrong(
                "has \(describe(found)), the points before it \(describe(dimension))",
                advice: "All points of a collection are of one kind and dimension.")
        }
        dimension = found
        return point
    }

    private func describe(_ dimension: Int) -> String {
        dimension == 0 ? "a text" : "a vector of dimension \(dimension)"
    }

    private func parse(_ line: [UInt8]) throws(LociError) -> Point {
        guard String(validating: line, as: UTF8.self) != nil else {
            throw wrong("is not UTF-8", advice: "Convert the file, with 'iconv -t utf-8' for one.")
        }
        var scanner = JSONScanner(line)
        var id: UInt64?
        var vector: [Float]?
        var text: String?
        var payload: String?
        var keys = Set<String>()
        guard scanner.take("{") else { throw notJSON() }
        repeat {
            guard let key = scanner.string(), scanner.take(":") else { throw notJSON() }
            guard keys.insert(key).inserted else {
                throw wrong("has the key '\(key.prefix(64))' twice", advice: "Keep one.")
            }
            switch key {
            case "id": id = try read(scanner.unsigned(), key, "a whole number of 64 bits")
            case "vector": vector = try read(scanner.numbers(), key, "an array of numbers")
            case "text": text = try read(scanner.string(), key, "a string")
            case "payload":
                let found = scanner.value()
                if scanner.isTooDeep {
                    throw wrong(
                        "has a payload of more than \(ImportLimits.jsonDepth) objects and arrays "
                            + "within one another", advice: "Write it flatter.")
                }
                let value = try read(found, key, "JSON")
                guard value.first == UInt8(ascii: "{") else {
                    throw wrong("has a payload that is no object", advice: "Write {...}.")
                }
                payload = String(decoding: value, as: UTF8.self)
            default:
                throw wrong(
                    "has the unknown key '\(key.prefix(64))'",
                    advice: "Put it into \"payload\"; known are id, vector, text and payload.")
            }
        } while scanner.take(",")
        guard scanner.take("}"), scanner.isAtEnd else { throw notJSON() }
        return try point(id, vector, text, payload)
    }

    private func point(
        _ id: UInt64?, _ vector: [Float]?, _ text: String?, _ payload: String?
    ) throws(LociError) -> Point {
        guard (vector == nil) != (text == nil) else {
            throw wrong("needs either a vector or a text", advice: "Give it one of the two.")
        }
        if let vector {
            guard (1...Limits.dimension).contains(vector.count) else {
                throw wrong(
                    "has a vector of dimension \(vector.count)",
                    advice: "A dimension is 1 to \(Limits.dimension).")
            }
            guard vector.allSatisfy(\.isFinite) else {
                throw wrong("has an element beyond float32", advice: "Mend or leave out the line.")
            }
        }
        let shown = payload ?? text.map { "{\"text\":\(quotedJSON($0))}" } ?? ""
        guard shown.utf8.count <= Limits.payloadBytes else {
            throw wrong(
                "has a payload or text of \(shown.utf8.count) bytes",
                advice: "At most \(Limits.payloadBytes) are possible; split the text.")
        }
        return Point(id: id ?? lines.line, vector: vector ?? [], text: text ?? "", payload: shown)
    }

    private func read<Value>(
        _ value: Value?, _ key: String, _ expected: String
    ) throws(LociError) -> Value {
        guard let value else {
            throw wrong("does not have \(expected) as '\(key)'", advice: "Mend the line.")
        }
        return value
    }

    private func notJSON() -> LociError {
        wrong("is not a JSON object", advice: "A line holds one object and nothing else.")
    }

    private func wrong(_ what: String, advice: String) -> LociError {
        LociError(.invalidArgument, "Line \(lines.line) of '\(file.path)' \(what).", advice: advice)
    }
}
