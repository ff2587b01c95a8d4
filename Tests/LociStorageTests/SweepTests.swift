import Glibc
import LociBase
import LociModel
import Testing

@testable import LociStorage

@Suite("Reads that fail, and files that are not what they were")
struct SweepTests {
    private static let pages = UInt64(6)

    private func address(_ page: UInt64) -> PageAddress {
        PageAddress(space: 7, partition: 0, page: page * (Layout.segmentBytes / 4096 / 2))
    }

    private func slice() throws -> MemoryFileSystem {
        let fileSystem = MemoryFileSystem()
        let store = try open(fileSystem)
        let end = try store.recover(0).end
        for page in 0..<Self.pages {
            try store.write(
                pattern(4096, seed: page), at: 0, of: address(page), pageBytes: 4096)
        }
        _ = try store.checkpoint(0, at: end, snapshot: Bytes(utf8: "state"))
        _ = try store.append([Bytes(utf8: "record")], to: 0)
        fileSystem.endProcess()
        return fileSystem
    }

    private func open(_ fileSystem: any StorageFileSystem) throws -> SliceStore {
        try SliceStore.open(
            folder: "/data", fileSystem: fileSystem, identity: testIdentity, partitions: [0],
            tuning: StorageTuning(openSegments: 2))
    }

    @Test("The n-th operation of reading fails: that page's answer says so, the others are right")
    func failingReads() throws {
        let fileSystem = try slice()
        let store = try open(fileSystem)
        _ = try store.recover(0)
        let requests = (0..<Self.pages).map {
            PageRequest(address: address($0), pageBytes: 4096)
        }
        for isSticky in [false, true] {
            for operation in UInt64(1)... {
                fileSystem.failure = InjectedFailure(
                    operation: operation, errno: EIO, isSticky: isSticky)
                let before = fileSystem.operations
                let answers = store.readPages(requests, into: HeapPageMemory())
                let used = fileSystem.operations - before
                fileSystem.failure = nil
                var failed = 0
                for (page, answer) in zip(0..<Self.pages, answers) {
                    switch answer {
                    case .loaded(let bytes, _): #expect(bytes == pattern(4096, seed: page))
                    case .failed(.io(_, _, EIO)): failed += 1
                    default: Issue.record("operation \(operation), page \(page): \(answer)")
                    }
                }
                if used < operation {
                    #expect(failed == 0 && operation > 12)
                    break
                }
                #expect(isSticky ? failed >= 1 : failed == 1)
            }
        }
        // Nothing of it stays.
        for page in 0..<Self.pages {
            #expect(
                try store.readPage(address(page), pageBytes: 4096) == pattern(4096, seed: page))
        }
        #expect(store.counts.damagedPages == 0)
    }

    @Test("The n-th operation of a scrub or a verify fails: it says which file, and goes on")
    func failingChecks() throws {
        let fileSystem = try slice()
        for operation in UInt64(1)... {
            fileSystem.endProcess()
            fileSystem.failure = InjectedFailure(operation: operation, errno: EIO)
            let before = fileSystem.operations
            let report: VerifyReport?
            do throws(StorageError) {
                report = try SliceVerifier.verify("/data", fileSystem)
            } catch {
                #expect(error.sentence.code == .unavailable)
                report = nil
            }
            let used = fileSystem.operations - before
            fileSystem.failure = nil
            if used < operation {
                #expect(report?.worst == nil && operation > 60)
                break
            }
            if let report {
                #expect(report.findings.allSatisfy { !$0.what.isEmpty && $0.path.contains("/") })
                #expect(
                    report.findings.isEmpty
                        || report.findings.contains { $0.kind == .unreadable }, "\(operation)")
            }
        }
        fileSystem.endProcess()
        let store = try open(fileSystem)
        _ = try store.recover(0)
        for operation in UInt64(1)...20 {
            fileSystem.failure = InjectedFailure(operation: operation, errno: EIO)
            var cursor: ScrubCursor?
            var damaged = 0
            var verified = 0
            repeat {
                let step = try store.scrub(0, from: cursor, budgetBytes: 1 << 20)
                damaged += step.damaged.count
                verified += step.pagesVerified
                cursor = step.next
            } while cursor != nil
            #expect(fileSystem.failure != nil || damaged == 1)
            fileSystem.failure = nil
        }
        try store.flush(0)
    }

    @Test("Files cut at every 512 bytes")
    func truncation() throws {
        let slice = try VerifiedSlice()
        var cuts = 0
        for path in try slice.files() {
            let size = try slice.fileSystem.open(path, create: false).size()
            var lengths = Array(stride(from: UInt64(0), to: min(size, 1 << 20), by: 512))
            if size > 1 << 30 { lengths = Array(lengths.prefix(3)) + [size - 4096, size - 512] }
            for length in lengths where length < size {
                let copy = slice.fileSystem.copy()
                try copy.open(path, create: false).resize(to: length)
                let report = try SliceVerifier.verify(SliceModel.folder, copy)
                cuts += 1
                guard path.contains("double-write") && length >= 68 else {
                    #expect(
                        report.findings.contains { $0.path == path && $0.severity > .note },
                        "\(path) cut to \(length): \(report.findings)")
                    continue
                }
            }
        }
        #expect(cuts > 60)
    }

    struct Mishap: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Ends of the paths of two files, the second of which gets the first one's content; with
        /// no first one it is removed.
        let source: String?
        let target: String
        let severity: VerifyFinding.Severity
        let sentence: String
    }

    static let mishaps = [
        Mishap(
            testDescription: "identity missing", source: nil, target: "identity",
            severity: .damage, sentence: "it is missing"),
        Mishap(
            testDescription: "state missing", source: nil, target: "state-",
            severity: .damage, sentence: "the superblock names it and it is missing"),
        Mishap(
            testDescription: "superblock missing", source: nil, target: "superblock-b",
            severity: .repairable, sentence: "it is missing"),
        Mishap(
            testDescription: "segment missing", source: nil, target: "0.segment",
            severity: .damage, sentence: "its file is missing"),
        Mishap(
            testDescription: "segment duplicated", source: "0.segment", target: "1.segment",
            severity: .damage, sentence: "it is segment 0 of space 7"),
        Mishap(
            testDescription: "superblock for a state", source: "superblock-a", target: "state-",
            severity: .damage, sentence: "it does not start as a file of its kind does"),
        Mishap(
            testDescription: "log file missing", source: nil, target: "first log",
            severity: .damage, sentence: "the file with the position of the checkpoint is missing"),
        Mishap(
            testDescription: "log file in the middle missing", source: nil, target: "second log",
            severity: .damage, sentence: "it does not continue the file before it"),
        Mishap(
            testDescription: "log file duplicated", source: "first log", target: "last log",
            severity: .damage, sentence: "its name says position"),
        Mishap(
            testDescription: "segment of another shard", source: "foreign 0.segment",
            target: "0.segment", severity: .damage, sentence: "it is of shard 9 of cluster"),
        Mishap(
            testDescription: "log of another shard", source: "foreign first log",
            target: "first log", severity: .damage, sentence: "it is of shard 9 of cluster"),
        Mishap(
            testDescription: "state of another shard", source: "foreign state-", target: "state-",
            severity: .damage, sentence: "it is of shard 9 of cluster"),
        Mishap(
            testDescription: "superblock of another shard", source: "foreign superblock-a",
            target: "superblock-a", severity: .damage, sentence: "it is of shard 9 of cluster"),
        Mishap(
            testDescription: "double-write of another shard", source: "foreign double-write-a",
            target: "double-write-a", severity: .damage, sentence: "it is of shard 9 of cluster"),
    ]

    @Test("Missing, swapped, duplicated and foreign files", arguments: mishaps)
    func mishap(_ mishap: Mishap) throws {
        let slice = try VerifiedSlice(appends: 60)
        let files = try slice.files()
        let logs = files.filter { $0.hasSuffix(".log") }
        try #require(logs.count >= 3)
        func path(_ name: String) -> String {
            switch name {
            case "first log": logs[0]
            case "second log": logs[1]
            case "last log": logs.last!
            default: files.first { $0.split(separator: "/").last!.hasPrefix(name) }!
            }
        }
        let target = path(mishap.target)
        if let source = mishap.source {
            let isForeign = source.hasPrefix("foreign ")
            let from = path(isForeign ? String(source.dropFirst(8)) : source)
            try slice.copy(from, to: target, shard: isForeign ? 9 : nil)
        } else {
            try slice.fileSystem.remove(target)
        }
        let report = try slice.verify()
        let found = report.findings.filter { $0.what.contains(mishap.sentence) }
        #expect(!found.isEmpty, "\(report.findings)")
        #expect(report.worst == mishap.severity)
        #expect(found.allSatisfy { !$0.advice.isEmpty && $0.severity == mishap.severity })
        // A start refuses it, or loses nothing.
        do throws(StorageError) {
            let store = try SliceStore.open(
                folder: SliceModel.folder, fileSystem: slice.fileSystem.copy(),
                identity: testIdentity, partitions: [Edit.partition])
            _ = try store.recover(Edit.partition)
            #expect(
                mishap.severity == .repairable || mishap.target.hasSuffix("segment"),
                "it went on")
        } catch {
            #expect(mishap.severity == .damage)
            #expect(error.sentence.code == .dataLoss || error.sentence.code == .failedPrecondition)
        }
    }
}

@Suite("Calls into the kernel that do less than they are asked for")
struct SystemCallTests {
    @Test("Short transfers and interruptions end in whole reads and writes")
    func shortTransfers() throws {
        var random = SeededRandom(seed: 6)
        for count in [0, 1, 7, 4096, 1 << 20] {
            let source = pattern(count, seed: UInt64(count))
            var target: [UInt8] = []
            var interruptions = 0
            let done = try SystemCall.transferring(count, "pread", "/a") { done in
                #expect(done == target.count)
                if random.chance(0.4) {
                    interruptions += 1
                    errno = EINTR
                    return -1
                }
                let some = 1 + random.below(max(1, (count - done) / 3 + 1))
                let part = min(some, count - done)
                target += source.slice(done..<(done + part)).array
                return part
            }
            #expect(done == count && Bytes(target) == source)
            #expect(interruptions > 0 || count < 10)
        }
    }

    @Test("An end, a full disk and an error after a part of the bytes are told apart")
    func endings() throws {
        let answers: [(Int, Int32)] = [(10, 0), (-1, EINTR), (5, 0)]
        for last in [(0, Int32(0)), (-1, ENOSPC), (-1, EIO)] {
            var left = answers + [last]
            let result = Result { () throws(StorageError) in
                try SystemCall.transferring(100, "pwrite", "/a") { _ in
                    let (answer, number) = left.removeFirst()
                    errno = number
                    return answer
                }
            }
            #expect(left.isEmpty)
            switch last.1 {
            case ENOSPC: #expect(result == .failure(.noSpace(path: "/a")))
            case EIO:
                #expect(
                    result == .failure(.io(operation: "pwrite", path: "/a", errno: EIO)))
            default: #expect(result == .success(15))
            }
        }
    }

    @Test("A disk that fills in the middle of a write: the part of it is cut, and the log goes on")
    func fullInTheMiddle() throws {
        guard LoopDisk.isPossible else {
            print("No disk that fills: that needs root, mkfs.ext4 and loop devices.")
            return
        }
        let disk = try LoopDisk(megabytes: 16)
        let folder = disk.mountPoint + "/shard-2"
        let store = try SliceStore.open(
            folder: folder, fileSystem: LinuxFileSystem(), identity: testIdentity,
            partitions: [0])
        _ = try store.recover(0)
        let record = pattern(700_000, seed: 8)
        var records = 0
        var refusals = 0
        let ballast = try LinuxFileSystem().open(disk.mountPoint + "/ballast", create: true)
        try ballast.write(Bytes(zeros: 4 << 20), at: 0)
        while refusals < 3 {
            do throws(StorageError) {
                _ = try store.append([record], to: 0)
                records += 1
            } catch {
                try #require(error.isOutOfSpace, "\(error)")
                refusals += 1
            }
        }
        #expect(store.isFull(0) && records > 5)
        try ballast.resize(to: 0)
        try ballast.sync()
        _ = try store.append([record], to: 0)
        #expect(!store.isFull(0))
        let copy = try disk.copy()
        let found = try SliceStore.open(
            folder: copy.mountPoint + "/shard-2", fileSystem: LinuxFileSystem(),
            identity: testIdentity, partitions: [0]
        ).recover(0)
        #expect(found.records.map(\.payload) == Array(repeating: record, count: records + 1))
    }
}
