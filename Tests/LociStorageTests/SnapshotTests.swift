import Dispatch
import LociBase
import LociModel
import Synchronization
import Testing

@testable import LociStorage

@Suite("A snapshot is one moment, whatever is written meanwhile")
struct SnapshotTests {
    private static let pageBytes = 4096
    private static let tuning = StorageTuning(
        writeBufferBytes: 64 << 10, flushBatchBytes: 16 << 10, openSegments: 3)

    private func open(_ fileSystem: any StorageFileSystem, _ folder: String) throws -> SliceStore {
        let store = try SliceStore.open(
            folder: folder, fileSystem: fileSystem, identity: testIdentity, partitions: [0],
            tuning: Self.tuning)
        _ = try store.recover(0)
        return store
    }

    private func address(_ page: UInt64) -> PageAddress {
        PageAddress(space: 9, partition: 0, page: page)
    }

    /// Pages near each other and far apart, over several segments.
    private func somePage(_ random: inout SeededRandom) -> UInt64 {
        let far = Layout.segmentBytes / UInt64(Self.pageBytes)
        return UInt64(random.below(300)) + (random.chance(0.3) ? far * UInt64(random.below(3)) : 0)
    }

    private func write(
        _ store: SliceStore, _ truth: inout [UInt64: Bytes], _ random: inout SeededRandom
    ) throws {
        let page = somePage(&random)
        let bytes = pattern(64, seed: random.next())
        let offset = random.below(Self.pageBytes - 64)
        try store.write(bytes, at: offset, of: address(page), pageBytes: Self.pageBytes)
        truth[page, default: Bytes(zeros: Self.pageBytes)].replace(at: offset, with: bytes)
    }

    private func expect(_ store: SliceStore, holds truth: [UInt64: Bytes]) throws {
        for (page, bytes) in truth {
            try #require(
                try store.readPage(address(page), pageBytes: Self.pageBytes) == bytes, "\(page)")
        }
    }

    @Test("Writes and flushes go on while it is copied", arguments: 0..<6)
    func whileWriting(seed: Int) throws {
        let fileSystem = MemoryFileSystem()
        let store = try open(fileSystem, "/data")
        var random = SeededRandom(seed: UInt64(seed))
        var truth: [UInt64: Bytes] = [:]
        for round in 0..<600 {
            try write(store, &truth, &random)
            if round % 90 == 89 { try store.flush(0) }
        }
        let atCut = truth
        // Most of what is overwritten meanwhile is in segments that the copy has not reached.
        let bytes = try store.snapshot(0, state: Bytes(utf8: "state"), into: "/snapshot") {
            for round in 0..<400 {
                try! write(store, &truth, &random)
                if round % 60 == 59 { try! store.flush(0) }
            }
        }
        #expect(bytes > UInt64(atCut.count * Self.pageBytes))
        for _ in 0..<50 { try write(store, &truth, &random) }
        try expect(store, holds: truth)

        let restored = try open(fileSystem, "/restored")
        #expect(try restored.restore(0, from: "/snapshot") == UInt64(atCut.count))
        try expect(restored, holds: atCut)
        fileSystem.endProcess()
        let again = try SliceStore.open(
            folder: "/restored", fileSystem: fileSystem, identity: testIdentity, partitions: [0])
        #expect(try again.recover(0).snapshot == Bytes(utf8: "state"))
        try expect(again, holds: atCut)
    }

    @Test("Threads that write and flush beside it do not get into it")
    func threads() throws {
        let scratch = Scratch(.linux)
        let store = try open(scratch.fileSystem, scratch.path("slice"))
        var random = SeededRandom(seed: 5)
        var truth: [UInt64: Bytes] = [:]
        for _ in 0..<3000 { try write(store, &truth, &random) }
        try store.flush(0)
        let isDone = Atomic(false)
        let wasCut = Atomic(false)
        let after = Mutex(truth)
        let writer = DispatchWorkItem {
            var random = SeededRandom(seed: 6)
            while !wasCut.load(ordering: .acquiring) {}
            while !isDone.load(ordering: .acquiring) {
                after.withLock { truth in
                    for _ in 0..<20 { try! write(store, &truth, &random) }
                }
                try! store.flush(0)
            }
        }
        DispatchQueue.global().async(execute: writer)
        _ = try store.snapshot(0, state: Bytes(), into: scratch.path("snapshot")) {
            wasCut.store(true, ordering: .releasing)
        }
        isDone.store(true, ordering: .releasing)
        writer.wait()
        try expect(store, holds: after.withLock { $0 })
        let restored = try open(scratch.fileSystem, scratch.path("restored"))
        _ = try restored.restore(0, from: scratch.path("snapshot"))
        try expect(restored, holds: truth)
    }

    @Test("An interrupted or damaged snapshot is refused, and hurts nothing")
    func damaged() throws {
        let fileSystem = MemoryFileSystem()
        let store = try open(fileSystem, "/data")
        var random = SeededRandom(seed: 8)
        var truth: [UInt64: Bytes] = [:]
        for _ in 0..<60 { try write(store, &truth, &random) }
        try store.flush(0)
        let size = try store.snapshot(0, state: Bytes(utf8: "s"), into: "/snapshot") {}
        let path = SliceStore.snapshotFile(0, in: "/snapshot")
        for trial in 0..<200 {
            let copy = fileSystem.copy()
            let file = try copy.open(path, create: false)
            if trial % 4 == 0 {
                try file.resize(to: UInt64(random.below(Int(size))))
            } else {
                let position = UInt64(random.below(Int(size)))
                let old = try file.read(at: position, count: 1)[0]
                try file.write(Bytes([old ^ 1 << UInt8(random.below(8))]), at: position)
            }
            let restored = try open(copy, "/restored-\(trial)")
            #expect(throws: StorageError.self) { try restored.restore(0, from: "/snapshot") }
        }
        // A disk that fails under the copy ends the copy only.
        for operation in UInt64(1)..<60 {
            fileSystem.failure = InjectedFailure(operation: operation, errno: 5)
            _ = try? store.snapshot(0, state: Bytes(), into: "/other") {}
            fileSystem.failure = nil
            try write(store, &truth, &random)
            try store.flush(0)
        }
        try expect(store, holds: truth)
    }
}
