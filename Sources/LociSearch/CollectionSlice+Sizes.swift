import LociModel

/// What a slice takes up: in pages, and in memory beside them.
extension CollectionSlice {
    /// Codes of all postings, stale ones among them.
    public var codeBytes: UInt64 {
        postings.values.reduce(0) { $0 + UInt64($1.rows * coder.format.rowBytes) }
    }

    public var vectorBytes: UInt64 { UInt64(points.cellCount * definition.rowBytes) }

    /// Payloads ever written: those that were replaced keep their place.
    public var payloadBytes: UInt64 { payloadEnd }

    /// In memory: records and hash table of points, the directory, postings.
    public var tableBytes: UInt64 {
        UInt64(points.memoryBytes + directory.memoryBytes + postings.count * Self.postingBytes)
    }

    /// In memory: centroids and their codes.
    public var locationBytes: UInt64 { UInt64(locations.count * (definition.rowBytes + 32)) }

    /// In memory: indexes of payload fields, 12 bytes for each cell and field, without the values.
    public var indexBytes: UInt64 { UInt64(indexes.paths.count * points.cellCount * 12) }

    /// A posting, its key and the room that a dictionary leaves.
    private static let postingBytes = 64
}
