import ArgumentParser
import Foundation
import LociClient
import LociStorage

struct BenchPages: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pages",
        abstract: "Measures cold page-ins of every kind on this machine's disk.",
        discussion: """
            Needs no cluster. It writes a file of random pages into a folder, drops it from the
            kernel's page cache before every measurement, and removes it at the end. The kinds take
            turns; the figures are medians of all rounds with the least and the most. 'device' is
            one pread past the page cache into memory that is there already: the floor. 'kernel
            paging' looks at mapped pages in place. What was read is compared with what was written.
            """)

    @Argument(help: "Folder on the disk to be measured; it is created if it is not there.")
    var folder: String
    @Option(help: "Size of the file: 0.01 to 1024.")
    var gigabytes = 1.0
    @Option(help: "Size of a page in KiB: 4 to 2048, a power of two.")
    var pageKib = 16
    @Option(help: "Reads on their way at once, such as 1,4,32: 1 to 256 each.")
    var depth = "1,4,32,128"
    @Option(help: "How often each measurement is made: 1 to 100.")
    var rounds = 5
    @Option(help: "Longest time of one measurement.")
    var seconds = TimeSpan(duration: .milliseconds(500))
    @Option(help: "Where the random numbers start.")
    var seed: UInt64 = 1
    @Flag(help: "Print JSON instead of a table.")
    var json = false

    private var depths: [Int] {
        depth.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    }

    func validate() throws {
        guard gigabytes >= 0.01, gigabytes <= 1024 else {
            throw ValidationError("--gigabytes must be 0.01 to 1024, not \(gigabytes).")
        }
        guard (4...2048).contains(pageKib), pageKib.nonzeroBitCount == 1 else {
            throw ValidationError(
                "--page-kib must be a power of two from 4 to 2048, not \(pageKib).")
        }
        guard !depths.isEmpty, depths.allSatisfy({ (1...256).contains($0) }) else {
            throw ValidationError(
                "--depth must be numbers from 1 to 256 like 1,4,32, not \(depth).")
        }
        guard (1...100).contains(rounds) else {
            throw ValidationError("--rounds must be 1 to 100, not \(rounds).")
        }
        guard seconds.seconds > 0 else { throw ValidationError("--seconds must be more than 0.") }
    }

    func run() throws {
        do {
            try measure()
        } catch let error as StorageError {
            throw error.sentence
        }
    }

    private func measure() throws {
        let fileSystem = LinuxFileSystem()
        let inside = folder + "/loci-bench-pages-\(getpid())"
        try fileSystem.createFolder(inside)
        defer { try? fileSystem.removeTree(inside) }
        let pageBytes = pageKib << 10
        let file = PageInFile(
            path: inside + "/pages", pageBytes: pageBytes,
            pages: Int(gigabytes * Double(1 << 30)) / pageBytes, seed: seed)
        try file.write()
        var session = PageInSession(
            file: file, subjects: try PageInSubject.all(file), depths: depths,
            seconds: seconds.seconds)
        for round in 0..<rounds { try session.measure(round: round) }
        let report = PageInReport(session, rounds: rounds)
        if json { try Terminal.printJSON(report) } else { report.printTable() }
    }
}

/// All that is measured, round by round, with the subjects taking turns.
struct PageInSession {
    let file: PageInFile
    let subjects: [PageInSubject]
    let depths: [Int]
    let seconds: Double
    /// Per subject and depth, one for each round.
    private(set) var cold: [[Int: [PageInMeasurement]]]
    private(set) var warm: [[PageInMeasurement]]
    private(set) var sequential: [[PageInMeasurement]]

    /// Bytes that are read at once in a scan.
    static let scanBytes = 1 << 20

    init(file: PageInFile, subjects: [PageInSubject], depths: [Int], seconds: Double) {
        self.file = file
        self.subjects = subjects
        self.depths = depths
        self.seconds = seconds
        cold = subjects.map { _ in [:] }
        warm = subjects.map { _ in [] }
        sequential = subjects.map { _ in [] }
    }

    mutating func measure(round: Int) throws {
        var random = SeededRandom(seed: file.seed &+ UInt64(round) &* 1_000_003)
        let pages = (0..<UInt32(file.pages)).map { $0 }
        for depth in depths {
            let order = pages.shuffled(using: &random)
            for index in subjects.indices {
                try file.forget()
                cold[index][depth, default: []].append(
                    try PageInMeasurement(subjects[index], order, depth: depth, seconds: seconds))
            }
        }
        let run = max(1, Self.scanBytes / file.pageBytes)
        for index in subjects.indices {
            try file.forget()
            sequential[index].append(
                try PageInMeasurement(subjects[index], pages, depth: 1, seconds: seconds, run: run))
        }
        let order = pages.shuffled(using: &random)
        for index in subjects.indices {
            if subjects[index].isCached {
                _ = try PageInMeasurement(subjects[index], pages, depth: 1, seconds: 3600)
            }
            warm[index].append(
                try PageInMeasurement(subjects[index], order, depth: 1, seconds: seconds))
        }
    }
}
