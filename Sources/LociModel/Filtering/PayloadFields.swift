public import LociBase

/// Finds the values of some fields in payloads: JSON objects (RFC 8259, UTF-8).
///
/// The values of a field are what stands at its path; of an array, also one on the way, the values
/// of all its elements, so a field can have none, one or many. A key that occurs twice gives both.
/// A payload that is not one JSON object, or is nested deeper than `FilterLimits.payloadDepth`, has
/// no values at all.
public struct PayloadFields: Sendable {
    /// A node of the tree of names; 0 is the payload itself.
    private struct Node: Sendable {
        var name: [UInt8]
        var field: Int?
        var children: [Int] = []
    }

    /// A value that has not been taken out of the text.
    enum Scanned {
        case plain(FieldValue)
        case string(JSONCursor.Quoted)

        func value(_ text: Span<UInt8>) -> FieldValue {
            switch self {
            case .plain(let value): return value
            case .string(let string):
                return .string(
                    String(decoding: JSONCursor.plain(string, text), as: UTF8.self))
            }
        }
    }

    public let paths: [FieldPath]
    private var nodes: [Node] = [Node(name: [], field: nil)]

    /// - Precondition: No path occurs twice.
    public init(_ paths: [FieldPath]) {
        self.paths = paths
        for (field, path) in paths.enumerated() {
            var node = 0
            for name in path.names {
                if let child = nodes[node].children.first(where: { nodes[$0].name == name }) {
                    node = child
                } else {
                    nodes.append(Node(name: name, field: nil))
                    nodes[node].children.append(nodes.count - 1)
                    node = nodes.count - 1
                }
            }
            precondition(nodes[node].field == nil, "a path occurs twice")
            nodes[node].field = field
        }
    }

    /// The distinct values of each field, in the order of `paths`; each list sorted.
    public func values(in payload: Bytes) -> [[FieldValue]] {
        var result = [[FieldValue]](repeating: [], count: paths.count)
        let isWhole = payload.withSpan { text in
            scan(text) { field, value in result[field].append(value.value(text)) }
        }
        guard isWhole else { return [[FieldValue]](repeating: [], count: paths.count) }
        for field in result.indices where result[field].count > 1 {
            result[field].sort()
            var last: FieldValue?
            result[field].removeAll { value in
                defer { last = value }
                return value == last
            }
        }
        return result
    }

    /// Calls `found` with the number of a field and a value, for all values. False when the text
    /// is not a JSON object; values found before that was seen do not count.
    func scan(_ text: Span<UInt8>, _ found: (Int, Scanned) -> Void) -> Bool {
        var cursor = JSONCursor()
        cursor.skipSpace(text)
        guard cursor.peek(text) == UInt8(ascii: "{"),
            object(text, &cursor, node: 0, depth: 0, found)
        else { return false }
        cursor.skipSpace(text)
        return cursor.position == text.count
    }

    private func object(
        _ text: Span<UInt8>, _ cursor: inout JSONCursor, node: Int?, depth: Int,
        _ found: (Int, Scanned) -> Void
    ) -> Bool {
        guard depth < FilterLimits.payloadDepth else { return false }
        cursor.position += 1
        if cursor.take(UInt8(ascii: "}"), text) { return true }
        repeat {
            cursor.skipSpace(text)
            guard let key = cursor.quoted(text) else { return false }
            let next = node.flatMap { child(of: $0, key, text) }
            guard cursor.take(UInt8(ascii: ":"), text),
                value(text, &cursor, node: next, depth: depth + 1, found)
            else { return false }
        } while cursor.take(UInt8(ascii: ","), text)
        return cursor.take(UInt8(ascii: "}"), text)
    }

    private func array(
        _ text: Span<UInt8>, _ cursor: inout JSONCursor, node: Int?, depth: Int,
        _ found: (Int, Scanned) -> Void
    ) -> Bool {
        guard depth < FilterLimits.payloadDepth else { return false }
        cursor.position += 1
        if cursor.take(UInt8(ascii: "]"), text) { return true }
        repeat {
            guard value(text, &cursor, node: node, depth: depth + 1, found) else { return false }
        } while cursor.take(UInt8(ascii: ","), text)
        return cursor.take(UInt8(ascii: "]"), text)
    }

    private func value(
        _ text: Span<UInt8>, _ cursor: inout JSONCursor, node: Int?, depth: Int,
        _ found: (Int, Scanned) -> Void
    ) -> Bool {
        cursor.skipSpace(text)
        let field = node.flatMap { nodes[$0].field }
        let scalar: Scanned
        switch cursor.peek(text) {
        case UInt8(ascii: "{"):
            if let field { found(field, .plain(.object)) }
            return object(text, &cursor, node: node, depth: depth, found)
        case UInt8(ascii: "["):
            return array(text, &cursor, node: node, depth: depth, found)
        case UInt8(ascii: "\""):
            guard let string = cursor.quoted(text) else { return false }
            scalar = .string(string)
        case UInt8(ascii: "t"):
            guard cursor.take(word: "true", text) else { return false }
            scalar = .plain(.bool(true))
        case UInt8(ascii: "f"):
            guard cursor.take(word: "false", text) else { return false }
            scalar = .plain(.bool(false))
        case UInt8(ascii: "n"):
            guard cursor.take(word: "null", text) else { return false }
            scalar = .plain(.null)
        default:
            guard let number = cursor.number(text, isWanted: field != nil) else { return false }
            scalar = .plain(number)
        }
        if let field { found(field, scalar) }
        return true
    }

    private func child(of node: Int, _ key: JSONCursor.Quoted, _ text: Span<UInt8>) -> Int? {
        if key.hasEscapes {
            let plain = JSONCursor.plain(key, text)
            return nodes[node].children.first { nodes[$0].name == plain }
        }
        for child in nodes[node].children {
            if text.compare(key.range, with: nodes[child].name) == 0 { return child }
        }
        return nil
    }
}

extension Span<UInt8> {
    /// The order of a range of this text and other bytes: negative, 0 or positive.
    func compare(_ range: Range<Int>, with other: [UInt8]) -> Int {
        let shared = Swift.min(range.count, other.count)
        for offset in 0..<shared {
            let (own, its) = (self[range.lowerBound + offset], other[offset])
            if own != its { return own < its ? -1 : 1 }
        }
        return range.count - other.count
    }
}
