import Glibc
import LociBase
import Testing

@testable import LociStorage

@Suite("Every file system keeps the same promises")
struct FileSystemConformanceTests {
    @Test(
        "What is written is read back, over holes and block borders",
        arguments: FileSystemKind.allCases)
    func readsBack(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let file = try scratch.fileSystem.open(scratch.path("a"), create: true)
        let first = pattern(10_000, seed: 1)
        try file.write(first, at: 3000)
        #expect(try file.size() == 13_000)
        #expect(try file.read(at: 3000, count: 10_000) == first)
        #expect(try file.read(at: 0, count: 3000) == Bytes(zeros: 3000))
        let second = pattern(100, seed: 2)
        try file.write(second, at: 4090)
        #expect(try file.read(at: 4090, count: 100) == second)
        #expect(try file.read(at: 3000, count: 1090) == first.slice(0..<1090))
        #expect(try file.read(at: 4190, count: 10) == first.slice(1190..<1200))
        #expect(try file.read(at: 13_000, count: 0).isEmpty)
    }

    @Test("Reading past the end is an error", arguments: FileSystemKind.allCases)
    func endOfFile(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let file = try scratch.fileSystem.open(scratch.path("a"), create: true)
        try file.write(pattern(100, seed: 1), at: 0)
        #expect(throws: StorageError.self) { try file.read(at: 50, count: 51) }
    }

    @Test(
        "Cut bytes do not come back when the file grows again", arguments: FileSystemKind.allCases)
    func cuts(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let file = try scratch.fileSystem.open(scratch.path("a"), create: true)
        let bytes = pattern(10_000, seed: 1)
        try file.write(bytes, at: 0)
        try file.resize(to: 5000)
        try file.resize(to: 10_000)
        #expect(try file.read(at: 0, count: 5000) == bytes.slice(0..<5000))
        #expect(try file.read(at: 5000, count: 5000) == Bytes(zeros: 5000))
    }

    @Test("A punched range reads as zeros, its borders stay", arguments: FileSystemKind.allCases)
    func punches(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let file = try scratch.fileSystem.open(scratch.path("a"), create: true)
        let bytes = pattern(20_000, seed: 1)
        try file.write(bytes, at: 0)
        try file.punch(at: 1000, count: 15_000)
        #expect(try file.size() == 20_000)
        #expect(try file.read(at: 0, count: 1000) == bytes.slice(0..<1000))
        #expect(try file.read(at: 1000, count: 15_000) == Bytes(zeros: 15_000))
        #expect(try file.read(at: 16_000, count: 4000) == bytes.slice(16_000..<20_000))
    }

    @Test("Names: list, rename over another, remove, trees", arguments: FileSystemKind.allCases)
    func names(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let fileSystem = scratch.fileSystem
        #expect(try fileSystem.list(scratch.path("nothing")) == [])
        #expect(throws: StorageError.io(operation: "open", path: scratch.path("x"), errno: ENOENT))
        {
            try fileSystem.open(scratch.path("x"), create: false)
        }
        #expect(throws: StorageError.self) {
            try fileSystem.open(scratch.path("absent/x"), create: true)
        }
        try fileSystem.createFolder(scratch.path("p/q"))
        try fileSystem.createFolder(scratch.path("p/q"))
        for name in ["b", "a", "p/q/c"] {
            try fileSystem.open(scratch.path(name), create: true).write(Bytes(utf8: name), at: 0)
        }
        #expect(try fileSystem.list(scratch.folder) == ["a", "b", "p"])
        try fileSystem.rename(scratch.path("b"), to: scratch.path("a"))
        #expect(
            try fileSystem.open(scratch.path("a"), create: false).read(at: 0, count: 1).string
                == "b")
        #expect(!fileSystem.exists(scratch.path("b")))
        #expect(throws: StorageError.self) {
            try fileSystem.rename(scratch.path("b"), to: scratch.path("a"))
        }
        try fileSystem.remove(scratch.path("a"))
        try fileSystem.remove(scratch.path("a"))
        try fileSystem.removeTree(scratch.path("p"))
        try fileSystem.removeTree(scratch.path("p"))
        #expect(try fileSystem.list(scratch.folder) == [])
        try fileSystem.syncFolder(scratch.folder)
    }

    @Test(
        "A segment has its full size at once and costs what was written",
        arguments: FileSystemKind.allCases)
    func segments(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let size: UInt64 = 64 << 30
        let path = scratch.path("0.segment")
        #expect(try scratch.fileSystem.openPaged(path, size: size, create: false) === nil)
        #expect(!scratch.fileSystem.exists(path))
        let segment = try #require(
            try scratch.fileSystem.openPaged(path, size: size, create: true))
        let bytes = pattern(4096, seed: 3)
        try segment.write(bytes, at: size - 4096)
        try segment.write(bytes, at: 0)
        let again = try #require(
            try scratch.fileSystem.openPaged(path, size: size, create: false))
        for file in [segment, again] {
            #expect(try file.read(at: size - 4096, count: 4096) == bytes)
            #expect(try file.read(at: 0, count: 4096) == bytes)
            #expect(try file.read(at: 1 << 33, count: 16384) == Bytes(zeros: 16384))
            #expect(try file.size() == size)
        }
        try segment.punch(at: 0, count: 1 << 30)
        #expect(try again.read(at: 0, count: 4096) == Bytes(zeros: 4096))
        try segment.sync()
        #expect(throws: StorageError.self) { try segment.read(at: size - 1, count: 2) }
        #expect(throws: StorageError.self) {
            try scratch.fileSystem.openPaged(path, size: size * 2, create: true)
        }
    }

    @Test("A folder is locked once, until its holder ends", arguments: FileSystemKind.allCases)
    func locks(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        try scratch.fileSystem.lock(scratch.folder)
        #expect(throws: StorageError.locked(path: scratch.folder)) {
            try scratch.fileSystem.lock(scratch.folder)
        }
        scratch.endProcess()
        try scratch.fileSystem.lock(scratch.folder)
    }

    @Test(
        "Data ranges cover every byte that was written and skip far holes",
        arguments: FileSystemKind.allCases)
    func dataRanges(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let file = try scratch.fileSystem.open(scratch.path("a"), create: true)
        try file.resize(to: 1 << 30)
        #expect(try file.dataRanges(in: 0..<(1 << 30)) == [])
        #expect(try file.allocatedBytes() < 1 << 16)
        var random = SeededRandom(seed: 5)
        var written: [Range<UInt64>] = []
        for index in 0..<40 {
            let start = UInt64(index) << 22 + UInt64(random.below(1 << 20))
            let count = 1 + random.below(50_000)
            try file.write(pattern(count, seed: UInt64(index)), at: start)
            written.append(start..<(start + UInt64(count)))
        }
        try file.punch(at: 7 << 22, count: 1 << 22)
        written.remove(at: 7)
        for range in [0..<(1 << 30), written[3].lowerBound + 5..<written[20].upperBound - 5] {
            let found = try file.dataRanges(in: range)
            for (left, right) in zip(found, found.dropFirst()) {
                #expect(left.upperBound < right.lowerBound)
            }
            for part in written where part.overlaps(range) {
                let inside = part.clamped(to: range)
                #expect(
                    found.contains {
                        $0.lowerBound <= inside.lowerBound && $0.upperBound >= inside.upperBound
                    })
            }
            #expect(found.allSatisfy { $0.lowerBound >= range.lowerBound && !$0.isEmpty })
            #expect(found.allSatisfy { $0.upperBound <= range.upperBound })
            #expect(found.reduce(0) { $0 + $1.count } < 3 << 20)
        }
        #expect(try file.dataRanges(in: (7 << 22)..<(8 << 22)) == [])
        #expect(try file.dataRanges(in: (1 << 30)..<(1 << 31)) == [])
        let bytes = written.reduce(0) { $0 + UInt64($1.count) }
        try file.sync()
        #expect((bytes..<(bytes + 1 << 19)).contains(try file.allocatedBytes()))
    }
}
