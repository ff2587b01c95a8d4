/// Where a row lies among several pieces of memory, each of which holds rows of one size.
public struct RowPlace: Hashable, Sendable {
    public let part: UInt32
    /// Its number within the part.
    public let row: UInt32

    @inlinable public init(part: Int, row: Int) {
        self.part = UInt32(truncatingIfNeeded: part)
        self.row = UInt32(truncatingIfNeeded: row)
    }
}

/// Where a row lies: `offset` bytes into the memory with this number.
public struct RowOffset: Equatable, Sendable {
    public let memory: Int32
    public let offset: Int32

    @inlinable public init(memory: Int32, offset: Int) {
        self.memory = memory
        self.offset = Int32(truncatingIfNeeded: offset)
    }
}

extension Bytes {
    /// `count` times the same byte.
    public init(repeating byte: UInt8, count: Int) {
        unsafe self.init(uninitialized: count) { target in
            unsafe target.initializeMemory(as: UInt8.self, repeating: byte)
        }
    }

    /// The rows at these places, one after the other, in memory of their own. The bytes of rows
    /// whose part is missing are all `filler`.
    /// - Precondition: Each place lies within its part.
    public static func gathered(
        _ places: [RowPlace], of parts: [Bytes?], rowBytes: Int, filler: UInt8 = 0xFF
    ) -> Bytes {
        // Looked up once for each part: taking a `Bytes` out of an array for each row costs two
        // atomic instructions.
        let starts = unsafe parts.map { part in
            unsafe part.map { unsafe UnsafePointer<UInt8>(bytes: $0) }
        }
        let rows = parts.map { ($0?.count ?? 0) / max(rowBytes, 1) }
        return withExtendedLifetime(parts) {
            unsafe Bytes(uninitialized: places.count * rowBytes) { target in
                guard var next = target.baseAddress else { return }
                for place in places {
                    let part = Int(place.part)
                    if let start = unsafe starts[part] {
                        precondition(place.row < rows[part])
                        unsafe next.copyMemory(
                            from: start + Int(place.row) * rowBytes, byteCount: rowBytes)
                    } else {
                        unsafe next.initializeMemory(
                            as: UInt8.self, repeating: filler, count: rowBytes)
                    }
                    unsafe next += rowBytes
                }
            }
        }
    }

    /// Rows out of several pieces of memory, one after the other, in memory of their own.
    /// - Precondition: Each place lies within its memory.
    public static func gathered(
        _ places: [RowOffset], of memories: [Bytes], rowBytes: Int
    ) -> Bytes {
        unsafe Bytes(uninitialized: places.count * rowBytes) { target in
            guard var next = target.baseAddress else { return }
            for place in places {
                unsafe memories[Int(place.memory)].withUnsafeBytes { source in
                    precondition(
                        place.offset >= 0 && Int(place.offset) + rowBytes <= source.count)
                    unsafe next.copyMemory(
                        from: source.baseAddress! + Int(place.offset), byteCount: rowBytes)
                }
                unsafe next += rowBytes
            }
        }
    }
}

extension UnsafePointer where Pointee == UInt8 {
    fileprivate init(bytes: Bytes) {
        unsafe self = bytes.withUnsafeBytes {
            unsafe $0.baseAddress!.assumingMemoryBound(to: UInt8.self)
        }
    }
}
