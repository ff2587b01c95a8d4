/// The bytes end before the value does, or a length in them cannot be.
public struct TruncatedBytes: Error, Equatable, Sendable {
    public let position: Int

    public init(position: Int) { self.position = position }
}

/// Reads what `ByteWriter` wrote. Foreign bytes never trap: every read is checked.
public struct ByteReader: Sendable {
    public let bytes: Bytes
    public private(set) var position = 0

    public init(_ bytes: Bytes) { self.bytes = bytes }

    public var remaining: Int { bytes.count - position }
    public var isAtEnd: Bool { remaining == 0 }

    public mutating func read<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type = Value.self
    ) throws(TruncatedBytes) -> Value {
        let start = try advance(by: MemoryLayout<Value>.size)
        return Value(littleEndian: bytes.load(at: start))
    }

    public mutating func readBool() throws(TruncatedBytes) -> Bool { try read(UInt8.self) != 0 }

    public mutating func readFloat() throws(TruncatedBytes) -> Float {
        Float(bitPattern: try read(UInt32.self))
    }

    public mutating func readDouble() throws(TruncatedBytes) -> Double {
        Double(bitPattern: try read(UInt64.self))
    }

    /// A length (32 bits), then that many bytes, without a copy.
    public mutating func readBytes() throws(TruncatedBytes) -> Bytes {
        let count = Int(try read(UInt32.self))
        return try readRaw(count)
    }

    public mutating func readString() throws(TruncatedBytes) -> String { try readBytes().string }

    public mutating func readArray<Value: BitwiseCopyable>(
        of type: Value.Type = Value.self
    ) throws(TruncatedBytes) -> [Value] {
        let count = Int(try read(UInt32.self))
        let (size, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Value>.stride)
        if overflow { throw TruncatedBytes(position: position) }
        return try readRaw(size).values(Value.self)
    }

    public mutating func readRaw(_ count: Int) throws(TruncatedBytes) -> Bytes {
        let start = try advance(by: count)
        return bytes.slice(start..<(start + count))
    }

    private mutating func advance(by size: Int) throws(TruncatedBytes) -> Int {
        guard size >= 0, remaining >= size else { throw TruncatedBytes(position: position) }
        defer { position += size }
        return position
    }
}
