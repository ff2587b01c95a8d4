public import LociBase

/// Rows of float32 as a file that other programs read.
public enum ArrayFile {
    /// The content of an `.npy` file (version 1.0, `<f4`, C order) with one row for each vector.
    /// - Precondition: The rows have one length.
    public static func bytes(_ rows: [[Float]]) -> Bytes {
        let dimension = rows.first?.count ?? 0
        precondition(rows.allSatisfy { $0.count == dimension })
        return Bytes.joined([header(rows.count, dimension)] + rows.map { Bytes(values: $0) })
    }

    /// As NEP 1 has it: magic, version, length, a Python dictionary; the data begins at a multiple
    /// of 64.
    private static func header(_ rows: Int, _ dimension: Int) -> Bytes {
        let shape = "(\(rows), \(dimension))"
        var text = "{'descr': '<f4', 'fortran_order': False, 'shape': \(shape), }"
        let start = 10
        let padding = 64 - (start + text.utf8.count + 1) % 64
        text += String(repeating: " ", count: padding % 64) + "\n"
        let length = UInt16(text.utf8.count)
        let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0]
        return Bytes(magic + [UInt8(length & 0xFF), UInt8(length >> 8)] + Array(text.utf8))
    }
}
