import CZstd
import Glibc
import LociBase

/// How pages are kept in cold extents.
public enum ExtentCompression: Equatable, Sendable {
    case none
    /// Zstandard (RFC 8878), one frame for each page. Level 1 is the fastest, 19 the smallest.
    case zstd(level: Int)

    public static let standard = ExtentCompression.zstd(level: 3)
}

/// Compresses pages one after the other with memory that is kept between them.
@safe struct PageCompressor: ~Copyable {
    /// nil if pages are not to be compressed.
    private let context: OpaquePointer?
    private let level: Int32

    init(_ compression: ExtentCompression) {
        switch compression {
        case .none:
            unsafe context = nil
            level = 0
        case .zstd(let level):
            guard let context = unsafe ZSTD_createCCtx() else { fatalError("out of memory") }
            unsafe self.context = context
            self.level = Int32(clamping: level)
        }
    }

    deinit { _ = unsafe ZSTD_freeCCtx(context) }

    /// - Returns: nil unless the frame is smaller than the page.
    borrowing func frame(of page: Bytes) -> Bytes? {
        guard let context = unsafe context else { return nil }
        var count = 0
        let frame = unsafe Bytes(uninitialized: page.count) { target in
            unsafe page.withUnsafeBytes { source in
                count = unsafe ZSTD_compressCCtx(
                    context, target.baseAddress, target.count, source.baseAddress, source.count,
                    level)
            }
        }
        guard ZSTD_isError(count) == 0, count < page.count else { return nil }
        return frame.slice(0..<count).compact()
    }
}

/// Undoes `PageCompressor`. Bytes that no compressor made are an answer, not a trap.
@safe struct PageDecompressor: ~Copyable {
    private let context: OpaquePointer

    init() {
        guard let context = unsafe ZSTD_createDCtx() else { fatalError("out of memory") }
        unsafe self.context = context
    }

    deinit { _ = unsafe ZSTD_freeDCtx(context) }

    /// - Parameter frame: A frame, or the page itself if it has the page's size.
    /// - Returns: nil unless it is a page of just this size.
    borrowing func page(
        _ frame: Bytes, pageBytes: Int, into memory: any PageMemory
    ) -> Bytes? {
        var isWhole = false
        let page = unsafe Bytes(filling: memory.allocate(pageBytes)) { target in
            unsafe frame.withUnsafeBytes { source in
                if source.count == pageBytes {
                    unsafe target.copyMemory(from: source)
                    isWhole = true
                } else {
                    let count = unsafe ZSTD_decompressDCtx(
                        context, target.baseAddress, target.count, source.baseAddress,
                        source.count)
                    isWhole = ZSTD_isError(count) == 0 && count == pageBytes
                }
            }
        }
        return isWhole ? page : nil
    }
}
