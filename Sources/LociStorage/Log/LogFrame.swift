import LociBase

/// A record as it stands in a log file: a header, then the payload.
///
///     length 4 | distance 4 | LSN 8 | previous hash 8 | hash 8 | payload
///
/// The hash is XXH3 over all of it but itself; `previous` is the hash of the record before, so that
/// no record can be lost from the middle, repeated or swapped. `distance` is how many bytes before
/// this record its append began. Appends are made durable one by one, so all that stands before
/// that point was durable when this record was written: damage there is no torn write.
struct LogFrame {
    static let headerBytes = 32

    let lsn: LSN
    let distance: UInt32
    let previous: UInt64
    let hash: UInt64
    let payload: Bytes

    var end: LSN { lsn + UInt64(Self.headerBytes + payload.count) }

    /// The append that wrote this record began here.
    var appendStart: LSN { lsn - UInt64(distance) }

    init(_ payload: Bytes, lsn: LSN, appendStart: LSN, previous: UInt64) {
        self.lsn = lsn
        distance = UInt32(lsn - appendStart)
        self.previous = previous
        self.payload = payload
        hash = payload.checksum(
            seed: Self.prefix(payload.count, distance, lsn, previous).finished.checksum())
    }

    /// - Returns: nil if no intact record of this LSN starts at the position.
    init?(_ bytes: Bytes, at position: Int, lsn: LSN, recordLimit: Int) {
        guard bytes.count - position >= Self.headerBytes,
            bytes.load(UInt64.self, at: position + 8) == lsn
        else { return nil }
        let length = Int(bytes.load(UInt32.self, at: position))
        guard length <= recordLimit, bytes.count - position - Self.headerBytes >= length else {
            return nil
        }
        let start = position + Self.headerBytes
        self.lsn = lsn
        distance = bytes.load(at: position + 4)
        previous = bytes.load(at: position + 16)
        hash = bytes.load(at: position + 24)
        payload = bytes.slice(start..<(start + length))
        let seed = bytes.slice(position..<(position + 24)).checksum()
        guard hash == payload.checksum(seed: seed), UInt64(distance) < lsn else { return nil }
    }

    /// What stands in the file before the payload.
    var header: Bytes {
        var writer = Self.prefix(payload.count, distance, lsn, previous)
        writer.write(hash)
        return writer.finished
    }

    private static func prefix(
        _ length: Int, _ distance: UInt32, _ lsn: LSN, _ previous: UInt64
    ) -> ByteWriter {
        var writer = ByteWriter(reserving: headerBytes)
        writer.write(UInt32(length))
        writer.write(distance)
        writer.write(lsn)
        writer.write(previous)
        return writer
    }
}
