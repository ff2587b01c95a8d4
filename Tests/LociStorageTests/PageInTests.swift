import CLinux
import Glibc
import LociBase
import Synchronization
import Testing

@testable import LociStorage

@Suite("Page-ins in batches")
struct PageInTests {
    private static let pageBytes = 16384
    private static let size: UInt64 = 1 << 30

    /// Writes every other page of the first `count`.
    private func segment(_ scratch: Scratch, pages count: Int) throws -> any StorageFile {
        let file = try #require(
            try scratch.fileSystem.openPaged(
                scratch.path("0.segment"), size: Self.size, create: true))
        for page in stride(from: 0, to: count, by: 2) {
            try file.write(content(page), at: UInt64(page * Self.pageBytes))
        }
        return file
    }

    private static let contents = (0..<64).map { pattern(pageBytes, seed: UInt64($0)) }

    private func content(_ page: Int) -> Bytes { Self.contents[page % 64] }

    private func expected(_ page: Int) -> Bytes {
        page % 2 == 0 ? content(page) : Bytes(zeros: Self.pageBytes)
    }

    private func read(_ file: any StorageFile, _ page: Int) -> PagedRead {
        PagedRead(file: file, offset: UInt64(page * Self.pageBytes), count: Self.pageBytes)
    }

    @Test(
        "Answers come in the order of the reads, holes and repeated pages too, however many",
        arguments: FileSystemKind.allCases)
    func order(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let file = try segment(scratch, pages: 64)
        let checksums = (0..<64).map { expected($0).checksum() }
        var random = SeededRandom(seed: 3)
        for count in [0, 1, 2, 127, 128, 129, 700] {
            let pages = (0..<count).map { _ in random.below(80) }
            let answers = scratch.fileSystem.readPaged(
                pages.map { $0 < 64 ? read(file, $0) : read(file, 10_001) },
                into: HeapPageMemory())
            #expect(answers.count == count)
            for (page, answer) in zip(pages, answers) {
                #expect(try answer.get().checksum() == checksums[page < 64 ? page : 1])
            }
        }
    }

    @Test(
        "Reads of any size and place, unaligned ones among aligned ones",
        arguments: FileSystemKind.allCases)
    func anyPlace(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let file = try segment(scratch, pages: 16)
        let whole = Bytes.joined((0..<16).map { expected($0) })
        var random = SeededRandom(seed: 9)
        var ranges: [Range<Int>] = []
        for _ in 0..<200 {
            let unit = [1, 512, 4096, 16384].randomElement(using: &random)!
            let start = random.below(whole.count / unit) * unit
            let count = min(whole.count - start, random.below(6 * unit))
            ranges.append(start..<(start + count))
        }
        let answers = scratch.fileSystem.readPaged(
            ranges.map { PagedRead(file: file, offset: UInt64($0.lowerBound), count: $0.count) },
            into: HeapPageMemory())
        for (range, answer) in zip(ranges, answers) {
            let bytes = try answer.get()
            #expect(bytes.count == range.count)
            #expect(bytes.checksum() == whole.slice(range).checksum())
        }
    }

    @Test(
        "A bad read among good ones is an error of its own, and the last page can be read",
        arguments: FileSystemKind.allCases)
    func oneBad(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let file = try segment(scratch, pages: 8)
        let last = Int(Self.size) / Self.pageBytes - 1
        try file.write(content(last), at: UInt64(last * Self.pageBytes))
        let beyond = PagedRead(
            file: file, offset: Self.size - UInt64(Self.pageBytes) + 4096, count: Self.pageBytes)
        let answers = scratch.fileSystem.readPaged(
            [read(file, 0), beyond, read(file, 2), read(file, last + 5), read(file, last)],
            into: HeapPageMemory())
        for (index, page) in [(0, 0), (2, 2), (4, last)] {
            #expect(try answers[index].get() == content(page))
        }
        for index in [1, 3] {
            #expect(throws: StorageError.self) { try answers[index].get() }
        }
    }

    @Test(
        "A file that others cut short: an error for what is gone, the bytes of what is there",
        arguments: FileSystemKind.machine)
    func cutShort(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let file = try segment(scratch, pages: 8)
        try file.sync()
        let path = scratch.path("0.segment")
        // In the middle of page 2, at the border of a block and then not.
        for cut in [2 * Self.pageBytes + 8192, 2 * Self.pageBytes + 5000] {
            try scratch.fileSystem.open(path, create: false).resize(to: UInt64(cut))
            let answers = scratch.fileSystem.readPaged(
                [read(file, 0), read(file, 2), read(file, 1), read(file, 6), read(file, 60_000)],
                into: HeapPageMemory())
            #expect(try answers[0].get() == content(0))
            #expect(try answers[2].get() == Bytes(zeros: Self.pageBytes))
            for index in [3, 4] {
                #expect(throws: StorageError.self) { try answers[index].get() }
            }
            // A mapping shows zeros up to the end of the last block of the kernel's pages.
            #expect(throws: StorageError.self) { try answers[1].get() }
        }
    }

    @Test(
        "A page that was written is read back as written, from any thread, synced or not",
        arguments: FileSystemKind.allCases)
    func coherence(kind: FileSystemKind) throws {
        let scratch = Scratch(kind)
        let pages = VersionedPages(try segment(scratch, pages: 2), scratch.fileSystem)
        for page in 0..<VersionedPages.count { try pages.advance(page) }
        let checked = Atomic(0)
        inThreads(4) { thread in
            var random = SeededRandom(seed: UInt64(thread))
            for round in 0..<60 {
                do {
                    // Each thread writes its own pages, which lie beside the others'.
                    try pages.advance(random.below(VersionedPages.count / 4) * 4 + thread)
                    checked.add(
                        try pages.check((0..<8).map { _ in random.below(VersionedPages.count) }),
                        ordering: .relaxed)
                    if round % 20 == 19 { try pages.file.sync() }
                } catch {
                    Issue.record(error)
                }
            }
        }
        #expect(checked.load(ordering: .relaxed) == 4 * 60 * 8)
    }

    @Test("Pages that are read past the page cache leave nothing in it, nor do writes after a sync")
    func noSecondCopy() throws {
        for kind in [FileSystemKind.direct, .ring] {
            let scratch = Scratch(kind)
            let file = try segment(scratch, pages: 64)
            let path = scratch.path("0.segment")
            #expect(try residentBytes(path, 64 * Self.pageBytes) > 0)
            try file.sync()
            _ = scratch.fileSystem.readPaged(
                (0..<64).map { read(file, $0) }, into: HeapPageMemory())
            #expect(try residentBytes(path, 64 * Self.pageBytes) == 0)
        }
    }

    @Test("What the device reads in parts comes together")
    func parts() throws {
        let scratch = Scratch(.ring)
        let segment = try #require(try segment(scratch, pages: 16) as? UnmappedSegment)
        let direct = try #require(segment.direct)
        for partBytes in [4096, 8192, 12288] {
            let ring = try #require(Ring(partBytes: partBytes))
            let target = UnsafeMutableRawBufferPointer.allocate(
                byteCount: 4 * Self.pageBytes, alignment: 4096)
            defer { target.deallocate() }
            target.initializeMemory(as: UInt8.self, repeating: 0xAA)
            let reads = (0..<4).map { index in
                let start = index * Self.pageBytes
                return Ring.Read(
                    segment: segment, direct: direct, offset: UInt64(2 * start),
                    target: .init(rebasing: target[start..<(start + Self.pageBytes)]))
            }
            #expect(ring.perform(reads) == [nil, nil, nil, nil])
            let whole = Bytes(Array(target))
            #expect(whole == Bytes.joined((0..<4).map { content(2 * $0) }))
        }
    }

    @Test("A file system without reads past the page cache is read through it")
    func memoryFileSystem() throws {
        var template = Array("/dev/shm/loci-storage-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return print("There is no /dev/shm to test on.") }
        let folder = String(decoding: template.dropLast().map { UInt8($0) }, as: UTF8.self)
        for kind in PageInKind.allCases {
            let fileSystem = LinuxFileSystem(pageIn: kind)
            defer { try? fileSystem.removeTree(folder) }
            try fileSystem.createFolder(folder)
            let file = try #require(
                try fileSystem.openPaged(folder + "/0.segment", size: Self.size, create: true))
            try file.write(content(5), at: UInt64(5 * Self.pageBytes))
            let answers = fileSystem.readPaged(
                [read(file, 4), read(file, 5)], into: HeapPageMemory())
            #expect(try answers[0].get() == Bytes(zeros: Self.pageBytes))
            #expect(try answers[1].get() == content(5))
        }
    }

    @Test("Where the kernel gives no ring, pages are read past the page cache without one")
    func withoutRing() async {
        await #expect(processExitsWith: .success) {
            let scratch = Scratch(.linux)
            // No further descriptor, so no ring either.
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(7), &limit)
            let before = limit
            let next = dup(0)
            close(next)
            limit.rlim_cur = rlim_t(next)
            setrlimit(__rlimit_resource_t(7), &limit)
            let fileSystem = LinuxFileSystem(pageIn: .ring)
            limit = before
            setrlimit(__rlimit_resource_t(7), &limit)
            precondition(fileSystem.effectiveKind == .direct)
            let file = try fileSystem.openPaged(scratch.path("s"), size: 1 << 20, create: true)!
            try file.write(pattern(4096, seed: 1), at: 8192)
            let answers = fileSystem.readPaged(
                [PagedRead(file: file, offset: 8192, count: 4096)], into: HeapPageMemory())
            let found = try answers[0].get()
            precondition(found == pattern(4096, seed: 1))
            precondition(LinuxFileSystem(pageIn: .ring).effectiveKind == .ring)
        }
    }
}

/// Pages whose every word is the page's number and how often it was written.
private final class VersionedPages: Sendable {
    static let count = 24
    private static let pageBytes = 16384

    let file: any StorageFile
    private let fileSystem: any StorageFileSystem
    /// Versions whose writes have returned.
    private let versions = Mutex(Array(repeating: UInt64(0), count: VersionedPages.count))

    init(_ file: any StorageFile, _ fileSystem: any StorageFileSystem) {
        self.file = file
        self.fileSystem = fileSystem
    }

    /// Writes a page's next version, which must be what is read then. One thread at a time per
    /// page.
    func advance(_ page: Int) throws {
        let version = versions.withLock { $0[page] } + 1
        let words = Array(repeating: UInt64(page) << 32 | version, count: Self.pageBytes / 8)
        let offset = UInt64(page * Self.pageBytes)
        try file.write(Bytes(values: words), at: offset)
        versions.withLock { $0[page] = version }
        let found = try file.read(at: offset, count: Self.pageBytes, into: HeapPageMemory())
        #expect(found.values() == words)
    }

    /// Reads pages that others may be writing: every word is as new as what was there before.
    func check(_ pages: [Int]) throws -> Int {
        let least = versions.withLock { all in pages.map { all[$0] } }
        let answers = fileSystem.readPaged(
            pages.map {
                PagedRead(file: file, offset: UInt64($0 * Self.pageBytes), count: Self.pageBytes)
            }, into: HeapPageMemory())
        for (index, answer) in answers.enumerated() {
            let words = try answer.get().values(UInt64.self)
            #expect(words.allSatisfy { $0 >> 32 == UInt64(pages[index]) })
            #expect(words.allSatisfy { $0 & 0xFFFF_FFFF >= least[index] })
        }
        return answers.count
    }
}

/// Runs work that blocks on threads of its own, and waits for all.
private func inThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    final class Work {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }
    var threads: [pthread_t] = []
    for index in 0..<count {
        var thread = pthread_t()
        let work = Unmanaged.passRetained(Work { body(index) })
        pthread_create(
            &thread, nil,
            { pointer in
                Unmanaged<Work>.fromOpaque(pointer!).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
}

/// How much of a file's start is in the kernel's page cache.
private func residentBytes(_ path: String, _ count: Int) throws -> Int {
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    let base = try #require(mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0))
    defer { munmap(base, count) }
    var resident = Array(repeating: UInt8(0), count: count / 4096)
    #expect(mincore(base, count, &resident) == 0)
    return resident.reduce(0) { $0 + Int($1 & 1) } * 4096
}
