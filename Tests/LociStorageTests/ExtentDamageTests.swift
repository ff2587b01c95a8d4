import LociBase
import LociModel
import Testing

@testable import LociStorage

@Suite("Cold extents that are damaged, lost or left over")
struct ExtentDamageTests {
    private let stage = ExtentStage()

    /// A slice with 64 cold pages and one that is not, checkpointed.
    private func build(_ scratch: Scratch) throws {
        let store = try stage.open(scratch)
        try stage.write(0..<65, store)
        #expect(try stage.move(stage.extent, cold: true, store) == .moved(pages: 64))
        _ = try store.checkpoint(0, at: store.append([], to: 0), snapshot: Bytes())
    }

    private func reopened(_ scratch: Scratch) throws -> SliceStore {
        scratch.endProcess()
        return try stage.open(scratch)
    }

    @Test("A lost extent is damage to its pages alone, and comes back with its file")
    func missing() throws {
        let scratch = Scratch(.memory)
        try build(scratch)
        let path = stage.extentFile(scratch)
        let bytes = try stage.content(path, scratch.fileSystem)
        try scratch.fileSystem.remove(path)
        do {
            let store = try reopened(scratch)
            let error = #expect(throws: StorageError.self) {
                try store.readPage(stage.address(3), pageBytes: stage.pageBytes)
            }
            guard case .damagedPage(stage.address(3), path, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(error!.sentence.code == .dataLoss && store.counts.damagedPages == 1)
            try stage.check(64..<65, store, from: .ssd)
            // What is written anew is there; the rest stays what it is, and nothing covers it up.
            try stage.write(5..<6, store)
            #expect(try stage.move(stage.extent, cold: true, store) == .damaged)
            #expect(try stage.move(stage.extent, cold: false, store) == .damaged)
            try stage.check(5..<6, store, from: .ssd)
        }
        try scratch.fileSystem.open(path, create: true).write(bytes, at: 0)
        let store = try reopened(scratch)
        try stage.check(0..<5, store, from: .hdd)
        #expect(try stage.move(stage.extent, cold: false, store) == .moved(pages: 63))
        try stage.check(0..<65, store, from: .ssd)
    }

    @Test("Without its disk a slice does not start, and writes nothing over what it cannot see")
    func missingTier() throws {
        let scratch = Scratch(.memory)
        try build(scratch)
        let path = scratch.path("slow/shard-2/identity")
        let identity = try stage.content(path, scratch.fileSystem)
        let extent = try stage.content(stage.extentFile(scratch), scratch.fileSystem)
        do {
            let store = try reopened(scratch)
            try scratch.fileSystem.removeTree(scratch.path("slow"))
            #expect(throws: StorageError.missingTier(path: path)) {
                try store.readPage(stage.address(3), pageBytes: stage.pageBytes)
            }
            #expect(throws: StorageError.missingTier(path: path)) {
                try store.write(
                    Bytes(utf8: "part"), at: 0, of: stage.address(3), pageBytes: stage.pageBytes)
            }
            #expect(throws: StorageError.missingTier(path: path)) {
                try store.demote(
                    ExtentAddress(space: 4, partition: 0, number: 1), pageBytes: stage.pageBytes)
            }
            #expect(store.counts.lostWrites == 0 && store.counts.damagedPages == 0)
            try stage.check(64..<65, store, from: .ssd)
        }
        scratch.endProcess()
        #expect(throws: StorageError.missingTier(path: path)) { try stage.open(scratch) }
        scratch.endProcess()
        #expect(throws: StorageError.self) { try stage.open(scratch, hasTier: false) }
        try scratch.fileSystem.createFolder(scratch.path("slow/shard-2/cold-0/space-4"))
        try scratch.fileSystem.open(path, create: true).write(identity, at: 0)
        try scratch.fileSystem.open(stage.extentFile(scratch), create: true).write(extent, at: 0)
        try stage.check(0..<64, try reopened(scratch), from: .hdd)
    }

    @Test("The tier of another shard is refused")
    func foreignTier() throws {
        let scratch = Scratch(.memory)
        try build(scratch)
        let backend = FolderBackend(
            folder: scratch.path("slow/shard-2"), fileSystem: scratch.fileSystem)
        let error = #expect(throws: StorageError.self) {
            try SliceStore.open(
                folder: scratch.path("other"), fileSystem: scratch.fileSystem,
                identity: SliceIdentity(clusterID: testIdentity.clusterID, shard: 9),
                partitions: [0], coldTier: ColdTier(backend: backend))
        }
        guard case .foreign = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("A flipped bit in an extent is damage to the pages that it concerns, never wrong bytes")
    func bitFlips() throws {
        let scratch = Scratch(.memory)
        try build(scratch)
        let memory = scratch.fileSystem as! MemoryFileSystem
        let path = stage.extentFile(scratch)
        let bytes = try stage.content(path, memory)
        let tableBytes = ExtentTable.byteCount(stage.extent, pageBytes: stage.pageBytes)
        var random = SeededRandom(seed: 4)
        for flip in 0..<80 {
            // Every other flip hits the table or the header.
            let position = random.below(flip % 2 == 0 ? bytes.count : tableBytes)
            let copy = memory.copy()
            let flipped = Bytes([bytes[position] ^ (1 << UInt8(random.below(8)))])
            try copy.open(path, create: false).write(flipped, at: UInt64(position))
            let store = try stage.open(in: scratch.folder, copy)
            let requests = (UInt64(0)..<65).map {
                PageRequest(address: stage.address($0), pageBytes: stage.pageBytes)
            }
            var damaged = 0
            for (page, answer) in store.readPages(requests, into: HeapPageMemory()).enumerated() {
                switch answer {
                case .loaded(let found, _): try #require(found == stage.text(UInt64(page)))
                case .failed(.damagedPage(stage.address(UInt64(page)), path, _)): damaged += 1
                default: Issue.record("\(answer)")
                }
            }
            #expect(damaged == (position < tableBytes ? 64 : 1), "byte \(position)")
        }
    }

    @Test("A cut extent is damage too, and an extent in another's place is none of it")
    func cutAndSwapped() throws {
        let scratch = Scratch(.memory)
        try build(scratch)
        let memory = scratch.fileSystem as! MemoryFileSystem
        let path = stage.extentFile(scratch)
        let size = UInt64(try stage.content(path, memory).count)
        for step in UInt64(0)..<20 {
            let copy = memory.copy()
            try copy.open(path, create: false).resize(to: size * step / 20)
            let store = try stage.open(in: scratch.folder, copy)
            let error = #expect(throws: StorageError.self) {
                try store.readPage(stage.address(63), pageBytes: stage.pageBytes)
            }
            #expect(error!.isDamage, "\(String(describing: error))")
        }
        do {
            let store = try reopened(scratch)
            try stage.write(64..<128, store)
            let second = ExtentAddress(space: 4, partition: 0, number: 1)
            #expect(try stage.move(second, cold: true, store) == .moved(pages: 64))
        }
        let other = scratch.path("slow/shard-2/cold-0/space-4/1.extent")
        let bytes = try stage.content(other, memory)
        try memory.open(path, create: false).resize(to: 0)
        try memory.open(path, create: false).write(bytes, at: 0)
        let store = try reopened(scratch)
        let error = #expect(throws: StorageError.self) {
            try store.readPage(stage.address(0), pageBytes: stage.pageBytes)
        }
        #expect(error!.isDamage)
    }

    @Test("A damaged page in a segment keeps its extent where it is")
    func damagedWarmPage() throws {
        let scratch = Scratch(.memory)
        let store = try stage.open(scratch)
        try stage.write(0..<64, store)
        let segment = scratch.path("slice/partition-0/space-4/0.segment")
        try scratch.fileSystem.open(segment, create: false).write(Bytes([1, 2, 3]), at: 5 * 16384)
        #expect(try stage.move(stage.extent, cold: true, store) == .damaged)
        #expect(store.migrationCounts.skippedExtents == 1)
        try stage.check(0..<5, store, from: .ssd)
        try stage.check(6..<64, store, from: .ssd)
        try stage.write(5..<6, store)
        #expect(try stage.move(stage.extent, cold: true, store) == .moved(pages: 64))
        try stage.check(0..<64, store, from: .hdd)
    }

    @Test("What interrupted moves and dropped spaces left is swept away, and nothing else")
    func sweep() throws {
        let scratch = Scratch(.memory)
        try build(scratch)
        let tier = scratch.path("slow/shard-2/cold-0")
        let fileSystem = scratch.fileSystem
        try fileSystem.createFolder(tier + "/space-9")
        for name in ["space-4/0.extent.new", "space-4/77.extent", "space-9/0.extent"] {
            try fileSystem.open(tier + "/" + name, create: true).write(
                pattern(5000, seed: 1), at: 0)
        }
        let store = try reopened(scratch)
        try store.sweepColdTier(0)
        #expect(store.migrationCounts.orphans == 3)
        #expect(try allFiles(fileSystem, tier).filter { $0.contains("extent") }.count == 1)
        let size = try stage.content(stage.extentFile(scratch), fileSystem).count
        #expect(try store.occupancy().hddBytes == UInt64((size + 4095) / 4096 * 4096))
        try stage.check(0..<64, store, from: .hdd)
        store.drop(space: 4, partition: 0)
        _ = try store.checkpoint(0, at: store.append([Bytes()], to: 0), snapshot: Bytes())
        #expect(try allFiles(fileSystem, tier).filter { $0.contains("extent") }.isEmpty)
        let left = try store.occupancy()
        #expect(left.hddBytes == 0 && left.ssdBytes == 0)
        #expect(try store.storedExtents(from: nil, limit: 9).extents.isEmpty)
    }

    @Test("A snapshot has cold pages too, as they were at its cut")
    func snapshot() throws {
        let scratch = Scratch(.memory)
        try build(scratch)
        let store = try reopened(scratch)
        let folder = scratch.path("copy")
        _ = try store.snapshot(0, state: Bytes(utf8: "state"), into: folder) {
            for page in UInt64(0)..<8 {
                try! store.write(
                    pattern(stage.pageBytes, seed: page), at: 0, of: stage.address(page),
                    pageBytes: stage.pageBytes)
            }
            try! store.flush(0)
        }
        let fresh = try SliceStore.open(
            folder: scratch.path("restored"), fileSystem: scratch.fileSystem,
            identity: testIdentity, partitions: [0])
        _ = try fresh.recover(0)
        #expect(try fresh.restore(0, from: folder) == 65)
        try stage.check(0..<65, fresh, from: .ssd)
        #expect(
            try store.readPage(stage.address(3), pageBytes: stage.pageBytes)
                == pattern(stage.pageBytes, seed: 3))
    }
}
