import Glibc
import LociBase
import LociModel
import Testing

@testable import LociStorage

@Suite("What is lost stays visible, and the rest goes on")
struct LostFileTests {
    private static let pageBytes = 4096

    private func open(_ fileSystem: MemoryFileSystem) throws -> SliceStore {
        let store = try SliceStore.open(
            folder: "/data", fileSystem: fileSystem, identity: testIdentity, partitions: [0],
            tuning: StorageTuning(writeBufferBytes: 64 << 10, flushBatchBytes: 16 << 10))
        _ = try store.recover(0)
        return store
    }

    private func address(_ page: UInt64) -> PageAddress {
        PageAddress(space: 3, partition: 0, page: page)
    }

    /// Ten pages in the first segment, one in the second, all durable.
    private func build(_ fileSystem: MemoryFileSystem) throws -> UInt64 {
        let store = try open(fileSystem)
        let far = Layout.segmentBytes / UInt64(Self.pageBytes)
        for page in Array(0..<UInt64(10)) + [far] {
            try store.write(
                pattern(Self.pageBytes, seed: page), at: 0, of: address(page),
                pageBytes: Self.pageBytes)
        }
        let end = try store.append([Bytes(utf8: "x")], to: 0)
        _ = try store.checkpoint(0, at: end, snapshot: Bytes())
        fileSystem.endProcess()
        return far
    }

    private func expectLost(_ store: SliceStore, _ page: UInt64) {
        let error = #expect(throws: StorageError.self) {
            try store.readPage(address(page), pageBytes: Self.pageBytes)
        }
        #expect(error?.sentence.code == .dataLoss)
    }

    @Test("A segment that is missing does not come back as zeros when a page of it is written")
    func missingSegment() throws {
        let fileSystem = MemoryFileSystem()
        let far = try build(fileSystem)
        try fileSystem.remove("/data/partition-0/space-3/0.segment")
        let store = try open(fileSystem)
        expectLost(store, 4)
        try store.write(
            pattern(Self.pageBytes, seed: 99), at: 0, of: address(4), pageBytes: Self.pageBytes)
        try store.flush(0)
        for page in UInt64(0)..<10 { expectLost(store, page) }
        #expect(store.counts.lostWrites == 1)
        #expect(
            try store.readPage(address(far), pageBytes: Self.pageBytes)
                == pattern(Self.pageBytes, seed: far))
    }

    @Test("A damaged footer costs its segment, not the shard")
    func damagedFooter() throws {
        let fileSystem = MemoryFileSystem()
        let far = try build(fileSystem)
        let layout = SegmentLayout(pageBytes: Self.pageBytes)
        let file = try fileSystem.open("/data/partition-0/space-3/0.segment", create: false)
        try file.write(Bytes([7]), at: layout.footerOffset + 20)
        let store = try open(fileSystem)
        for page in [UInt64(4), far] {
            try store.write(
                pattern(Self.pageBytes, seed: 99), at: 0, of: address(page),
                pageBytes: Self.pageBytes)
        }
        let end = try store.append([Bytes(utf8: "y")], to: 0)
        _ = try store.checkpoint(0, at: end, snapshot: Bytes())
        expectLost(store, 4)
        #expect(
            try store.readPage(address(far), pageBytes: Self.pageBytes)
                == pattern(Self.pageBytes, seed: 99))
    }

    @Test("A dropped space makes room on a full disk, although other pages still wait for it")
    func dropOnAFullDisk() throws {
        let fileSystem = MemoryFileSystem()
        _ = try build(fileSystem)
        let store = try open(fileSystem)
        func other(_ page: UInt64) -> PageAddress {
            PageAddress(space: 4, partition: 0, page: page)
        }
        for page in UInt64(0)..<8 {
            try store.write(
                pattern(Self.pageBytes, seed: page), at: 0, of: other(page),
                pageBytes: Self.pageBytes)
        }
        let end = try store.append([Bytes(utf8: "install")], to: 0, isUrgent: true)
        fileSystem.spaceLimit = fileSystem.usedBytes
        store.drop(space: 3, partition: 0)
        #expect(throws: StorageError.self) {
            try store.checkpoint(0, at: end, snapshot: Bytes())
        }
        _ = try store.checkpoint(0, at: end, snapshot: Bytes())
        #expect(!store.isFull(0))
        fileSystem.crash(seed: 4)
        fileSystem.spaceLimit = nil
        let again = try open(fileSystem)
        for page in UInt64(0)..<8 {
            #expect(
                try again.readPage(other(page), pageBytes: Self.pageBytes)
                    == pattern(Self.pageBytes, seed: page))
        }
    }

    @Test("A snapshot that is begun again ends the one before it")
    func snapshotAgain() throws {
        let fileSystem = MemoryFileSystem()
        _ = try build(fileSystem)
        let store = try open(fileSystem)
        let error = #expect(throws: StorageError.self) {
            try store.snapshot(0, state: Bytes(), into: "/one") {
                _ = try! store.snapshot(0, state: Bytes(utf8: "two"), into: "/two") {}
            }
        }
        #expect(error != nil)
        let restored = try SliceStore.open(
            folder: "/restored", fileSystem: fileSystem, identity: testIdentity, partitions: [0])
        _ = try restored.recover(0)
        #expect(try restored.restore(0, from: "/two") == 11)
    }

    @Test("A page that the device does not give back is lost for good, and the shard goes on")
    func unreadablePage() throws {
        let fileSystem = MemoryFileSystem()
        let far = try build(fileSystem)
        let store = try open(fileSystem)
        fileSystem.badSectors = .init(
            path: "/data/partition-0/space-3/0.segment", range: (2 * 4096)..<(3 * 4096))
        try store.write(Bytes([1, 2, 3]), at: 8, of: address(2), pageBytes: Self.pageBytes)
        fileSystem.badSectors = nil
        expectLost(store, 2)
        try store.write(
            pattern(Self.pageBytes, seed: 50), at: 0, of: address(2), pageBytes: Self.pageBytes)
        let end = try store.append([Bytes(utf8: "z")], to: 0)
        _ = try store.checkpoint(0, at: end, snapshot: Bytes())
        for page in [UInt64(2), 3, far] {
            #expect(
                try store.readPage(address(page), pageBytes: Self.pageBytes)
                    == pattern(Self.pageBytes, seed: page == 2 ? 50 : page))
        }
    }
}
