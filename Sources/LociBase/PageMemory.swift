/// Where page-ins put what they read: an arena with a budget, or the heap. Any thread may ask.
public protocol PageMemory: Sendable {
    /// Memory for one page, aligned to at least 4 KiB, its content undefined. It goes back when the
    /// last reference to it goes.
    func allocate(_ byteCount: Int) -> ByteStorage
}

extension Bytes {
    /// The whole of memory that nobody else refers to, after `fill` has written all of it.
    public init<E>(
        filling storage: ByteStorage, fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        unsafe try fill(UnsafeMutableRawBufferPointer(start: storage.base, count: storage.count))
        self.init(owner: storage)
    }
}

/// Pages on the heap: for tests, recovery and tools, which count no budget.
public struct HeapPageMemory: PageMemory {
    public init() {}

    public func allocate(_ byteCount: Int) -> ByteStorage {
        HeapByteStorage(count: byteCount, alignment: 4096)
    }
}
