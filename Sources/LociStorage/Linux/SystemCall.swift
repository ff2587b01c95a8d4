import Glibc

/// The calls into the kernel that fail: EINTR is retried, errno becomes a `StorageError`.
enum SystemCall {
    /// - Parameter body: Returns a negative value and sets errno on failure.
    static func retrying<Value: SignedInteger>(
        _ operation: String, _ path: String, _ body: () -> Value
    ) throws(StorageError) -> Value {
        while true {
            let value = body()
            if value >= 0 { return value }
            let number = errno
            if number != EINTR { throw error(operation, path, number) }
        }
    }

    /// Calls until all bytes are transferred, since the kernel may transfer fewer than it is asked
    /// for.
    /// - Parameter body: Gets how many bytes are done; returns how many more it has transferred.
    /// - Returns: Fewer than `count` if a call transferred none.
    static func transferring(
        _ count: Int, _ operation: String, _ path: String, _ body: (Int) -> Int
    ) throws(StorageError) -> Int {
        var done = 0
        while done < count {
            let more = try retrying(operation, path) { body(done) }
            if more == 0 { break }
            done += more
        }
        return done
    }

    /// Full disks and quotas are a case of their own.
    static func error(_ operation: String, _ path: String, _ number: Int32) -> StorageError {
        number == ENOSPC || number == EDQUOT
            ? .noSpace(path: path) : .io(operation: operation, path: path, errno: number)
    }
}

/// An open descriptor that closes itself.
struct Descriptor: ~Copyable, Sendable {
    let number: Int32

    init(_ path: String, flags: Int32, operation: String = "open") throws(StorageError) {
        number = try SystemCall.retrying(operation, path) {
            unsafe open(path, flags | O_CLOEXEC, 0o600 as mode_t)
        }
    }

    deinit { _ = close(number) }

    func size(_ path: String) throws(StorageError) -> UInt64 { UInt64(try status(path).st_size) }

    func status(_ path: String) throws(StorageError) -> stat {
        var status = stat()
        _ = try SystemCall.retrying("fstat", path) { unsafe fstat(number, &status) }
        return status
    }

    /// No file system makes a failed sync good again, so a full disk is no `noSpace` here.
    func sync(_ path: String) throws(StorageError) {
        if fdatasync(number) == 0 { return }
        throw .io(operation: "fdatasync", path: path, errno: errno)
    }
}
