public import LociBase
import LociModel

/// Layout: format, live words, fields; of a field its path, distinct values in order, the number of
/// the value of each cell below the bound, pairs of cell and number for further values.
extension PayloadIndexes {
    private static let format: UInt8 = 1

    /// The same bytes for the same cells with the same payloads, whatever happened before.
    public func write(to writer: inout ByteWriter) {
        writer.write(Self.format)
        let bound = live.bound
        writer.write(array: Array(live.words[..<((bound + 63) / 64)]))
        writer.write(UInt32(indexes.count))
        for index in indexes { index.write(to: &writer, bound: bound) }
    }

    /// Reads what `write` wrote.
    /// - Throws: When the bytes end too soon or cannot be; nothing in them traps.
    public init(reading reader: inout ByteReader) throws(TruncatedBytes) {
        guard try reader.read(UInt8.self) == Self.format else { throw reader.malformed }
        let live = CellSet(words: try reader.readArray())
        let bound = live.bound
        guard (bound + 63) / 64 == live.words.count, bound <= Self.cellsAtMost else {
            throw reader.malformed
        }
        let count = try reader.read(UInt32.self)
        guard count <= Self.fieldsAtMost else { throw reader.malformed }
        var indexes: [FieldIndex] = []
        for _ in 0..<count {
            let index = try FieldIndex(reading: &reader, live: live, bound: bound)
            guard !indexes.contains(where: { $0.path == index.path }) else {
                throw reader.malformed
            }
            indexes.append(index)
        }
        self.init(indexes, live: live)
    }
}

extension ByteReader {
    fileprivate var malformed: TruncatedBytes { TruncatedBytes(position: position) }

    fileprivate mutating func readFieldValue() throws(TruncatedBytes) -> FieldValue {
        switch try read(UInt8.self) {
        case 0: return .null
        case 1: return .object
        case 2: return .bool(false)
        case 3: return .bool(true)
        case 4: return .integer(try read())
        case 5:
            let value = try readDouble()
            guard !value.isNaN, FieldValue.whole(value) == nil else { throw malformed }
            return .double(value)
        case 6:
            guard let text = String(validating: try readBytes().array, as: UTF8.self) else {
                throw malformed
            }
            return .string(text)
        default: throw malformed
        }
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ value: FieldValue) {
        switch value {
        case .null: write(UInt8(0))
        case .object: write(UInt8(1))
        case .bool(let value): write(UInt8(value ? 3 : 2))
        case .integer(let value):
            write(UInt8(4))
            write(value)
        case .double(let value):
            write(UInt8(5))
            write(value)
        case .string(let value):
            write(UInt8(6))
            write(value)
        }
    }
}

extension FieldIndex {
    fileprivate func write(to writer: inout ByteWriter, bound: Int) {
        writer.write(path.description)
        var numbers = [UInt32](repeating: Self.none, count: values.count)
        var sorted: [UInt32] = []
        for block in order.blocks {
            for term in block.terms {
                numbers[Int(term)] = UInt32(sorted.count)
                sorted.append(term)
            }
        }
        writer.write(UInt32(sorted.count))
        for term in sorted { writer.write(values[Int(term)]) }
        var column: [UInt32] = []
        var more: [UInt32] = []
        column.reserveCapacity(bound)
        for cell in 0..<UInt32(bound) {
            let term = terms.count > cell ? terms[Int(cell)] : Self.none
            column.append(term == Self.none ? term : numbers[Int(term)])
            guard hasFurther(cell) else { continue }
            // The least is the column's, so that the order of arrival leaves no trace.
            let own = terms(of: cell).map { numbers[Int($0)] }.sorted()
            column[Int(cell)] = own[0]
            for number in own.dropFirst() { more += [cell, number] }
        }
        writer.write(array: column)
        writer.write(array: more)
    }

    fileprivate init(
        reading reader: inout ByteReader, live: CellSet, bound: Int
    ) throws(TruncatedBytes) {
        let name = try reader.readBytes()
        guard let path = try? FieldPath(name.string), Bytes(utf8: path.description) == name else {
            throw reader.malformed
        }
        let count = Int(try reader.read(UInt32.self))
        guard count <= reader.remaining else { throw reader.malformed }
        var values: [FieldValue] = []
        values.reserveCapacity(count)
        for _ in 0..<count {
            let value = try reader.readFieldValue()
            if let last = values.last, !(last < value) { throw reader.malformed }
            values.append(value)
        }
        let column: [UInt32] = try reader.readArray()
        let more: [UInt32] = try reader.readArray()
        guard column.count == bound, more.count % 2 == 0 else { throw reader.malformed }
        var used = CellSet(below: count)
        for (cell, number) in column.enumerated() where number != Self.none {
            guard number < count, live.contains(UInt32(cell)) else { throw reader.malformed }
            used.insert(number)
        }
        var further: [(UInt32, UInt32)] = []
        var last = (cell: Self.none, number: Self.none)
        for pair in stride(from: 0, to: more.count, by: 2) {
            let (cell, number) = (more[pair], more[pair + 1])
            guard cell < bound, number < count, column[Int(cell)] != Self.none else {
                throw reader.malformed
            }
            let before = last.cell == cell ? last.number : column[Int(cell)]
            guard before < number, last.cell == Self.none || last.cell <= cell else {
                throw reader.malformed
            }
            used.insert(number)
            further.append((cell, number))
            last = (cell, number)
        }
        guard used.count == count else { throw reader.malformed }
        self.init(path: path, sortedValues: values, terms: column, furtherTerms: further)
    }
}
