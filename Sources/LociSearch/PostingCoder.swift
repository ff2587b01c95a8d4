public import LociBase
public import LociModel

/// Writes the codes of a collection's postings. The same for every partition: the rotation comes
/// from the collection's space.
public struct PostingCoder: Sendable {
    public let rotation: CodeRotation
    public let format: CodeFormat

    public init(_ definition: CollectionDefinition) {
        rotation = CodeRotation(dimension: definition.dimension, seed: UInt64(definition.space))
        format = CodeFormat(
            dimension: definition.dimension, bits: definition.options.codeBits,
            metric: definition.metric)
    }

    func query(_ vector: [Float]) -> CodeQuery {
        CodeQuery(rotated: rotation.rotate(vector), format: format)
    }

    /// The point that a row is a code of, and the tag that it had then.
    public func header(of page: Bytes, at offset: Int) -> (cell: CellNumber, tag: UInt32) {
        (page.load(CellNumber.self, at: offset), page.load(UInt32.self, at: offset + 4))
    }

    /// The row of a point in the posting around a centroid.
    func code(
        _ rotated: [Float], around centroid: [Float], cell: CellNumber, tag: UInt32
    ) -> Bytes {
        var row: [UInt8] = []
        row.reserveCapacity(format.rowBytes)
        format.append(
            vector: rotated, centroid: rotation.rotate(centroid), cell: cell, tag: tag, to: &row)
        return Bytes(row)
    }

    /// Rows for all points of a posting, one behind the other.
    func codes(_ rows: [SplitRow], around centroid: [Float]) -> Bytes {
        let rotatedCentroid = rotation.rotate(centroid)
        var codes: [UInt8] = []
        codes.reserveCapacity(rows.count * format.rowBytes)
        for row in rows {
            format.append(
                vector: rotation.rotate(row.vector.values(Float.self)), centroid: rotatedCentroid,
                cell: row.cell, tag: row.tag, to: &codes)
        }
        return Bytes(codes)
    }
}
