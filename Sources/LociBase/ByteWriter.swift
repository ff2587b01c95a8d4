/// Appends little-endian values to a growing buffer: the one way in which log records, catalogs
/// and superblocks are laid out.
public struct ByteWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init(reserving capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    public var count: Int { bytes.count }

    public mutating func write<Value: FixedWidthInteger>(_ value: Value) {
        var rest = value
        for _ in 0..<(Value.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest = Value.bitWidth == 8 ? 0 : rest >> 8
        }
    }

    public mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

    public mutating func write(_ value: Float) { write(value.bitPattern) }

    public mutating func write(_ value: Double) { write(value.bitPattern) }

    /// A length (32 bits), then the bytes.
    public mutating func write(_ value: Bytes) {
        write(UInt32(value.count))
        unsafe value.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    public mutating func write(_ value: String) { write(Bytes(utf8: value)) }

    /// A count (32 bits), then little-endian values.
    public mutating func write<Value: BitwiseCopyable>(array: [Value]) {
        write(UInt32(array.count))
        unsafe array.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    /// The bytes without a length before them.
    public mutating func write(raw value: Bytes) {
        unsafe value.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    public var finished: Bytes { Bytes(bytes) }
}
