import LociBase
import LociModel
import Testing

@testable import LociStorage

@Suite("Offline verify finds what is damaged")
struct VerifyTests {
    @Test("A slice that was stopped in order has nothing to tell")
    func clean() throws {
        let slice = try VerifiedSlice()
        let report = try slice.verify()
        #expect(report.findings.isEmpty)
        #expect(report.worst == nil)
        #expect(report.pages >= 8 && report.records >= 6 && report.files >= 9)
        #expect(report.bytes > report.pages * UInt64(Edit.pageBytes))
    }

    @Test("Each of 10,000 flipped bits, in every kind of byte of every kind of file")
    func bitFlips() throws {
        let slice = try VerifiedSlice()
        let classes = try slice.byteClasses()
        let kinds = Set(classes.map(\.name))
        #expect(kinds.count == 12, "\(kinds.sorted())")
        var random = SeededRandom(seed: 17)
        var found: [VerifyFinding.Severity: Int] = [:]
        let flips = 10_000
        var rounds = 0
        var places = (0..<flips).map { classes[$0 % classes.count] }
        while !places.isEmpty {
            // Bits of several pages at once, each of which must be told; all else one by one.
            var group = [places.removeLast()]
            while group.count < 12, let next = places.last, next.page != nil, group[0].page != nil,
                !group.contains(where: { $0.page == next.page })
            {
                group.append(places.removeLast())
            }
            rounds += 1
            let bits = group.map { place in
                (
                    place, place.range.lowerBound + UInt64(random.below(Int(place.range.count))),
                    UInt8(1) << UInt8(random.below(8))
                )
            }
            for (place, position, bit) in bits { try slice.flip(place.path, position, bit) }
            let report = try slice.verify()
            for (place, position, bit) in bits { try slice.flip(place.path, position, bit) }
            for (place, position, bit) in bits {
                guard let finding = report.findings.first(where: { place.explains($0) }) else {
                    Issue.record(
                        "\(place.name): bit \(bit) of byte \(position): \(report.findings)")
                    return
                }
                found[finding.severity, default: 0] += 1
            }
            #expect(report.findings.count >= bits.count)
        }
        #expect(found[.note] == nil)
        #expect(try slice.verify().findings.isEmpty)
        print(
            "\(flips) flipped bits in \(classes.count) places of \(kinds.count) kinds, "
                + "\(rounds) runs, \(found[.damage]!) damage, "
                + "\(found[.repairable]!) repairable, 0 missed"
        )
    }

    @Test("A record that was cut off is told from one that is damaged")
    func tornTail() throws {
        let slice = try VerifiedSlice()
        let log = try slice.files().filter { $0.hasSuffix(".log") }.max()!
        let file = try slice.fileSystem.open(log, create: false)
        let size = try file.size()
        try file.resize(to: size - 5)
        let torn = try #require(try slice.verify().findings.first)
        #expect(torn.kind == .tornTail && torn.severity == .repairable)
        #expect(torn.what.contains("a crash's torn append, or damage"))
        // The first record of the file, which later appends follow.
        try slice.flip(log, UInt64(FileHeader.byteCount + LogFrame.headerBytes), 4)
        let damaged = try #require(try slice.verify().findings.first)
        #expect(damaged.kind == .record && damaged.severity == .damage)
        #expect(damaged.offset == UInt64(FileHeader.byteCount))
    }

    @Test("A page that a flush has torn is repairable, and recovery repairs it")
    func tornFlush() throws {
        var random = SeededRandom(seed: 4)
        var torn = 0
        for round in UInt64(0)..<180 {
            let operation = round % 60 + 1
            let model = SliceModel()
            try model.open()
            try model.append((0..<6).map { _ in Edit(using: &random) })
            try model.checkpoint()
            try model.append((0..<6).map { _ in Edit(using: &random) })
            try model.writePages()
            model.fileSystem.failure = InjectedFailure(
                operation: operation, errno: 5, isSticky: true)
            try? model.flush()
            model.fileSystem.failure = nil
            model.crash(seed: round)
            let report = try SliceVerifier.verify(SliceModel.folder, model.fileSystem)
            #expect((report.worst ?? .note) < .damage, "\(report.findings)")
            torn += report.findings.filter { $0.kind == .page }.count
            model.endProcess()
            try model.open()
        }
        // Which pages a loss of power tears depends on the order of sets, too.
        #expect(torn > 0)
    }

    @Test("A folder in use is refused with a sentence; what is not Loci's, too")
    func refusals() throws {
        let scratch = Scratch(.linux)
        let folder = scratch.path("shard-2")
        let store = try SliceStore.open(
            folder: folder, fileSystem: scratch.fileSystem, identity: testIdentity,
            partitions: [0])
        _ = try store.recover(0)
        for place in [folder, scratch.folder] {
            #expect(throws: StorageError.locked(path: folder)) {
                try SliceVerifier.verify(place, ReadingFileSystem())
            }
        }
        let error = #expect(throws: StorageError.self) {
            try SliceVerifier.verify(folder + "/partition-0/log", ReadingFileSystem())
        }
        #expect(error!.sentence.code == .failedPrecondition)
        _ = store
    }

    @Test("Real files: pages in holes, damage, and nothing is changed by the look")
    func realFiles() throws {
        let scratch = Scratch(.linux)
        let folder = scratch.path("shard-2")
        let pages: [UInt64] = [0, 3, 1 << 21, Layout.segmentBytes / 16384 + 7]
        do {
            let store = try SliceStore.open(
                folder: folder, fileSystem: scratch.fileSystem, identity: testIdentity,
                partitions: [0])
            let end = try store.recover(0).end
            for page in pages {
                try store.write(
                    pattern(16384, seed: page), at: 0, of: address(page), pageBytes: 16384)
            }
            _ = try store.checkpoint(0, at: end, snapshot: Bytes())
        }
        scratch.endProcess()
        let clean = try SliceVerifier.verify(scratch.folder, ReadingFileSystem())
        #expect(clean.pages == UInt64(pages.count) && clean.findings.isEmpty)
        let path = folder + "/partition-0/space-4/0.segment"
        let layout = SegmentLayout(pageBytes: 16384)
        let file = try LinuxFileSystem().open(path, create: false)
        try file.write(Bytes([1]), at: layout.offset(of: 1 << 21) + 9)
        // Bytes where no page was ever written, and a sum that nobody wrote.
        try file.write(Bytes([1]), at: layout.offset(of: 500))
        try file.write(Bytes([1]), at: layout.sumOffset(of: 900))
        var told: [String] = []
        var last: (UInt64, UInt64) = (0, 0)
        let damaged = try SliceVerifier.verify(
            scratch.folder, ReadingFileSystem(), onProgress: { last = ($0, $1) },
            onFinding: { told.append($0.subject) })
        let expected = [500, 900, 1 << 21].map { "page \($0) of space 4" }
        #expect(damaged.findings.map(\.subject) == expected && told == expected)
        #expect(damaged.findings.allSatisfy { $0.severity == .damage && $0.path == path })
        #expect(damaged.findings[2].offset == layout.offset(of: 1 << 21))
        #expect(last.0 == damaged.bytes && last.0 <= last.1)
        #expect(throws: StorageError.self) {
            try ReadingFileSystem().open(path, create: true).write(Bytes([0]), at: 0)
        }
    }

    private func address(_ page: UInt64) -> PageAddress {
        PageAddress(space: 4, partition: 0, page: page)
    }

    @Test("A coordinator's metadata, and shards that changed places")
    func cluster() throws {
        let fileSystem = MemoryFileSystem()
        let store = try MetadataStore(folder: "/data/coordinator", fileSystem: fileSystem)
        try store.store(pattern(500, seed: 1), as: "metadata")
        for shard: ShardIndex in [0, 1] {
            _ = try SliceStore.open(
                folder: "/data/shard-\(shard)", fileSystem: fileSystem,
                identity: SliceIdentity(clusterID: 7, shard: 1 - shard), partitions: [])
        }
        fileSystem.endProcess()
        let path = "/data/coordinator/metadata"
        let size = try fileSystem.open(path, create: false).size()
        for position in stride(from: UInt64(0), to: size, by: 7) {
            let file = try fileSystem.open(path, create: false)
            let old = try file.read(at: position, count: 1)
            try file.write(Bytes([old[0] ^ 8]), at: position)
            let report = try SliceVerifier.verify("/data", fileSystem)
            #expect(report.findings.map(\.kind) == [.metadata, .foreign, .foreign])
            try file.write(old, at: position)
            fileSystem.endProcess()
        }
        let report = try SliceVerifier.verify("/data", fileSystem)
        #expect(report.findings.map(\.kind) == [.foreign, .foreign])
        #expect(report.findings[0].what.contains("the folder's name says shard 0"))
    }
}
