/// A set of cells of a partition: a bit for each.
///
/// Invariants:
/// - Sets are equal when they hold the same cells, however much room they have.
public struct CellSet: Sendable {
    /// Bit `cell & 63` of word `cell >> 6`.
    @usableFromInline var words: [UInt64]

    /// An empty set with room for cells below a bound; it grows beyond by itself.
    @inlinable public init(below bound: Int = 0) {
        words = [UInt64](repeating: 0, count: (bound + 63) / 64)
    }

    init(words: [UInt64]) { self.words = words }

    /// One load and a shift: it is asked for every code that a query scans.
    @inlinable public func contains(_ cell: UInt32) -> Bool {
        let word = Int(truncatingIfNeeded: cell >> 6)
        return word < words.count && words[word] >> UInt64(cell & 63) & 1 == 1
    }

    @inlinable public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    @inlinable public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    /// A bound above all cells, without those that only have room.
    public var bound: Int {
        guard let last = words.lastIndex(where: { $0 != 0 }) else { return 0 }
        return last * 64 + 64 - words[last].leadingZeroBitCount
    }

    @inlinable public mutating func insert(_ cell: UInt32) {
        let word = Int(truncatingIfNeeded: cell >> 6)
        if word >= words.count {
            words += [UInt64](repeating: 0, count: word + 1 - words.count)
        }
        words[word] |= 1 << UInt64(cell & 63)
    }

    @inlinable public mutating func remove(_ cell: UInt32) {
        let word = Int(truncatingIfNeeded: cell >> 6)
        if word < words.count { words[word] &= ~(1 << UInt64(cell & 63)) }
    }

    public mutating func formUnion(_ other: CellSet) {
        if other.words.count > words.count {
            words += [UInt64](repeating: 0, count: other.words.count - words.count)
        }
        for index in other.words.indices { words[index] |= other.words[index] }
    }

    public mutating func formIntersection(_ other: CellSet) {
        if words.count > other.words.count { words.removeLast(words.count - other.words.count) }
        for index in words.indices { words[index] &= other.words[index] }
    }

    public mutating func subtract(_ other: CellSet) {
        for index in 0..<Swift.min(words.count, other.words.count) {
            words[index] &= ~other.words[index]
        }
    }

    /// Keeps the cells for which `condition` holds.
    @inlinable public mutating func keep(where condition: (UInt32) -> Bool) {
        for index in words.indices {
            var rest = words[index]
            while rest != 0 {
                let bit = rest.trailingZeroBitCount
                if !condition(UInt32(truncatingIfNeeded: index << 6 + bit)) {
                    words[index] &= ~(1 << UInt64(bit))
                }
                rest &= rest - 1
            }
        }
    }
}

extension CellSet: Equatable {
    public static func == (left: CellSet, right: CellSet) -> Bool {
        let shared = Swift.min(left.words.count, right.words.count)
        return left.words[..<shared] == right.words[..<shared]
            && left.words[shared...].allSatisfy { $0 == 0 }
            && right.words[shared...].allSatisfy { $0 == 0 }
    }
}

/// The cells in ascending order.
extension CellSet: Sequence {
    public struct Iterator: IteratorProtocol {
        @usableFromInline let words: [UInt64]
        @usableFromInline var index = 0
        @usableFromInline var rest: UInt64

        @inlinable init(_ words: [UInt64]) {
            self.words = words
            rest = words.first ?? 0
        }

        @inlinable public mutating func next() -> UInt32? {
            while rest == 0 {
                index += 1
                guard index < words.count else { return nil }
                rest = words[index]
            }
            defer { rest &= rest - 1 }
            return UInt32(truncatingIfNeeded: index << 6 + rest.trailingZeroBitCount)
        }
    }

    @inlinable public func makeIterator() -> Iterator { Iterator(words) }
}
