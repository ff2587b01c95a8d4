public import LociBase
public import LociModel

extension CollectionSlice {
    /// The whole state as bytes, the same bytes for the same state.
    public func write(to writer: inout ByteWriter) {
        directory.write(to: &writer)
        journal.write(to: &writer)
        counters.write(to: &writer)
        writer.write(nextLocation)
        writer.write(nextExtent)
        writer.write(array: freeExtents)
        writer.write(payloadEnd)
        writer.write(UInt64(postings.count))
        for posting in postings.values.sorted(by: { $0.location < $1.location }) {
            writer.write(posting.location)
            writer.write(posting.generation)
            writer.write(posting.extent)
            writer.write(UInt64(posting.rows))
            writer.write(array: locations.centroid(of: key(posting.location))!)
        }
        points.write(to: &writer)
        indexes.write(to: &writer)
        writer.write(array: sparse.sorted())
    }

    public init(
        _ definition: CollectionDefinition, partition: PartitionIndex, tuning: SearchTuning,
        from reader: inout ByteReader
    ) throws(TruncatedBytes) {
        self.init(definition, partition: partition, tuning: tuning)
        directory = try Directory(from: &reader)
        journal = try LocationJournal(from: &reader)
        counters = try SliceCounters(from: &reader)
        nextLocation = try reader.read()
        nextExtent = try reader.read()
        freeExtents = try reader.readArray()
        payloadEnd = try reader.read()
        for _ in 0..<(try reader.read(UInt64.self)) { try readPosting(&reader) }
        points = try PointTable(from: &reader)
        for record in points.records where record.isLive {
            guard postings[record.location] != nil else {
                throw TruncatedBytes(position: reader.position)
            }
            postings[record.location]!.live += 1
        }
        indexes = try PayloadIndexes(reading: &reader)
        sparse = Set(try reader.readArray())
        guard sparse.allSatisfy({ postings[$0] != nil }) else {
            throw TruncatedBytes(position: reader.position)
        }
        for posting in postings.values { review(posting.location) }
    }

    private mutating func readPosting(_ reader: inout ByteReader) throws(TruncatedBytes) {
        let location: LocationID = try reader.read()
        let generation: UInt32 = try reader.read()
        let extent: UInt32 = try reader.read()
        let rows: UInt64 = try reader.read()
        let centroid: [Float] = try reader.readArray()
        guard centroid.count == definition.dimension, rows <= UInt64(Posting.extentRows) else {
            throw TruncatedBytes(position: reader.position)
        }
        var posting = Posting(location: location, generation: generation, extent: extent)
        posting.rows = Int(rows)
        postings[location] = posting
        locations.insert(key(location), generation: generation, centroid: centroid)
    }
}

extension SliceCounters {
    func write(to writer: inout ByteWriter) {
        for value in [primaries, splits, rewrites, merges, evaluated, moved] { writer.write(value) }
    }

    init(from reader: inout ByteReader) throws(TruncatedBytes) {
        primaries = try reader.read()
        splits = try reader.read()
        rewrites = try reader.read()
        merges = try reader.read()
        evaluated = try reader.read()
        moved = try reader.read()
    }
}
