import CZlib
import Glibc
import LociBase
import LociModel

/// A file that is read from its beginning to its end, through gzip if its name ends in `.gz`.
///
/// Invariants:
/// - Bytes behind a damaged or cut gzip stream are never returned as if they were whole.
@safe final class InputFile {
    let path: String
    /// Whether the name ends in `.gz`.
    let isCompressed: Bool
    private let descriptor: Int32
    /// The open gzip stream; nil for a plain file.
    private var stream: gzFile?

    init(path: String) throws(LociError) {
        self.path = path
        isCompressed = path.lowercased().hasSuffix(".gz")
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        unsafe stream = nil
        guard descriptor >= 0 else { throw FileSystem.error(path, errno) }
        if isCompressed { try openStream() }
    }

    deinit {
        if let stream = unsafe stream {
            _ = unsafe gzclose_r(stream)
        }
        if descriptor >= 0 { _ = close(descriptor) }
    }

    /// Up to `count` bytes; fewer only at the end of the file.
    /// - Throws: DATA_LOSS when the gzip stream is damaged or cut.
    func read(_ count: Int) throws(LociError) -> Bytes {
        var received = 0
        let bytes = unsafe try Bytes(uninitialized: count) {
            (target: UnsafeMutableRawBufferPointer) throws(LociError) in
            while received < count {
                let room = unsafe UnsafeMutableRawBufferPointer(rebasing: target[received...])
                let size = unsafe try readOnce(room)
                if size == 0 { break }
                received += size
            }
        }
        return received == count ? bytes : bytes.slice(0..<received).compact()
    }

    /// Reads and forgets `count` bytes; false when the file ends before.
    func skip(_ count: UInt64) throws(LociError) -> Bool {
        var rest = count
        while rest > 0 {
            let size = Int(min(rest, 1 << 20))
            if try read(size).count < size { return false }
            rest -= UInt64(size)
        }
        return true
    }

    /// Bytes from here to the end, unpacked; the position stays. For a gzip file this is a whole
    /// pass over it, which also checks it.
    func remainingBytes() throws(LociError) -> UInt64 {
        guard isCompressed else {
            let position = lseek(descriptor, 0, SEEK_CUR)
            let size = try FileSystem.size(of: descriptor, path: path)
            return position >= 0 && UInt64(position) < size ? size - UInt64(position) : 0
        }
        let other = try InputFile(path: path)
        var size: UInt64 = 0
        while true {
            let count = try other.read(1 << 20).count
            size += UInt64(count)
            if count < 1 << 20 { break }
        }
        let position = unsafe gztell(stream)
        return size - min(size, UInt64(max(position, 0)))
    }

    private func openStream() throws(LociError) {
        var magic: [UInt8] = [0, 0]
        let size = unsafe pread(descriptor, &magic, 2, 0)
        guard size == 2, magic == [0x1F, 0x8B] else {
            throw LociError(
                .dataLoss, "'\(path)' is not a gzip file, though its name ends in .gz.",
                advice: "Rename it, or fetch it again.")
        }
        let copy = dup(descriptor)
        guard copy >= 0 else { throw FileSystem.error(path, errno) }
        unsafe stream = gzdopen(copy, "rb")
        if unsafe stream == nil {
            _ = close(copy)
            throw LociError(.resourceExhausted, "There is no memory to unpack '\(path)'.")
        }
        _ = unsafe gzbuffer(stream, 128 << 10)
    }

    private func readOnce(_ room: UnsafeMutableRawBufferPointer) throws(LociError) -> Int {
        guard let stream = unsafe stream else { return unsafe try readPlain(room) }
        let size = unsafe gzread(stream, room.baseAddress, UInt32(min(room.count, 1 << 30)))
        var code: Int32 = Z_OK
        _ = unsafe gzerror(stream, &code)
        guard size >= 0, code == Z_OK || code == Z_STREAM_END else {
            throw LociError(
                .dataLoss, "'\(path)' is damaged or cut short: its gzip stream does not unpack.",
                advice: "Fetch it again; 'gzip -t' tells when it is whole.")
        }
        return Int(size)
    }

    private func readPlain(_ room: UnsafeMutableRawBufferPointer) throws(LociError) -> Int {
        while true {
            let size = unsafe Glibc.read(descriptor, room.baseAddress, room.count)
            if size >= 0 { return size }
            if errno != EINTR { throw FileSystem.error(path, errno) }
        }
    }
}
