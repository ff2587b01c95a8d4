import LociBase
import LociModel

/// Rows of a vector file. The id of a point is its row's number, from 0.
struct VectorFileSource: PointSource {
    private let file: InputFile
    private let layout: VectorLayout
    private var row: UInt64

    var notices: [String] { [] }

    /// - Throws: whatever is wrong with the header or the file's size, before the first row.
    init(path: String, suffix: String, skippingRows: UInt64) throws(LociError) {
        file = try InputFile(path: path)
        layout = try VectorLayout.read(file, suffix: suffix)
        row = min(skippingRows, layout.rows)
        guard try file.skip(row * UInt64(layout.rowBytes)) else { throw cutShort() }
    }

    var rows: UInt64 { layout.rows }
    var dimension: Int { layout.dimension }
    var kind: String { layout.kind }

    mutating func next(_ limit: Int) throws(LociError) -> PointBatch? {
        precondition(limit > 0, "a batch has at least one point")
        guard let rows = try nextRows(limit) else { return nil }
        let first = row - UInt64(rows.count / layout.rowBytes)
        let vectors = floats(of: rows)
        if let bad = vectors.firstIndex(where: { !$0.isFinite }) {
            let badRow = first + UInt64(bad / layout.dimension)
            throw LociError(
                .invalidArgument,
                "Row \(badRow) of '\(file.path)' has an element that is NaN or infinite.",
                advice: "Mend or leave out that row; \(first) rows before it are whole.")
        }
        let count = vectors.count / layout.dimension
        return PointBatch(
            firstRow: first, ids: Array(first..<(first + UInt64(count))), vectors: vectors,
            payloads: [String](repeating: "", count: count))
    }

    /// The next rows as signed integers: neighbours, in a file of true answers.
    mutating func nextIntegers(_ limit: Int) throws(LociError) -> [[Int32]]? {
        guard let rows = try nextRows(limit) else { return nil }
        return stride(from: 4, to: rows.count, by: layout.rowBytes).map { start in
            rows.slice(start..<(start + layout.rowBytes - 4)).values(Int32.self)
        }
    }

    /// Whole rows, with the dimension that each repeats checked.
    private mutating func nextRows(_ limit: Int) throws(LociError) -> Bytes? {
        let elements = layout.dimension * 4
        let most = min(limit, max(1, ImportLimits.batchBytes / elements))
        let count = Int(min(UInt64(most), layout.rows - row))
        if count == 0 { return nil }
        let bytes = try file.read(count * layout.rowBytes)
        guard bytes.count == count * layout.rowBytes else { throw cutShort() }
        if layout.repeatsDimension {
            for index in 0..<count {
                let dimension = bytes.load(Int32.self, at: index * layout.rowBytes)
                guard Int(dimension) == layout.dimension else {
                    throw LociError(
                        .invalidArgument,
                        "Row \(row + UInt64(index)) of '\(file.path)' has dimension \(dimension), "
                            + "the rows before it have \(layout.dimension).",
                        advice: "All vectors of a collection have the same dimension.")
                }
            }
        }
        row += UInt64(count)
        return bytes
    }

    private func floats(of rows: Bytes) -> [Float] {
        let prefix = layout.repeatsDimension ? 4 : 0
        if layout.element == .float32 && prefix == 0 { return rows.values(Float.self) }
        var result: [Float] = []
        let count = rows.count / layout.rowBytes
        result.reserveCapacity(count * layout.dimension)
        for index in 0..<count {
            let start = index * layout.rowBytes + prefix
            let elements = rows.slice(start..<(start + layout.rowBytes - prefix))
            switch layout.element {
            case .float32: result += elements.values(Float.self)
            case .float16: result += elements.values(Float16.self).map(Float.init)
            case .uint8: result += elements.values(UInt8.self).map(Float.init)
            case .int32: result += elements.values(Int32.self).map(Float.init)
            }
        }
        return result
    }

    private func cutShort() -> LociError {
        LociError(
            .dataLoss,
            "'\(file.path)' ends within row \(row): it became shorter while it was read.",
            advice: "Import again when nothing writes to it.")
    }
}
