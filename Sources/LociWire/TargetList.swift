public import LociBase
public import LociModel

/// The partitions that may hold each of several points, as one bulk frame: for each point one byte
/// of count, then that many partitions (UInt16).
public struct TargetList: Equatable, Sendable {
    public let items: [[UInt16]]

    /// Partitions that one point may have. A point lies in the postings of at most 8 hard
    /// locations, and of twice as many while it moves.
    public static let targetsPerPoint = 16

    /// Each item holds at most `targetsPerPoint` partitions.
    public init(_ items: [[UInt16]]) {
        precondition(items.allSatisfy { $0.count <= Self.targetsPerPoint })
        self.items = items
    }

    /// - Throws: INVALID_ARGUMENT if the bytes are not the targets of just `count` points.
    public init(encoded: Bytes, count: Int) throws(LociError) {
        guard count >= 0, let items = Self.items(encoded, count: count) else {
            throw LociError(
                .invalidArgument,
                "\(encoded.count) bytes are not the targets of \(count) points.")
        }
        self.items = items
    }

    private static func items(_ encoded: Bytes, count: Int) -> [[UInt16]]? {
        guard count <= encoded.count else { return nil }
        var position = 0
        var items: [[UInt16]] = []
        items.reserveCapacity(count)
        for _ in 0..<count {
            guard position < encoded.count else { return nil }
            let size = Int(encoded[position])
            let end = position + 1 + size * 2
            guard size <= targetsPerPoint, end <= encoded.count else { return nil }
            items.append(encoded.slice((position + 1)..<end).values(UInt16.self))
            position = end
        }
        return position == encoded.count ? items : nil
    }

    public var encoded: Bytes {
        var writer = ByteWriter(reserving: items.count * 4)
        for item in items {
            writer.write(UInt8(item.count))
            for target in item { writer.write(target) }
        }
        return writer.finished
    }
}
