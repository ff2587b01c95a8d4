import LociBase
import LociModel

/// A file's lines, one at a time.
struct LineReader {
    private let file: InputFile
    private var buffer: [UInt8] = []
    private var position = 0
    private var isAtEnd = false
    /// Number of the line that `next` returned last, from 1.
    private(set) var line: UInt64 = 0
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    init(_ file: InputFile) { self.file = file }

    /// The next line without its end, the first without a byte order mark of UTF-8; nil behind the
    /// last one.
    /// - Throws: INVALID_ARGUMENT when a line is longer than `ImportLimits.lineBytes`.
    mutating func next() throws(LociError) -> [UInt8]? {
        var searched = position
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { position = end + 1 }
                return taken(buffer[position..<end])
            }
            searched = buffer.count
            if isAtEnd { break }
            guard buffer.count - position <= ImportLimits.lineBytes else {
                throw LociError(
                    .invalidArgument, "Line \(line + 1) of '\(file.path)' is longer than 4 MiB.",
                    advice: "A line holds one point.")
            }
            buffer.removeFirst(position)
            searched -= position
            position = 0
            let bytes = try file.read(256 << 10)
            isAtEnd = bytes.isEmpty
            buffer += bytes.array
        }
        guard position < buffer.count else { return nil }
        defer { position = buffer.count }
        return taken(buffer[position...])
    }

    private mutating func taken(_ found: ArraySlice<UInt8>) -> [UInt8] {
        line += 1
        let isMarked = line == 1 && found.starts(with: Self.byteOrderMark)
        return Array(isMarked ? found.dropFirst(Self.byteOrderMark.count) : found)
    }
}
