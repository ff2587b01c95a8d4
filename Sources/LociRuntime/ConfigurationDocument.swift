import Foundation
import LociBase
import LociModel
import LociTransport
import Logging
import Yams

/// A configuration file as keys and values that remember their lines, so that every complaint can
/// name the place.
struct ConfigurationDocument {
    let path: String
    private var values: [String: Node] = [:]
    /// Where a complaint about a key that is absent points.
    private var firstLine = 1
    /// Of an entry in a list: the list's key, for complaints.
    private var context = ""

    init(path: String) throws(LociError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw LociError(
                .notFound, "The configuration file \(path) cannot be read.",
                advice: "Name an existing one with --config; cluster/local.yaml is an example.")
        }
        try self.init(text: String(decoding: data, as: UTF8.self), path: path)
    }

    init(text: String, path: String) throws(LociError) {
        self.path = path
        let root: Node?
        do {
            root = try compose(yaml: text)
        } catch {
            throw LociError(
                .invalidArgument, "\(path) is not YAML: \(Self.flatten(String(describing: error)))")
        }
        guard let mapping = root?.mapping else {
            throw LociError(
                .invalidArgument, "\(path) has no keys.",
                advice: "Write at least `shards:` with a list of endpoints.")
        }
        try take(mapping)
    }

    private init(
        entry: Node.Mapping, line: Int, of list: String, path: String
    ) throws(LociError) {
        self.path = path
        firstLine = line
        context = "\(list): "
        try take(entry)
    }

    private mutating func take(_ mapping: Node.Mapping) throws(LociError) {
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                throw LociError(
                    .invalidArgument, "\(path):\(key.mark?.line ?? 1): a key must be a word.")
            }
            values[name] = value
        }
    }

    private static func flatten(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// `INVALID_ARGUMENT path:line: 'key' ...`
    func complaint(_ key: String, _ text: String, advice: String = "") -> LociError {
        let line = values[key]?.mark?.line ?? firstLine
        return LociError(
            .invalidArgument, "\(path):\(line): '\(context)\(key)' \(text)", advice: advice)
    }

    func has(_ key: String) -> Bool { values[key] != nil }

    func refuseUnknownKeys(
        _ known: [String], of place: String = ""
    ) throws(LociError) {
        for key in values.keys.sorted() where !known.contains(key) {
            throw complaint(
                key, place.isEmpty ? "is not a key." : "is not a key of \(place).",
                advice: "The keys are: \(known.sorted().joined(separator: ", ")).")
        }
    }

    /// A relative path starts at the configuration file's own folder.
    func resolve(_ text: String) -> String {
        if text.hasPrefix("/") { return text }
        let folder = (path as NSString).deletingLastPathComponent
        return folder.isEmpty ? text : folder + "/" + text
    }

    /// Nil when the key is absent.
    private func scalar(_ key: String) throws(LociError) -> String? {
        guard let value = values[key] else { return nil }
        guard let scalar = value.scalar else { throw complaint(key, "must be a single value.") }
        guard !scalar.string.isEmpty else {
            throw complaint(key, "has no value.", advice: "Remove the line to get the default.")
        }
        return scalar.string
    }

    func string(_ key: String, default standard: String) throws(LociError) -> String {
        try scalar(key) ?? standard
    }

    /// Runs a check of the model on a value and adds key and line to what it says.
    func check(_ key: String, _ body: (String) throws(LociError) -> Void) throws(LociError) {
        guard let text = try scalar(key) else { return }
        do {
            try body(text)
        } catch {
            throw complaint(key, "is refused: \(error.message)", advice: error.advice)
        }
    }

    func hexadecimal(_ key: String) throws(LociError) -> UInt64? {
        guard let text = try scalar(key) else { return nil }
        let digits = text.hasPrefix("0x") ? String(text.dropFirst(2)) : text
        guard digits.count <= 16, let value = UInt64(digits, radix: 16), value > 0 else {
            throw complaint(key, "must be 1 to 16 hexadecimal digits, not all zero.")
        }
        return value
    }

    func bool(_ key: String, default standard: Bool) throws(LociError) -> Bool {
        switch try scalar(key) {
        case nil: return standard
        case "true"?: return true
        case "false"?: return false
        case let other?: throw complaint(key, "must be true or false, not '\(other)'.")
        }
    }

    func integer(
        _ key: String, in range: ClosedRange<Int>, default standard: Int
    ) throws(LociError) -> Int {
        guard let text = try scalar(key) else { return standard }
        guard let value = Int(text), range.contains(value) else {
            throw complaint(
                key,
                "must be a whole number from \(range.lowerBound) to \(range.upperBound), "
                    + "not '\(text)'."
            )
        }
        return value
    }

    func byteCount(
        _ key: String, in range: ClosedRange<Int>, default standard: Int
    ) throws(LociError) -> Int {
        guard let text = try scalar(key) else { return standard }
        guard let value = ByteCount(text)?.bytes, range.contains(value) else {
            throw complaint(
                key,
                "must be \(ByteCount(bytes: range.lowerBound)) to "
                    + "\(ByteCount(bytes: range.upperBound)), not '\(text)'.",
                advice: "Write a whole number and KiB, MiB, GiB or TiB, such as 256MiB.")
        }
        return value
    }

    /// One of the words of an enumeration.
    func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ key: String, default standard: Choice
    ) throws(LociError) -> Choice {
        guard let text = try scalar(key) else { return standard }
        guard let choice = Choice(rawValue: text) else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw complaint(key, "must be one of \(names), not '\(text)'.")
        }
        return choice
    }

    /// The entries of a list of mappings; nil when the key is absent.
    func mappings(_ key: String) throws(LociError) -> [ConfigurationDocument]? {
        guard let value = values[key] else { return nil }
        guard let list = value.sequence, !list.isEmpty else {
            throw complaint(
                key, "must be a list.",
                advice: "Such as: [{kind: dram, capacity: 256MiB}, {kind: ssd}]")
        }
        var entries: [ConfigurationDocument] = []
        for item in list {
            let line = item.mark?.line ?? value.mark?.line ?? 1
            guard let mapping = item.mapping else {
                throw LociError(
                    .invalidArgument, "\(path):\(line): '\(key)' must hold entries with keys.",
                    advice: "Such as: {kind: dram, capacity: 256MiB}")
            }
            entries.append(
                try ConfigurationDocument(entry: mapping, line: line, of: key, path: path))
        }
        return entries
    }

    func logLevel(_ key: String, default standard: Logger.Level) throws(LociError) -> Logger.Level {
        guard let text = try scalar(key) else { return standard }
        guard let level = Logger.Level(rawValue: text) else {
            let names = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw complaint(key, "must be one of \(names), not '\(text)'.")
        }
        return level
    }
}

extension ConfigurationDocument {
    func endpoint(_ key: String, default standard: String) throws(LociError) -> Endpoint {
        try endpoint(key, text: try string(key, default: standard))
    }

    private func endpoint(_ key: String, text: String) throws(LociError) -> Endpoint {
        do {
            return try Endpoint(text)
        } catch {
            throw complaint(key, "is refused: \(error.message)", advice: error.advice)
        }
    }

    func endpoints(_ key: String) throws(LociError) -> [Endpoint] {
        let range = ConfigurationRanges.shards
        guard let list = values[key]?.sequence, range.contains(list.count) else {
            throw complaint(
                key, "must be a list of \(range.lowerBound) to \(range.upperBound) endpoints.",
                advice: "Such as: [tcp://127.0.0.1:7101, tcp://127.0.0.1:7102]")
        }
        var result: [Endpoint] = []
        for item in list {
            guard let text = item.scalar?.string else {
                throw complaint(key, "must hold endpoints only.")
            }
            result.append(try endpoint(key, text: text))
        }
        return result
    }

    /// No two alike, and none that others could reach unless that is wanted.
    func checkEndpoints(
        _ coordinator: Endpoint, _ shards: [Endpoint], isInsecure: Bool
    ) throws(LociError) {
        var seen: Set<Endpoint> = []
        for (index, endpoint) in ([coordinator] + shards).enumerated() {
            let key = index == 0 ? "coordinator" : "shards"
            guard seen.insert(endpoint).inserted else {
                throw complaint(
                    key, "names \(endpoint) a second time.",
                    advice: "Give every process an endpoint of its own.")
            }
            guard isInsecure || endpoint.isLoopback else {
                throw complaint(
                    key, "names \(endpoint), which other machines can reach without a key.",
                    advice: "Use 127.0.0.1, or write `insecure: true` in a network that you trust.")
            }
        }
    }
}
