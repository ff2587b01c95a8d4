import LociBase
import LociModel
import LociStorage
import LociTiering
import Testing

@testable import LociRuntime

@Suite("The migrator keeps tiers within their capacities")
struct MigratorTests {
    private static let pageBytes = 64 << 10
    private static let pages: UInt64 = 700
    private static let rate = 8 << 20

    private func open(_ fileSystem: MemoryFileSystem) throws -> SliceStore {
        let backend = FolderBackend(folder: "/slow/shard-0", fileSystem: fileSystem)
        let store = try SliceStore.open(
            folder: "/data", fileSystem: fileSystem,
            identity: SliceIdentity(clusterID: 7, shard: 0), partitions: [0],
            coldTier: ColdTier(backend: backend))
        _ = try store.recover(0)
        return store
    }

    private func migrator(_ store: SliceStore) -> Migrator {
        var settings = Migration.Settings(
            ssdCapacity: 512 * UInt64(Self.pageBytes), hddCapacity: 1 << 40)
        settings.restMicroseconds = 3_000_000
        return Migrator(store: store, settings: settings, bytesPerSecond: Self.rate)
    }

    private func address(_ page: UInt64) -> PageAddress {
        PageAddress(space: 3, partition: 0, page: page)
    }

    private func content(_ page: UInt64) -> Bytes {
        Bytes(values: (0..<UInt64(Self.pageBytes / 8)).map { page << 32 | $0 >> 4 })
    }

    private func write(_ pages: Range<UInt64>, _ store: SliceStore) throws {
        for page in pages {
            try store.write(
                content(page), at: 0, of: address(page), pageBytes: Self.pageBytes)
        }
        try store.flush(0)
    }

    private func now(_ second: Int) -> Instant {
        Instant(nanoseconds: UInt64(second) * 1_000_000_000)
    }

    @Test("Of 700 pages over an ssd tier of 512 none is lost, wherever they move")
    func conservation() throws {
        let fileSystem = MemoryFileSystem()
        do {
            let store = try open(fileSystem)
            let migrator = migrator(store)
            var heat = HeatMap()
            try write(0..<Self.pages, store)
            _ = try store.checkpoint(0, at: store.append([], to: 0), snapshot: Bytes())
            for second in 0..<12 {
                let before = store.migrationCounts
                migrator.round(at: now(second))
                #expect(
                    store.migrationCounts.demotedBytes - before.demotedBytes <= Self.rate)
                // What went is asked for again and again.
                if second > 4 {
                    for _ in 0..<2 {
                        heat.touch(ExtentAddress(of: address(0), pageBytes: Self.pageBytes))
                    }
                    migrator.use(heat)
                    for page in UInt64(0)..<16 {
                        _ = try store.readPage(address(page), pageBytes: Self.pageBytes)
                    }
                }
            }
            let status = migrator.status!
            #expect(status.failure == nil && !status.isHDDFull)
            #expect(status.occupancy.ssdBytes <= 512 * UInt64(Self.pageBytes))
            #expect(status.counts.promotedPages == 16)
            let stored = try store.storedExtents(from: nil, limit: 1000).extents
            #expect(stored.reduce(0) { $0 + $1.ssdPages + $1.hddPages } == Int(Self.pages))
            #expect((450..<512).contains(stored.reduce(0) { $0 + $1.ssdPages }))
        }
        fileSystem.crash(seed: 3)
        let store = try open(fileSystem)
        for page in 0..<Self.pages {
            let found = try store.readPage(address(page), pageBytes: Self.pageBytes)
            try #require(found == content(page), "page \(page)")
        }
        let migrator = migrator(store)
        migrator.round(at: now(100))
        #expect(migrator.status!.occupancy.hddBytes > 0)
    }

    @Test("A failing hdd tier is reported, left alone for a while, and tried again")
    func failure() throws {
        let fileSystem = MemoryFileSystem()
        let store = try open(fileSystem)
        let migrator = migrator(store)
        try write(0..<520, store)
        migrator.round(at: now(1))
        #expect(store.migrationCounts.demotedPages > 0 && migrator.status!.failure == nil)
        try write(520..<600, store)
        fileSystem.spaceLimit = fileSystem.usedBytes
        migrator.round(at: now(2))
        #expect(migrator.status!.failure?.isOutOfSpace == true)
        let demoted = store.migrationCounts.demotedPages
        fileSystem.spaceLimit = nil
        migrator.round(at: now(5))
        #expect(store.migrationCounts.demotedPages == demoted)
        migrator.round(at: now(13))
        #expect(store.migrationCounts.demotedPages > demoted && migrator.status!.failure == nil)
    }

    @Test("Started, it works by itself; stopped, it does nothing more", .timeLimit(.minutes(1)))
    func thread() async throws {
        let store = try open(MemoryFileSystem())
        let migrator = migrator(store)
        try write(0..<520, store)
        migrator.start()
        while store.migrationCounts.demotedPages == 0 {
            try await Task.sleep(for: .milliseconds(20))
        }
        migrator.stop()
        let counts = store.migrationCounts
        try await Task.sleep(for: .milliseconds(1200))
        #expect(store.migrationCounts == counts)
    }
}
