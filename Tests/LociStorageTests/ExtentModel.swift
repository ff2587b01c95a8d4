import LociBase
import LociModel
import Testing

@testable import LociStorage

extension SliceModel {
    static let tierFolder = "/slow/shard-2"

    /// The extents that `Edit` writes to.
    static let extents = (0..<3).map { segment in
        ExtentAddress(
            space: 7, partition: Edit.partition,
            number: UInt64(segment) * Layout.segmentBytes / Layout.extentBytes)
    }

    /// - Parameter other: Where the tier is to be, if not beside the slice.
    convenience init(
        withTierOn other: MemoryFileSystem? = nil, compression: ExtentCompression = .standard
    ) {
        self.init()
        coldTier = ColdTier(
            backend: FolderBackend(folder: Self.tierFolder, fileSystem: other ?? fileSystem),
            compression: compression)
    }

    func demote(_ extent: ExtentAddress) throws -> ExtentMove {
        try store!.demote(extent, pageBytes: Edit.pageBytes)
    }

    func promote(_ extent: ExtentAddress) throws -> ExtentMove {
        try store!.promote(extent, pageBytes: Edit.pageBytes)
    }

    /// Pages that were acknowledged, flushed or not.
    var pages: Set<UInt64> { Set(acknowledged.map(\.page)) }

    /// Every page that is in files is on one of the tiers.
    func checkPlaces() throws {
        let stored = try store!.storedExtents(from: nil, limit: 100)
        try #require(stored.next == nil)
        let count = stored.extents.reduce(0) { $0 + $1.ssdPages + $1.hddPages }
        try #require(count <= pages.count)
        try #require(stored.extents.allSatisfy { Self.extents.contains($0.address) })
    }

    var stored: (ssd: Int, hdd: Int) {
        get throws {
            let extents = try store!.storedExtents(from: nil, limit: 100).extents
            return (
                extents.reduce(0) { $0 + $1.ssdPages }, extents.reduce(0) { $0 + $1.hddPages }
            )
        }
    }
}
