import Foundation
import Glibc
import LociClient
import LociStorage

/// One way to bring pages into memory, for `loci bench pages`.
struct PageInSubject: Sendable {
    /// Reads the pages of a batch and checks what they hold; used by one thread.
    typealias Reader = (_ pages: ArraySlice<UInt32>) throws -> Void

    let name: String
    /// Whether one thread has a whole batch on its way; otherwise one page per thread.
    let isBatched: Bool
    /// Whether the kernel keeps what was read, so that a second read is warm.
    let isCached: Bool
    private let makeReader: @Sendable (_ run: Int) throws -> Reader

    /// - Parameter run: Pages that follow each other in every batch; 1 for any pages.
    func reader(run: Int = 1) throws -> Reader { try makeReader(run) }

    /// The bare device, every kind of page-in, and the kernel's own paging.
    static func all(_ file: PageInFile) throws -> [PageInSubject] {
        let kinds = try PageInKind.allCases.compactMap { try page(in: $0, file) }
        return [device(file)] + kinds + [kernelPaging(file)]
    }

    private static func device(_ file: PageInFile) -> PageInSubject {
        PageInSubject(name: "device", isBatched: false, isCached: false) { run in
            let reader = try DeviceReader(file.path, byteCount: run * file.pageBytes)
            return { pages in
                for page in stride(from: pages.startIndex, to: pages.endIndex, by: run) {
                    try file.check(pages[page], reader.read(at: file.offset(pages[page])))
                }
            }
        }
    }

    /// nil if this machine does not have the kind.
    private static func page(in kind: PageInKind, _ file: PageInFile) throws -> PageInSubject? {
        let fileSystem = LinuxFileSystem(pageIn: kind)
        guard fileSystem.effectiveKind == kind else { return nil }
        return PageInSubject(
            name: kind.rawValue, isBatched: kind == .ring,
            isCached: kind == .mapped || kind == .buffered
        ) { _ in
            let segment = try file.open(fileSystem)
            let memory = HeapPageMemory()
            return { pages in
                let reads = pages.map {
                    PagedRead(file: segment, offset: file.offset($0), count: file.pageBytes)
                }
                for (page, answer) in zip(pages, fileSystem.readPaged(reads, into: memory)) {
                    try file.check(page, answer.get().load(at: 0))
                }
            }
        }
    }

    private static func kernelPaging(_ file: PageInFile) -> PageInSubject {
        PageInSubject(name: "kernel paging", isBatched: false, isCached: true) { _ in
            let mapping = try KernelPagedFile(file.path)
            return { pages in
                for page in pages {
                    let word = mapping.touch(at: file.offset(page), count: file.pageBytes)
                    try file.check(page, word)
                }
            }
        }
    }
}

/// A file of random pages that each begin with a word of their own.
struct PageInFile: Sendable {
    let path: String
    let pageBytes: Int
    let pages: Int
    let seed: UInt64

    var byteCount: UInt64 { UInt64(pages) * UInt64(pageBytes) }

    func offset(_ page: UInt32) -> UInt64 { UInt64(page) * UInt64(pageBytes) }

    private func mark(_ page: UInt32) -> UInt64 { mix64(UInt64(page) ^ mix64(seed)) }

    func check(_ page: UInt32, _ word: UInt64) throws {
        guard word == mark(page) else {
            throw LociError(.dataLoss, "Page \(page) of \(path) does not hold what was written.")
        }
    }

    func open(_ fileSystem: LinuxFileSystem, create: Bool = false) throws -> any StorageFile {
        guard let file = try fileSystem.openPaged(path, size: byteCount, create: create) else {
            throw LociError(.notFound, "\(path) is gone.")
        }
        return file
    }

    /// Writes all pages, with random bytes that no device can shrink, and syncs them.
    func write() throws {
        let file = try open(LinuxFileSystem(), create: true)
        var random = SeededRandom(seed: seed)
        var progress = Progress("Writing \(path)", unit: "pages", total: UInt64(pages))
        for page in 0..<UInt32(pages) {
            var words = (0..<(pageBytes / 8)).map { _ in random.next() }
            words[0] = mark(page)
            try file.write(Bytes(values: words), at: offset(page))
            progress.update(UInt64(page))
        }
        progress.finish()
        try file.sync()
    }

    /// Makes sure that next to nothing of the file is in memory.
    func forget() throws {
        var left = 0
        for attempt in 0..<20 {
            // The last thread of the measurement before may still hold its mapping.
            if attempt > 0 { usleep(50_000) }
            // The kernel's own lists keep some; only root can clear them.
            if attempt == 10 {
                try? "1".write(toFile: Self.dropAll, atomically: false, encoding: .utf8)
            }
            try LinuxFileSystem.dropCache(of: path)
            left = try KernelPagedFile(path).cachedBytes()
            if left * 100 <= Int(byteCount) { return }
        }
        throw LociError(
            .failedPrecondition,
            "\(Show.bytes(UInt64(left))) of \(path) stay in the kernel's page cache.",
            advice: "Choose a folder on a disk; a folder in memory has no cold pages.")
    }

    private static let dropAll = "/proc/sys/vm/drop_caches"
}
