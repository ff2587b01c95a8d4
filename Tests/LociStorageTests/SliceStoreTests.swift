import Dispatch
import LociBase
import LociModel
import Synchronization
import Testing

@testable import LociStorage

@Suite("A slice keeps pages and records")
struct SliceStoreTests {
    private func open(_ scratch: Scratch, _ partitions: [PartitionIndex] = [0, 1]) throws
        -> SliceStore
    {
        try SliceStore.open(
            folder: scratch.path("slice"), fileSystem: scratch.fileSystem, identity: testIdentity,
            partitions: partitions)
    }

    private func address(_ page: UInt64, partition: PartitionIndex = 0) -> PageAddress {
        PageAddress(space: 4, partition: partition, page: page)
    }

    @Test(
        "Records come back in order after a kill, from the checkpoint on",
        arguments: FileSystemKind.allCases)
    func recovers(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        var ends: [LSN] = []
        do {
            let store = try open(scratch)
            let fresh = try store.recover(0)
            #expect(
                fresh.snapshot == nil && fresh.records.isEmpty && fresh.snapshotLSN == fresh.end)
            ends.append(try store.append([Bytes(utf8: "one"), Bytes(), Bytes(utf8: "two")], to: 0))
            ends.append(try store.append([pattern(300_000, seed: 1)], to: 0))
            #expect(store.logBytes(0) == ends[1] - fresh.end)
            #expect(try store.append([], to: 0) == ends[1])
        }
        scratch.endProcess()
        do {
            let store = try open(scratch)
            #expect(store.incarnation == 2)
            let found = try store.recover(0)
            #expect(found.end == ends[1])
            #expect(
                found.records.map(\.payload) == [
                    Bytes(utf8: "one"), Bytes(), Bytes(utf8: "two"), pattern(300_000, seed: 1),
                ])
            #expect(found.records[2].end == ends[0])
            let remaining = try store.checkpoint(0, at: ends[0], snapshot: Bytes(utf8: "state"))
            #expect(remaining == ends[1] - ends[0])
            _ = try store.append([Bytes(utf8: "three")], to: 0)
        }
        scratch.endProcess()
        let found = try open(scratch).recover(0)
        #expect(found.snapshot == Bytes(utf8: "state") && found.snapshotLSN == ends[0])
        #expect(found.records.map(\.payload) == [pattern(300_000, seed: 1), Bytes(utf8: "three")])
    }

    @Test("Never written is zero and makes no file", arguments: FileSystemKind.allCases)
    func zeros(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let store = try open(scratch)
        _ = try store.recover(0)
        let before = try allFiles(scratch.fileSystem, scratch.folder)
        #expect(try store.readPage(address(1 << 30), pageBytes: 16384) == Bytes(zeros: 16384))
        try store.flush(0)
        #expect(try allFiles(scratch.fileSystem, scratch.folder) == before)
    }

    @Test(
        "Parts of pages, in the buffer and in segments, and dropped spaces",
        arguments: FileSystemKind.allCases)
    func pages(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let store = try open(scratch)
        _ = try store.recover(0)
        _ = try store.recover(1)
        let perSegment = Layout.segmentBytes / 4096
        let pages = [0, 1, perSegment - 1, perSegment, perSegment + 1]
        for page in pages {
            try store.write(pattern(100, seed: page), at: 3996, of: address(page), pageBytes: 4096)
        }
        try store.write(pattern(8, seed: 9), at: 0, of: address(0, partition: 1), pageBytes: 4096)
        for isFlushed in [false, true] {
            if isFlushed { try store.flush(0) }
            for page in pages {
                let bytes = try store.readPage(address(page), pageBytes: 4096)
                #expect(bytes.slice(3996..<4096) == pattern(100, seed: page))
                #expect(bytes.slice(0..<3996) == Bytes(zeros: 3996))
            }
        }
        let end = try store.append([Bytes(utf8: "drop")], to: 0)
        store.drop(space: 4, partition: 0)
        store.drop(space: 4, partition: 0)
        #expect(try store.readPage(address(0), pageBytes: 4096) == Bytes(zeros: 4096))
        let folder = scratch.path("slice/partition-0/space-4")
        #expect(try scratch.fileSystem.list(folder).count == 2)
        _ = try store.checkpoint(0, at: end, snapshot: Bytes())
        #expect(try scratch.fileSystem.list(folder).isEmpty)
        #expect(try store.readPage(address(0), pageBytes: 4096) == Bytes(zeros: 4096))
        let other = try store.readPage(address(0, partition: 1), pageBytes: 4096)
        #expect(other.slice(0..<8) == pattern(8, seed: 9))
    }

    @Test("A folder in use is refused", arguments: FileSystemKind.allCases)
    func locked(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let store = try open(scratch)
        #expect(throws: StorageError.locked(path: scratch.path("slice"))) {
            switch kind {
            case .linux, .buffered, .direct, .ring:
                try SliceStore.open(
                    folder: scratch.path("slice"), fileSystem: LinuxFileSystem(),
                    identity: testIdentity, partitions: [])
            case .memory: try open(scratch)
            }
        }
        #expect(store.incarnation == 1)
    }

    @Test("Checkpoints bound the log on disk")
    func logIsBounded() throws {
        let fileSystem = MemoryFileSystem()
        let tuning = StorageTuning(logFileBytes: 8192, checkpointFileBytes: 4096)
        let store = try SliceStore.open(
            folder: "/data", fileSystem: fileSystem, identity: testIdentity, partitions: [0],
            tuning: tuning)
        _ = try store.recover(0)
        var largest = 0
        for round in 0..<100 {
            var end: LSN = 0
            for _ in 0..<4 { end = try store.append([Bytes(zeros: 1000)], to: 0) }
            let behind = round % 2 == 0 ? LSN(1032) : 0
            _ = try store.checkpoint(0, at: end - behind, snapshot: Bytes())
            largest = max(largest, try fileSystem.list("/data/partition-0/log").count)
        }
        #expect(largest <= 3)
        #expect(
            try fileSystem.list("/data/partition-0").filter { $0.hasPrefix("state-") }.count == 1)
        #expect(fileSystem.usedBytes < 100_000)
    }

    @Test("A write beside the making of its segment is not taken for one to a damaged page")
    func writesWhileSegmentsAreMade() throws {
        let scratch = Scratch(.linux)
        let store = try open(scratch, [0])
        _ = try store.recover(0)
        let perSegment = Layout.segmentBytes / 4096
        let round = Atomic<UInt64>(0)
        let isDone = Atomic(false)
        let flusher = DispatchWorkItem {
            for number in UInt64(1)...150 {
                let place = address(number * perSegment)
                try! store.write(Bytes([1]), at: 9, of: place, pageBytes: 4096)
                round.store(number, ordering: .releasing)
                try! store.flush(0)
            }
            isDone.store(true, ordering: .releasing)
        }
        DispatchQueue.global().async(execute: flusher)
        var written: [PageAddress] = []
        var inSegment: (UInt64, count: Int) = (0, 0)
        while !isDone.load(ordering: .acquiring) {
            let segment = max(1, round.load(ordering: .acquiring))
            if inSegment.0 != segment { inSegment = (segment, 0) }
            inSegment.count += 1
            if inSegment.count > 20 { continue }
            let place = address(segment * perSegment + UInt64(written.count + 1))
            try store.write(Bytes([1]), at: 9, of: place, pageBytes: 4096)
            written.append(place)
        }
        flusher.wait()
        #expect(store.counts.lostWrites == 0)
        for place in written {
            try #require(try store.readPage(place, pageBytes: 4096)[9] == 1, "\(place)")
        }
    }

    @Test("Many threads read, write and append at once")
    func threads() async throws {
        let scratch = Scratch(.linux)
        let store = try SliceStore.open(
            folder: scratch.path("slice"), fileSystem: scratch.fileSystem, identity: testIdentity,
            partitions: [0], tuning: StorageTuning(openSegments: 2))
        _ = try store.recover(0)
        let perSegment = Layout.segmentBytes / 4096
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in UInt64(0)..<4 {
                group.addTask {
                    for round in UInt64(0)..<20 {
                        let place = PageAddress(
                            space: 4, partition: 0, page: round % 5 * perSegment + worker)
                        let bytes = pattern(4096, seed: worker << 32 | round)
                        try store.write(bytes, at: 0, of: place, pageBytes: 4096)
                        #expect(try store.readPage(place, pageBytes: 4096) == bytes)
                        let end = try store.append([bytes], to: 0)
                        if worker == 0 && round % 7 == 6 {
                            _ = try store.checkpoint(0, at: end, snapshot: Bytes())
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        try store.flush(0)
        #expect(try scratch.fileSystem.list(scratch.path("slice/partition-0/space-4")).count == 5)
    }
}
