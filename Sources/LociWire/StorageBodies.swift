public import LociBase
public import LociModel

// What is asked and answered about storage as a whole: where pages lie, whether they are sound, and
// copies of everything.

/// Asks where the pages of a field lie, from an extent of a partition on. Answer:
/// `residencyAnswer`.
public struct Residency: Equatable, Sendable {
    public var field: String
    public var partition: PartitionIndex
    public var extent: UInt64

    public init(field: String, partition: PartitionIndex = 0, extent: UInt64 = 0) {
        self.field = field
        self.partition = partition
        self.extent = extent
    }
}

/// `Residency` for a partition that lives on the shard. Answer: `residencyAnswer`.
public struct ShardResidency: Equatable, Sendable {
    public var space: SpaceID
    public var partition: PartitionIndex
    public var extent: UInt64

    public init(space: SpaceID, partition: PartitionIndex, extent: UInt64) {
        self.space = space
        self.partition = partition
        self.extent = extent
    }
}

/// Bulk: `[extents]` as `ExtentResidency.encoded`. With `hasMore`, ask again from `partition` and
/// `extent`.
public struct ResidencyAnswer: Equatable, Sendable {
    public var pageBytes: UInt32
    public var partition: PartitionIndex
    public var extent: UInt64
    public var hasMore: Bool
    public var receipt: Receipt

    public init(
        pageBytes: UInt32, partition: PartitionIndex, extent: UInt64, hasMore: Bool,
        receipt: Receipt = Receipt()
    ) {
        self.pageBytes = pageBytes
        self.partition = partition
        self.extent = extent
        self.hasMore = hasMore
        self.receipt = receipt
    }
}

/// Pages of one extent by tier. A page in memory counts there and in the tier that it is a copy of.
public struct ExtentResidency: Equatable, Sendable {
    /// Bytes of a partition that one extent covers.
    public static let extentBytes = Layout.extentBytes
    /// Bytes of one on the wire.
    public static let encodedBytes = 20
    /// The most that one answer holds.
    public static let perAnswer = Limits.chunkBytes / encodedBytes

    public var partition: PartitionIndex
    public var extent: UInt64
    public var dram: UInt16 = 0
    public var far: UInt16 = 0
    public var ssd: UInt16 = 0
    public var hdd: UInt16 = 0

    public init(partition: PartitionIndex, extent: UInt64) {
        self.partition = partition
        self.extent = extent
    }

    public static func encoded(_ extents: [ExtentResidency]) -> Bytes {
        var writer = ByteWriter(reserving: extents.count * encodedBytes)
        for each in extents {
            writer.write(each.partition)
            writer.write(each.extent)
            for pages in [each.dram, each.far, each.ssd, each.hdd] { writer.write(pages) }
        }
        return writer.finished
    }

    /// What is not a whole extent at the end is left out.
    public static func decoded(_ bytes: Bytes) -> [ExtentResidency] {
        stride(from: 0, to: bytes.count - encodedBytes + 1, by: encodedBytes).map { start in
            var each = ExtentResidency(
                partition: bytes.load(at: start), extent: bytes.load(at: start + 4))
            each.dram = bytes.load(at: start + 12)
            each.far = bytes.load(at: start + 14)
            each.ssd = bytes.load(at: start + 16)
            each.hdd = bytes.load(at: start + 18)
            return each
        }
    }
}

/// Reads and checks everything that is stored, in the background; with `isQuestion` only asks how
/// far that is. To coordinators and shards alike. Answer: `scrubAnswer`.
public struct Scrub: Equatable, Sendable {
    /// 0 lets the shard choose.
    public var bytesPerSecond: UInt64
    public var isQuestion: Bool

    public init(bytesPerSecond: UInt64 = 0, isQuestion: Bool = false) {
        self.bytesPerSecond = bytesPerSecond
        self.isQuestion = isQuestion
    }
}

/// Bulk: `[damaged pages]` as `DamagedPages.encoded`; the first of them, if they are very many.
public struct ScrubAnswer: Equatable, Sendable {
    /// Shards whose scrub has not ended.
    public var shardsRunning: UInt32
    /// By the scrub that runs or ran last.
    public var pagesVerified: UInt64
    public var pagesDamaged: UInt64
    public var receipt: Receipt

    public init(
        shardsRunning: UInt32, pagesVerified: UInt64, pagesDamaged: UInt64,
        receipt: Receipt = Receipt()
    ) {
        self.shardsRunning = shardsRunning
        self.pagesVerified = pagesVerified
        self.pagesDamaged = pagesDamaged
        self.receipt = receipt
    }
}

/// Addresses of pages on the wire.
public enum DamagedPages {
    /// Bytes of one on the wire.
    static let encodedBytes = 16
    /// That are named in one answer.
    public static let perAnswer = 1024

    public static func encoded(_ pages: [PageAddress]) -> Bytes {
        var writer = ByteWriter(reserving: pages.count * encodedBytes)
        for page in pages {
            writer.write(page.space)
            writer.write(page.partition)
            writer.write(page.page)
        }
        return writer.finished
    }

    /// What is not a whole address at the end is left out.
    public static func decoded(_ bytes: Bytes) -> [PageAddress] {
        stride(from: 0, to: bytes.count - encodedBytes + 1, by: encodedBytes).map { start in
            PageAddress(
                space: bytes.load(at: start), partition: bytes.load(at: start + 4),
                page: bytes.load(at: start + 8))
        }
    }
}

/// Makes a snapshot of the whole cluster at one consistent point. Acknowledged with its bytes once
/// it is complete; the deadline bounds how long writes may be held back for the point, not how long
/// the copying takes.
public struct CreateSnapshot: Equatable, Sendable {
    public var name: String
    public init(name: String) { self.name = name }
}

/// Complete snapshots, in the order of their names.
public struct SnapshotsAnswer: Equatable, Sendable {
    public var snapshots: [SnapshotEntry]
    /// Name of the one that is being made, or empty.
    public var active: String

    public init(snapshots: [SnapshotEntry], active: String) {
        self.snapshots = snapshots
        self.active = active
    }
}

/// A complete snapshot.
public struct SnapshotEntry: Equatable, Sendable {
    public var name: String
    public var id: UInt64
    /// When its point was, by the coordinator's clock.
    public var unixSeconds: UInt64
    public var bytes: UInt64
    public var partitions: UInt32
    public var shards: UInt32

    public init(
        name: String, id: UInt64, unixSeconds: UInt64, bytes: UInt64, partitions: UInt32,
        shards: UInt32
    ) {
        self.name = name
        self.id = id
        self.unixSeconds = unixSeconds
        self.bytes = bytes
        self.partitions = partitions
        self.shards = shards
    }
}

/// One step of a snapshot of the whole cluster.
public struct ShardSnapshot: Equatable, Sendable {
    public enum Step: UInt32, Sendable, CaseIterable {
        /// Acknowledged once the state of this moment is fixed.
        case cut = 1
        /// Acknowledged once all of it is written, with its bytes.
        case finish = 2
        /// Not answered.
        case abandon = 3
    }

    public var name: String
    public var id: UInt64
    public var step: Step

    public init(name: String, id: UInt64, step: Step) {
        self.name = name
        self.id = id
        self.step = step
    }
}
