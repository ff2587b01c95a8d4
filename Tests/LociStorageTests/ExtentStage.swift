import LociBase
import LociModel
import Testing

@testable import LociStorage

/// A slice with a cold tier beside it, for tests of one extent.
struct ExtentStage: Sendable {
    let pageBytes = 16 << 10
    let extent = ExtentAddress(space: 4, partition: 0, number: 0)

    func open(
        _ scratch: Scratch, compression: ExtentCompression = .standard, hasTier: Bool = true
    ) throws -> SliceStore {
        try open(in: scratch.folder, scratch.fileSystem, compression, hasTier)
    }

    func open(
        in folder: String, _ fileSystem: any StorageFileSystem,
        _ compression: ExtentCompression = .standard, _ hasTier: Bool = true
    ) throws -> SliceStore {
        let backend = FolderBackend(folder: folder + "/slow/shard-2", fileSystem: fileSystem)
        let store = try SliceStore.open(
            folder: folder + "/slice", fileSystem: fileSystem, identity: testIdentity,
            partitions: [0],
            coldTier: hasTier ? ColdTier(backend: backend, compression: compression) : nil)
        _ = try store.recover(0)
        return store
    }

    func address(_ page: UInt64) -> PageAddress {
        PageAddress(space: 4, partition: 0, page: page)
    }

    /// Words of a small vocabulary, in another order for each page.
    func text(_ page: UInt64) -> Bytes { Self.texts[Int(page)] }

    private static let texts = (UInt64(0)..<129).map { page in
        var random = SeededRandom(seed: page + 1)
        return Bytes(values: (0..<2048).map { _ in mix64(UInt64(random.below(512))) })
    }

    func write(_ pages: Range<UInt64>, _ store: SliceStore) throws {
        for page in pages {
            try store.write(text(page), at: 0, of: address(page), pageBytes: pageBytes)
        }
        try store.flush(0)
    }

    func check(_ pages: Range<UInt64>, _ store: SliceStore, from tier: Tier) throws {
        let requests = pages.map { PageRequest(address: address($0), pageBytes: pageBytes) }
        let answers = store.readPages(requests, into: HeapPageMemory())
        for (page, answer) in zip(pages, answers) {
            guard case .loaded(let bytes, let found) = answer else {
                Issue.record("page \(page): \(answer)")
                return
            }
            try #require(bytes == text(page) && found == tier, "page \(page)")
        }
    }

    func move(_ extent: ExtentAddress, cold: Bool, _ store: SliceStore) throws -> ExtentMove {
        cold
            ? try store.demote(extent, pageBytes: pageBytes)
            : try store.promote(extent, pageBytes: pageBytes)
    }

    func extentFile(_ scratch: Scratch) -> String {
        scratch.path("slow/shard-2/cold-0/space-4/0.extent")
    }

    func content(_ path: String, _ fileSystem: any StorageFileSystem) throws -> Bytes {
        let file = try fileSystem.open(path, create: false)
        return try file.read(at: 0, count: Int(file.size()))
    }
}
