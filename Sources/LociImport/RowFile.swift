public import LociBase
public import LociModel

/// Rows of one size, one behind the other in a file: bytes without a header, or an `.npy` array of
/// f4, f2 or u1 with one or two axes. Either may be packed with gzip. Read from the beginning to
/// the end; memory does not grow with the size of the file.
public final class RowFile {
    public let elementType: ElementType
    /// Elements of a row.
    public let rowElements: Int
    public let rowBytes: Int
    public let rows: UInt64
    private let file: InputFile
    private var read: UInt64 = 0

    /// Opens a file. Of a packed one the size is found by unpacking it once.
    /// - Parameter rowBytes: Of a row; nil takes what an `.npy` header says.
    /// - Throws: NOT_FOUND, INVALID_ARGUMENT or DATA_LOSS with what to do: also when the file is
    ///   not whole rows, or none.
    public init(path: String, rowBytes: Int? = nil) throws(LociError) {
        file = try InputFile(path: path)
        let name = path.lowercased()
        if name.hasSuffix(".npy") || name.hasSuffix(".npy.gz") {
            let layout = try VectorLayout.read(file, suffix: "npy")
            (elementType, rowElements) = (layout.element.type, layout.dimension)
            self.rowBytes = layout.rowBytes
            rows = layout.rows
            if let rowBytes, rowBytes != layout.rowBytes {
                throw LociError(
                    .invalidArgument,
                    "'\(path)' has rows of \(layout.rowBytes) bytes, not \(rowBytes).",
                    advice: "Leave --row-bytes out: an .npy file says it itself.")
            }
        } else {
            guard let rowBytes, rowBytes > 0 else {
                throw LociError(
                    .invalidArgument, "'\(path)' does not say how long its rows are.",
                    advice: "Give --row-bytes.")
            }
            let size = try file.remainingBytes()
            guard size % UInt64(rowBytes) == 0 else {
                throw LociError(
                    .invalidArgument,
                    "'\(path)' holds \(size) bytes: that is no whole number of rows of "
                        + "\(rowBytes) bytes.",
                    advice: "Check --row-bytes, and that the file is whole.")
            }
            (elementType, rowElements) = (.raw, rowBytes)
            self.rowBytes = rowBytes
            rows = size / UInt64(rowBytes)
        }
        guard rows > 0 else {
            throw LociError(
                .invalidArgument, "'\(path)' holds no rows.", advice: "Give a file with some.")
        }
    }

    /// The next rows, at most `limit`; nil at the end.
    /// - Throws: DATA_LOSS when the file ends within a row, or before all rows that it had when it
    ///   was opened.
    public func next(_ limit: Int) throws(LociError) -> Bytes? {
        let left = rows - read
        guard left > 0 else { return nil }
        let count = Int(min(UInt64(limit), left))
        let bytes = try file.read(count * rowBytes)
        guard bytes.count == count * rowBytes else {
            throw LociError(
                .dataLoss, "'\(file.path)' became shorter while it was read.",
                advice: "Import it when nobody writes to it.")
        }
        read += UInt64(count)
        return bytes
    }
}

extension VectorLayout.Element {
    var type: ElementType {
        switch self {
        case .float32: .float32
        case .float16: .float16
        case .uint8: .uint8
        case .int32: .raw
        }
    }
}
