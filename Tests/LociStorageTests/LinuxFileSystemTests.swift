import CLinux
import Glibc
import LociBase
import LociModel
import Testing

@testable import LociStorage

@Suite("The machine's files")
struct LinuxFileSystemTests {
    @Test("A guarded copy from beyond a cut file is an error and no signal")
    func guardedCopy() throws {
        let scratch = Scratch(.linux)
        let path = scratch.path("0.segment")
        let size: UInt64 = 1 << 20
        let segment = try #require(
            try scratch.fileSystem.openPaged(path, size: size, create: true))
        try segment.write(pattern(8192, seed: 1), at: 0)
        try scratch.fileSystem.open(path, create: false).resize(to: 4096)
        #expect(throws: StorageError.fault(path: path)) { try segment.read(at: 8192, count: 4096) }
        #expect(throws: StorageError.fault(path: path)) { try segment.read(at: 0, count: 16384) }
        #expect(try segment.read(at: 0, count: 4096) == pattern(8192, seed: 1).slice(0..<4096))
        #expect(
            throws: StorageError.corrupt(path: path, what: "it has 4096 bytes instead of 1048576")
        ) {
            try scratch.fileSystem.openPaged(path, size: size, create: true)
        }
    }

    @Test("Event descriptors count signals and drain")
    func events() {
        let descriptor = loci_eventfd_create()
        defer { close(descriptor) }
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        #expect(Glibc.poll(&poll, 1, 0) == 0)
        #expect(loci_eventfd_signal(descriptor) == 0)
        #expect(loci_eventfd_signal(descriptor) == 0)
        #expect(Glibc.poll(&poll, 1, 0) == 1)
        #expect(loci_eventfd_drain(descriptor) == 0)
        #expect(loci_eventfd_drain(descriptor) == 0)
        #expect(Glibc.poll(&poll, 1, 0) == 0)
    }

    @Test("Pages at both ends of 1 PiB and in between survive a restart, for little disk")
    func petabyte() throws {
        let scratch = Scratch(.linux)
        let pages = (UInt64(1) << 50) / 16384
        var random = SeededRandom(seed: 7)
        var touched: [UInt64] = [0, pages - 1]
        for _ in 0..<60 { touched.append(random.next() % pages) }
        let tuning = StorageTuning(openSegments: 16)
        func open() throws -> SliceStore {
            let store = try SliceStore.open(
                folder: scratch.folder, fileSystem: scratch.fileSystem, identity: testIdentity,
                partitions: [0], tuning: tuning)
            _ = try store.recover(0)
            return store
        }
        func address(_ page: UInt64) -> PageAddress {
            PageAddress(space: 1, partition: 0, page: page)
        }
        do {
            let store = try open()
            for page in touched {
                try store.write(
                    pattern(264, seed: page), at: 512, of: address(page), pageBytes: 16384)
            }
            let end = try store.append([Bytes(zeros: 1)], to: 0)
            _ = try store.checkpoint(0, at: end, snapshot: Bytes())
        }
        #expect(scratch.fileSystem.exists(scratch.path("partition-0/space-1/16383.segment")))
        scratch.endProcess()
        let store = try open()
        for page in touched {
            let bytes = try store.readPage(address(page), pageBytes: 16384)
            #expect(bytes.slice(512..<776) == pattern(264, seed: page))
            #expect(bytes.slice(0..<512) == Bytes(zeros: 512))
        }
        var blocks = 0
        for file in try allFiles(scratch.fileSystem, scratch.folder) {
            var status = stat()
            #expect(stat(file, &status) == 0)
            blocks += status.st_blocks
        }
        // For each page the page itself, a block of checksums and a footer.
        #expect(blocks * 512 < touched.count * (24 << 10) + 1 << 20)
    }

    @Test("Errors name what to do")
    func sentences() throws {
        let scratch = Scratch(.linux)
        try scratch.fileSystem.open(scratch.path("file"), create: true).write(
            Bytes(zeros: 1), at: 0)
        #expect(throws: StorageError.self) {
            try scratch.fileSystem.createFolder(scratch.path("file/inside"))
        }
        #expect(StorageError.noSpace(path: "x").sentence.code == .resourceExhausted)
        #expect(
            StorageError.io(operation: "open", path: "x", errno: EACCES).sentence.code
                == .failedPrecondition)
        #expect(StorageError.corrupt(path: "x", what: "y").sentence.code == .dataLoss)
        #expect(!StorageError.io(operation: "fdatasync", path: "x", errno: ENOSPC).isOutOfSpace)
    }
}
