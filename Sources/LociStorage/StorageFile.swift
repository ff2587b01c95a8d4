public import LociBase

/// One open file. All methods may be called from any thread. The file closes when the last
/// reference to it goes; data that was not synced by then is in the hands of the kernel.
public protocol StorageFile: AnyObject, Sendable {
    /// Bytes from the start to the end, holes included.
    func size() throws(StorageError) -> UInt64

    /// Fills all of `target` from the file; `corrupt` if the file ends before that. After an error
    /// any part of it may have been written.
    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(StorageError)

    /// Where in a range there are bytes in the file: sorted, apart from each other, and inside the
    /// range. What lies between them was never written or was punched, and reads as zeros; what
    /// lies in them may be zeros too, since a file system counts whole blocks.
    func dataRanges(in range: Range<UInt64>) throws(StorageError) -> [Range<UInt64>]

    /// Bytes that the file takes on its device, holes left out.
    func allocatedBytes() throws(StorageError) -> UInt64

    /// All bytes or an error; after an error any part of them may have been written. Extends the
    /// file where it ends before. Durable only after `sync`.
    func write(_ bytes: Bytes, at offset: UInt64) throws(StorageError)

    /// Cuts the file, or extends it by zeros that take no space. Durable only after `sync`.
    func resize(to size: UInt64) throws(StorageError)

    /// Gives the range's space back; it reads as zeros afterwards. Durable only after `sync`.
    func punch(at offset: UInt64, count: UInt64) throws(StorageError)

    /// Makes everything written so far durable. A failure is final: what was written since the last
    /// sync may be lost although a later sync succeeds. Never throws `noSpace`.
    func sync() throws(StorageError)
}

extension StorageFile {
    /// Exactly `count` bytes; `corrupt` if the file ends before them.
    public func read(at offset: UInt64, count: Int) throws(StorageError) -> Bytes {
        unsafe try Bytes(uninitialized: count) {
            (target: UnsafeMutableRawBufferPointer) throws(StorageError) in
            unsafe try read(at: offset, into: target)
        }
    }

    /// Exactly `count` bytes, in memory that was asked for them.
    public func read(
        at offset: UInt64, count: Int, into memory: any PageMemory
    ) throws(StorageError) -> Bytes {
        unsafe try Bytes(filling: memory.allocate(count)) {
            (target: UnsafeMutableRawBufferPointer) throws(StorageError) in
            unsafe try read(at: offset, into: target)
        }
    }
}
