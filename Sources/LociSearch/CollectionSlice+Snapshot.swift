public import LociBase
public import LociModel

extension CollectionSlice {
    /// The whole state as bytes, the same bytes for the same state.
    public func write(to writer: inout ByteWriter) {
        directory.write(to: &writer)
        journal.write(to: &writer)
        writer.write(nextLocation)
        writer.write(nextExtent)
        writer.write(array: freeExtents)
        writer.write(payloadEnd)
        writer.write(UInt64(postings.count))
        for posting in postings.values.sorted(by: { $0.location < $1.location }) {
            writer.write(posting.location)
            writer.write(posting.generation)
            writer.write(posting.extent)
            writer.write(array: locations.centroid(of: key(posting.location))!)
            writer.write(array: posting.ids)
            writer.write(array: posting.isLive.map { $0 ? UInt8(1) : 0 })
        }
        writer.write(UInt64(points.count))
        for id in points.keys.sorted() {
            let point = points[id]!
            writer.write(id)
            writer.write(point.version)
            writer.write(point.location)
            writer.write(point.slot)
            writer.write(point.isPrimary)
            writer.write(point.payloadOffset)
            writer.write(point.payloadBytes)
        }
    }

    public init(
        _ definition: CollectionDefinition, partition: PartitionIndex, tuning: SearchTuning,
        from reader: inout ByteReader
    ) throws(TruncatedBytes) {
        self.init(definition, partition: partition, tuning: tuning)
        directory = try Directory(from: &reader)
        journal = try LocationJournal(from: &reader)
        nextLocation = try reader.read()
        nextExtent = try reader.read()
        freeExtents = try reader.readArray()
        payloadEnd = try reader.read()
        for _ in 0..<(try reader.read(UInt64.self)) { try readPosting(&reader) }
        for _ in 0..<(try reader.read(UInt64.self)) {
            let id: PointID = try reader.read()
            let point = PointRecord(
                version: try reader.read(), location: try reader.read(), slot: try reader.read(),
                isPrimary: try reader.readBool(), payloadOffset: try reader.read(),
                payloadBytes: try reader.read())
            points[id] = point
            if point.isPrimary { primaryCount += 1 }
        }
    }

    private mutating func readPosting(_ reader: inout ByteReader) throws(TruncatedBytes) {
        let location: LocationID = try reader.read()
        let generation: UInt32 = try reader.read()
        let extent: UInt32 = try reader.read()
        let centroid: [Float] = try reader.readArray()
        var posting = Posting(location: location, generation: generation, extent: extent)
        posting.ids = try reader.readArray()
        posting.isLive = try reader.readArray(of: UInt8.self).map { $0 != 0 }
        posting.liveCount = posting.isLive.count { $0 }
        guard centroid.count == definition.dimension, posting.ids.count == posting.isLive.count
        else { throw TruncatedBytes(position: reader.position) }
        postings[location] = posting
        if posting.liveCount > splitAbove { overfull.insert(location) }
        locations.insert(key(location), generation: generation, centroid: centroid)
    }
}
