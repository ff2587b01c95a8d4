public import LociBase

/// Finds the values of some fields in payloads: JSON objects (RFC 8259, UTF-8).
///
/// The values of a field are what stands at its path; of an array, also one on the way, the values
/// of all its elements, so a field can have none, one or many. A key that occurs twice gives both.
/// A payload that is not one JSON object, or is nested deeper than `FilterLimits.payloadDepth`, has
/// no values at all.
public struct PayloadFields: Sendable {
    /// A node of the tree of names; 0 is the payload itself. Without references, so that a scan
    /// counts none.
    private struct Node: Sendable {
        /// Of `names`.
        var name: Range<Int>
        var field = none
        var firstChild = none
        var sibling = none
    }

    /// No node, no field.
    private static let none = -1

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
    private var nodes = [Node(name: 0..<0)]
    /// UTF-8 of all names, one after the other.
    private var names: [UInt8] = []

    /// - Precondition: No path occurs twice.
    public init(_ paths: [FieldPath]) {
        self.paths = paths
        for (field, path) in paths.enumerated() {
            var node = 0
            for name in path.names {
                node = child(of: node, name.span, name.indices) ?? add(name, to: node)
            }
            precondition(nodes[node].field == Self.none, "a path occurs twice")
            nodes[node].field = field
        }
    }

    private mutating func add(_ name: [UInt8], to node: Int) -> Int {
        var child = Node(name: names.count..<(names.count + name.count))
        child.sibling = nodes[node].firstChild
        names += name
        nodes.append(child)
        nodes[node].firstChild = nodes.count - 1
        return nodes.count - 1
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
        _ text: Span<UInt8>, _ cursor: inout JSONCursor, node: Int, depth: Int,
        _ found: (Int, Scanned) -> Void
    ) -> Bool {
        guard depth < FilterLimits.payloadDepth else { return false }
        cursor.position += 1
        if cursor.take(UInt8(ascii: "}"), text) { return true }
        repeat {
            cursor.skipSpace(text)
            guard let key = cursor.quoted(text) else { return false }
            let next = node == Self.none ? node : child(of: node, key, text)
            guard cursor.take(UInt8(ascii: ":"), text),
                value(text, &cursor, node: next, depth: depth + 1, found)
            else { return false }
        } while cursor.take(UInt8(ascii: ","), text)
        return cursor.take(UInt8(ascii: "}"), text)
    }

    private func array(
        _ text: Span<UInt8>, _ cursor: inout JSONCursor, node: Int, depth: Int,
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
        _ text: Span<UInt8>, _ cursor: inout JSONCursor, node: Int, depth: Int,
        _ found: (Int, Scanned) -> Void
    ) -> Bool {
        cursor.skipSpace(text)
        let field = node == Self.none ? node : nodes[node].field
        let isWanted = field != Self.none
        let scalar: Scanned
        switch cursor.peek(text) {
        case UInt8(ascii: "{"):
            if isWanted { found(field, .plain(.object)) }
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
            guard let number = cursor.number(text, isWanted: isWanted) else { return false }
            scalar = .plain(number)
        }
        if isWanted { found(field, scalar) }
        return true
    }

    private func child(of node: Int, _ key: JSONCursor.Quoted, _ text: Span<UInt8>) -> Int {
        if nodes[node].firstChild == Self.none { return Self.none }
        if key.hasEscapes {
            let plain = JSONCursor.plain(key, text)
            return child(of: node, plain.span, plain.indices) ?? Self.none
        }
        return child(of: node, text, key.range) ?? Self.none
    }

    private func child(of node: Int, _ text: Span<UInt8>, _ key: Range<Int>) -> Int? {
        var child = nodes[node].firstChild
        while child != Self.none {
            if text.compare(key, with: names.span, nodes[child].name) == 0 { return child }
            child = nodes[child].sibling
        }
        return nil
    }
}

extension Span<UInt8> {
    /// The order of a range of this text and one of another: negative, 0 or positive.
    func compare(_ range: Range<Int>, with other: Span<UInt8>, _ its: Range<Int>) -> Int {
        for offset in 0..<Swift.min(range.count, its.count) {
            let (a, b) = (self[range.lowerBound + offset], other[its.lowerBound + offset])
            if a != b { return a < b ? -1 : 1 }
        }
        return range.count - its.count
    }
}
