public import LociBase

/// One open file. All methods may be called from any thread. The file closes when the last
/// reference to it goes; data that was not synced by then is in the hands of the kernel.
public protocol StorageFile: AnyObject, Sendable {
    /// Bytes from the start to the end, holes included.
    func size() throws(StorageError) -> UInt64

    /// Exactly `count` bytes; `corrupt` if the file ends before them.
    func read(at offset: UInt64, count: Int) throws(StorageError) -> Bytes

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
