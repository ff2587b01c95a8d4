import ArgumentParser
import Foundation
import LociClient
import LociRuntime
import LociStorage

/// Measures the storage engine in this process, with records like those that key-value stores are
/// measured with.
struct BenchStore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Measures fixed-size records in one process; needs no cluster.",
        discussion: """
            First `load` a folder, then `run` reads or `write` it. Every record is a function of \
            its number, and a word of each that is read is checked.
            """,
        subcommands: [
            BenchStoreLoad.self, BenchStoreRun.self, BenchStoreRows.self, BenchStoreWrite.self,
            BenchStoreRecover.self,
        ])
}

struct BenchStoreOptions: ParsableArguments {
    @Argument(help: "The folder with the records.")
    var folder: String
    @Option(help: "Number of records.")
    var records: UInt64 = 1_000_000
    @Option(help: "Bytes of a record, a multiple of 8.")
    var bytes = 1024
    @Option(help: "MiB of memory for pages.")
    var dram = 2048
    @Option(help: "KiB of a page.")
    var pageKib = 16

    func validate() throws {
        guard records > 0, bytes >= 8, bytes % 8 == 0, bytes <= pageKib << 10 else {
            throw ValidationError("Records have 8 bytes or more, a multiple of 8, and fit a page.")
        }
        guard (4...2048).contains(pageKib), pageKib & (pageKib - 1) == 0 else {
            throw ValidationError("--page-kib is a power of two from 4 to 2048.")
        }
        guard dram >= 16 else { throw ValidationError("--dram is at least 16.") }
    }

    func open(ioThreads: Int = 16) throws -> LocalField {
        try LocalField(
            folder: folder, cellBytes: bytes, cellCount: records, dramBytes: dram << 20,
            pageBytes: pageKib << 10, ioThreads: ioThreads)
    }

    /// The records one behind the other in a plain file, for the baseline.
    var plainFile: String { folder + "/plain" }

    /// What the words of a record are made of.
    private func mark(_ number: UInt64) -> UInt64 { number &* 1_315_423_911 }

    /// The record of a number.
    func record(_ number: UInt64) -> Bytes {
        Bytes(values: (0..<UInt64(bytes / 8)).map { mix64(mark(number) &+ $0) })
    }

    /// Throws unless a record begins as it was written.
    func check(_ number: UInt64, firstWord: UInt64) throws {
        guard firstWord == mix64(mark(number)) else {
            throw LociError(.dataLoss, "Record \(number) is not what was written.")
        }
    }
}

struct BenchStoreLoad: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Writes all records.")

    @OptionGroup var options: BenchStoreOptions
    @Flag(help: "Write the plain file that `run --kernel` reads instead.")
    var kernel = false

    func run() throws {
        if kernel { return try loadPlainFile() }
        let field = try options.open()
        let started = Date()
        let batch = UInt64(max(1, (1 << 20) / options.bytes))
        var number: UInt64 = 0
        while number < options.records {
            let end = min(number + batch, options.records)
            for record in number..<end { field.write(options.record(record), to: record) }
            try field.commit()
            if end % (batch * 256) < batch { try field.checkpoint() }
            number = end
        }
        try field.checkpoint()
        print(
            "loaded \(options.records) records of \(options.bytes) bytes in "
                + Show.decimal(Date().timeIntervalSince(started), places: 1) + " s")
    }
}

extension BenchStoreLoad {
    private func loadPlainFile() throws {
        try FileManager.default.createDirectory(
            atPath: options.folder, withIntermediateDirectories: true)
        let fileSystem = LinuxFileSystem()
        let file = try fileSystem.open(options.plainFile, create: true)
        let batch = UInt64(max(1, (1 << 20) / options.bytes))
        for start in stride(from: 0, to: options.records, by: Int(batch)) {
            let records = (start..<min(start + batch, options.records)).map { options.record($0) }
            try file.write(Bytes.joined(records), at: start * UInt64(options.bytes))
        }
        try file.sync()
        print("wrote \(options.plainFile)")
    }
}

/// What one measurement found.
struct StoreFigures: Encodable {
    var backend = "loci"
    var records: UInt64
    var bytes: Int
    var pattern: String
    var batch: Int
    var operationsPerSecond: Double
    var least: Double
    var most: Double
    var callMicrosecondsP50: Double
    var callMicrosecondsP99: Double
    var cpuMicrosecondsPerOperation: Double
    var hitRatio: Double
    var residentMebibytes: Int

    func show(asJSON: Bool) throws {
        if asJSON { return try Terminal.printJSON(self) }
        var table = Table("figure", "#value")
        table.add("records per second", Show.count(UInt64(operationsPerSecond)))
        table.add("  least ... most", "\(Int(least)) ... \(Int(most))")
        table.add("call p50", Show.decimal(callMicrosecondsP50, places: 2) + " us")
        table.add("call p99", Show.decimal(callMicrosecondsP99, places: 2) + " us")
        table.add(
            "processor per record", Show.decimal(cpuMicrosecondsPerOperation, places: 3) + " us")
        table.add("reads without a page-in", Show.decimal(hitRatio, places: 4))
        table.add("largest resident set", "\(residentMebibytes) MiB")
        table.print()
    }

    static func processorSeconds() -> Double {
        let usage = usage()
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    /// The most that this process ever had.
    static func residentMebibytes() -> Int { usage().ru_maxrss >> 10 }

    private static func usage() -> rusage {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage
    }
}
