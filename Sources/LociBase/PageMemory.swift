/// Where page-ins put what they read: an arena with a budget, or the heap. Any thread may ask.
public protocol PageMemory: Sendable {
    /// Memory for one page, aligned to at least 4 KiB, its content undefined. It goes back when the
    /// last reference to it goes.
    func allocate(_ byteCount: Int) -> ByteStorage
}

extension PageMemory {
    /// The same bytes in memory of this kind.
    public func copy(_ bytes: Bytes) -> Bytes {
        unsafe Bytes(filling: allocate(bytes.count)) { target in
            unsafe bytes.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
    }
}

extension Bytes {
    /// The whole of memory that nobody else refers to, after `fill` has written all of it.
    public init<E>(
        filling storage: ByteStorage, fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        unsafe try fill(UnsafeMutableRawBufferPointer(start: storage.base, count: storage.count))
        self.init(owner: storage)
    }

    /// The memory, if these are all of its bytes.
    public var whole: ByteStorage? {
        offset == 0 && count == storage.count ? storage : nil
    }

    /// Whether nobody else refers to the memory at this moment.
    public mutating func isOnlyReference() -> Bool { isKnownUniquelyReferenced(&storage) }

    /// Looks at the bytes where they lie.
    public func withSpan<Result, E>(
        _ body: (RawSpan) throws(E) -> Result
    ) throws(E) -> Result {
        unsafe try withUnsafeBytes { (bytes) throws(E) in
            try body(unsafe RawSpan(_unsafeBytes: bytes))
        }
    }
}

/// Pages on the heap: for tests, recovery and tools, which count no budget.
public struct HeapPageMemory: PageMemory {
    public init() {}

    public func allocate(_ byteCount: Int) -> ByteStorage {
        HeapByteStorage(count: byteCount, alignment: 4096)
    }
}
