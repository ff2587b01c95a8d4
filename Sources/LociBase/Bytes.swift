import CXXHash

/// The memory behind `Bytes`. Subclasses own other kinds of memory (a ZeroMQ message, for one)
/// and give it back in their `deinit`.
///
/// Invariants:
/// - `base` is valid for `count` bytes until `deinit`.
/// - The bytes change only through a `Bytes` that is the sole owner.
@safe open class ByteStorage: @unchecked Sendable {
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let count: Int

    /// Takes memory that the subclass owns and frees.
    public init(base: UnsafeMutableRawPointer, count: Int) {
        unsafe self.base = base
        self.count = count
    }
}

/// Memory from the allocator; 64-byte aligned so that kernels load whole lines, unless it is so
/// small that what allocators ask for other alignments than their own would be most of its cost.
final class HeapByteStorage: ByteStorage, @unchecked Sendable {
    private static let smallBytes = 512

    convenience init(count: Int) {
        self.init(count: count, alignment: count <= Self.smallBytes ? 16 : 64)
    }

    init(count: Int, alignment: Int) {
        unsafe super.init(
            base: .allocate(byteCount: max(count, 1), alignment: alignment), count: count)
    }

    deinit { unsafe base.deallocate() }
}

/// A range of bytes that is passed on without a copy: between threads, sockets and caches.
/// Mutation copies unless this value is the only owner.
public struct Bytes: Sendable {
    @usableFromInline var storage: ByteStorage
    @usableFromInline let offset: Int
    public let count: Int

    @usableFromInline init(storage: ByteStorage, offset: Int, count: Int) {
        self.storage = storage
        self.offset = offset
        self.count = count
    }

    public init() { self.init(zeros: 0) }

    /// `count` zero bytes.
    public init(zeros count: Int) {
        let storage = HeapByteStorage(count: count)
        unsafe storage.base.initializeMemory(as: UInt8.self, repeating: 0, count: count)
        self.init(storage: storage, offset: 0, count: count)
    }

    /// `count` bytes that `fill` must write, all of them.
    public init<E>(
        uninitialized count: Int, fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        let storage = HeapByteStorage(count: count)
        unsafe try fill(UnsafeMutableRawBufferPointer(start: storage.base, count: count))
        self.init(storage: storage, offset: 0, count: count)
    }

    /// The whole of memory that somebody else's object owns.
    public init(owner storage: ByteStorage) {
        self.init(storage: storage, offset: 0, count: storage.count)
    }

    public init(_ array: [UInt8]) {
        unsafe self.init(uninitialized: array.count) { target in
            unsafe array.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
    }

    /// The UTF-8 of a string.
    public init(utf8 string: String) { self.init(Array(string.utf8)) }

    /// Little-endian values, one after the other.
    public init<Value: BitwiseCopyable>(values: [Value]) {
        unsafe self.init(uninitialized: values.count * MemoryLayout<Value>.stride) { target in
            unsafe values.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
    }

    public var isEmpty: Bool { count == 0 }

    @inlinable public subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < count)
        return unsafe storage.base.load(fromByteOffset: offset + index, as: UInt8.self)
    }

    /// The same memory, a part of it.
    public func slice(_ range: Range<Int>) -> Bytes {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        return Bytes(
            storage: storage, offset: offset + range.lowerBound, count: range.count)
    }

    /// One little-endian value at a byte offset; traps when it does not lie within.
    @inlinable public func load<Value: BitwiseCopyable>(
        _ type: Value.Type = Value.self, at position: Int
    ) -> Value {
        precondition(position >= 0 && position + MemoryLayout<Value>.size <= count)
        return unsafe storage.base.loadUnaligned(
            fromByteOffset: offset + position, as: Value.self)
    }

    /// All bytes as little-endian values; a remainder that fills no value is left out.
    @inlinable public func values<Value: BitwiseCopyable>(_ type: Value.Type = Value.self)
        -> [Value]
    {
        let stride = MemoryLayout<Value>.stride
        let size = count / stride
        return unsafe [Value](unsafeUninitializedCapacity: size) { target, initialized in
            unsafe withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(target).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source.prefix(size * stride)))
            }
            initialized = size
        }
    }

    public var array: [UInt8] { values(UInt8.self) }

    /// The bytes as UTF-8; what is not UTF-8 becomes replacement characters.
    public var string: String {
        unsafe withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// Copies `source` to `position`, first making the memory this value's own if it is shared.
    public mutating func replace(at position: Int, with source: Bytes) {
        precondition(position >= 0 && position + source.count <= count)
        makeUnique()
        unsafe source.withUnsafeBytes { bytes in
            guard let from = bytes.baseAddress else { return }
            unsafe (storage.base + offset + position).copyMemory(
                from: from, byteCount: bytes.count)
        }
    }

    /// A copy with an allocation of just its size; what it was a slice of can go.
    public func compact() -> Bytes {
        unsafe Bytes(uninitialized: count) { target in
            unsafe withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
    }

    private mutating func makeUnique() {
        if !isKnownUniquelyReferenced(&storage) { self = compact() }
    }

    @inlinable public func withUnsafeBytes<Result, E>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> Result
    ) throws(E) -> Result {
        unsafe try body(UnsafeRawBufferPointer(start: storage.base + offset, count: count))
    }

    /// Whether there is no byte but zeros.
    public var isZero: Bool {
        unsafe withUnsafeBytes { bytes in
            var position = 0
            while position + 8 <= bytes.count {
                if unsafe bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self) != 0 {
                    return false
                }
                position += 8
            }
            return unsafe bytes[position...].allSatisfy { $0 == 0 }
        }
    }

    /// XXH3-64 of the bytes.
    public func checksum(seed: UInt64 = 0) -> UInt64 {
        unsafe withUnsafeBytes { unsafe loci_xxh3_64($0.baseAddress, $0.count, seed) }
    }

    /// All parts in one piece of memory.
    public static func joined(_ parts: [Bytes]) -> Bytes {
        if parts.count == 1 { return parts[0] }
        return unsafe Bytes(uninitialized: parts.reduce(0) { $0 + $1.count }) { target in
            var position = 0
            for part in parts {
                unsafe part.withUnsafeBytes { source in
                    unsafe UnsafeMutableRawBufferPointer(rebasing: target[position...])
                        .copyMemory(from: source)
                }
                position += part.count
            }
        }
    }
}

extension Bytes: Equatable {
    public static func == (left: Bytes, right: Bytes) -> Bool {
        guard left.count == right.count else { return false }
        return unsafe left.withUnsafeBytes { a in
            unsafe right.withUnsafeBytes { b in unsafe a.elementsEqual(b) }
        }
    }
}
