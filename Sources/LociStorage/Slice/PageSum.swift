import LociBase
import LociModel

/// What a segment remembers of a page, apart from the page: 16 bytes in a table behind the pages.
///
///     checksum 8 | generation 7 bytes, flags 1 byte
///
/// The checksum is XXH3 over the page, seeded with whose page it is, its address and the
/// generation. So a write that was lost, torn or went elsewhere shows, as do flipped bits in the
/// page or here. All zero means: never written.
struct PageSum: Equatable, Sendable {
    static let byteCount = 16
    static let unwritten = PageSum(checksum: 0, stamp: 0)
    private static let coldFlag: UInt64 = 1

    let checksum: UInt64
    private let stamp: UInt64

    private init(checksum: UInt64, stamp: UInt64) {
        self.checksum = checksum
        self.stamp = stamp
    }

    /// - Parameter generation: Sequence of the batch that writes the page; above 0.
    init(sealing image: Bytes, _ page: PageName, generation: UInt64, in place: PartitionPlace) {
        precondition(generation > 0 && generation < 1 << 56)
        stamp = generation << 8
        checksum = image.checksum(seed: Self.seed(page, generation, image.count, place))
    }

    /// For a page whose bytes are lost: nothing matches it.
    init(condemning page: PageName, generation: UInt64, in place: PartitionPlace) {
        stamp = generation << 8
        checksum = ~Self.seed(page, generation, 0, place)
    }

    init(decoding bytes: Bytes, at position: Int = 0) {
        checksum = bytes.load(at: position)
        stamp = bytes.load(at: position + 8)
    }

    func write(to writer: inout ByteWriter) {
        writer.write(checksum)
        writer.write(stamp)
    }

    var isWritten: Bool { self != .unwritten }
    var generation: UInt64 { stamp >> 8 }

    /// Whether the page lies in a cold extent, and no longer in the segment.
    var isCold: Bool { stamp & 0xFF == Self.coldFlag }

    /// The same page, in a cold extent or in the segment.
    func moved(toCold isCold: Bool) -> PageSum {
        PageSum(checksum: checksum, stamp: stamp & ~0xFF | (isCold ? Self.coldFlag : 0))
    }

    /// Whether these are the bytes that were written to this page last.
    func matches(_ image: Bytes, _ page: PageName, in place: PartitionPlace) -> Bool {
        guard isWritten, stamp & 0xFF <= Self.coldFlag, generation > 0 else { return false }
        return checksum == image.checksum(seed: Self.seed(page, generation, image.count, place))
    }

    private static func seed(
        _ page: PageName, _ generation: UInt64, _ pageBytes: Int, _ place: PartitionPlace
    ) -> UInt64 {
        let owner = mix64(place.identity.clusterID ^ UInt64(place.partition) << 32)
        let address = mix64(owner ^ UInt64(page.space) << 24 ^ UInt64(pageBytes))
        return mix64(mix64(address ^ page.number) ^ generation)
    }
}

/// A page within a partition.
struct PageName: Hashable, Comparable, Sendable {
    let space: SpaceID
    let number: UInt64

    init(_ space: SpaceID, _ number: UInt64) {
        self.space = space
        self.number = number
    }

    init(_ address: PageAddress) { self.init(address.space, address.page) }

    static func < (left: PageName, right: PageName) -> Bool {
        (left.space, left.number) < (right.space, right.number)
    }
}
