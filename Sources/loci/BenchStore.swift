import ArgumentParser
import Foundation
import LociClient
import LociRuntime
import LociStorage
import LociTiering

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
        subcommands: [BenchStoreLoad.self, BenchStoreRun.self, BenchStoreWrite.self])
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

    func open() throws -> LocalField {
        try LocalField(
            folder: folder, cellBytes: bytes, cellCount: records, dramBytes: dram << 20,
            pageBytes: pageKib << 10)
    }

    /// The records one behind the other in a plain file, for the baseline.
    var plainFile: String { folder + "/plain" }

    /// The record of a number.
    func record(_ number: UInt64, version: UInt64 = 0) -> Bytes {
        Bytes(
            values: (0..<UInt64(bytes / 8)).map { mix64(number &* 1_315_423_911 &+ $0 &+ version) })
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

/// Where records are read from.
private enum RecordSource {
    case field(LocalField)
    /// A mapped file that the kernel pages: what one gets without a storage engine.
    case kernel(KernelPagedFile, recordBytes: Int)

    init(_ options: BenchStoreOptions, isKernel: Bool) throws {
        self =
            isKernel
            ? .kernel(try KernelPagedFile(options.plainFile), recordBytes: options.bytes)
            : .field(try options.open())
    }

    var reads: (cells: UInt64, hits: UInt64) {
        if case .field(let field) = self { field.reads } else { (0, 0) }
    }

    func read(_ record: UInt64, into target: UnsafeMutableRawBufferPointer) throws {
        switch self {
        case .field(let field): unsafe try field.read(record, into: target)
        case .kernel(let file, let recordBytes):
            unsafe file.copy(
                at: record * UInt64(recordBytes),
                into: UnsafeMutableRawBufferPointer(rebasing: target[..<recordBytes]))
        }
    }

    func read(_ records: [UInt64], into target: UnsafeMutableRawBufferPointer) throws {
        switch self {
        case .field(let field): unsafe try field.read(records, into: target)
        case .kernel(_, let recordBytes):
            for (index, record) in records.enumerated() {
                unsafe try read(
                    record,
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: target[(index * recordBytes)...]))
            }
        }
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
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    /// The most that this process ever had.
    static func residentMebibytes() -> Int {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss >> 10
    }
}

struct BenchStoreRun: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Reads records, one or a batch at a time.")

    @OptionGroup var options: BenchStoreOptions
    @Option(help: "Which records: zipf (exponent 0.99, scattered), uniform, sequential.")
    var pattern = AccessPattern.zipf
    @Option(help: "A trace of keys instead: key after key, numbered as they first appear.")
    var trace: String?
    @Option(help: "Records of one call.")
    var batch = 1
    @Option(help: "Seconds of each of the repeats.")
    var seconds = 0.5
    @Option(help: "Repeats; medians are reported.")
    var repeats = 5
    @Option(help: "Seconds before the first repeat, not measured.")
    var warm = 0.0
    @Flag(help: "Read every record once before, in order.")
    var sweep = false
    @Flag(help: "Read a plain mapped file through the kernel's paging instead: the baseline.")
    var kernel = false
    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func run() throws {
        let field = try RecordSource(options, isKernel: kernel)
        let stream = try keys()
        var position = 0
        if sweep { try sweep(field) }
        if warm > 0 { _ = try measure(field, stream, &position, seconds: warm, timed: false) }
        let before = field.reads
        var rates: [Double] = []
        var cpu: [Double] = []
        var halves: [Double] = []
        var tails: [Double] = []
        for _ in 0..<repeats {
            let processor = StoreFigures.processorSeconds()
            let plain = try measure(field, stream, &position, seconds: seconds, timed: false)
            cpu.append((StoreFigures.processorSeconds() - processor) * 1e6 / Double(plain.count))
            rates.append(Double(plain.count) / plain.elapsed)
            let timed = try measure(field, stream, &position, seconds: seconds, timed: true)
            let sorted = timed.latencies.sorted()
            halves.append(sorted[sorted.count / 2])
            tails.append(sorted[sorted.count * 99 / 100])
        }
        let after = field.reads
        func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
        try StoreFigures(
            backend: kernel ? "kernel paging" : "loci", records: options.records,
            bytes: options.bytes, pattern: trace ?? pattern.rawValue,
            batch: batch, operationsPerSecond: median(rates), least: rates.min()!,
            most: rates.max()!, callMicrosecondsP50: median(halves),
            callMicrosecondsP99: median(tails), cpuMicrosecondsPerOperation: median(cpu),
            hitRatio: Double(after.hits - before.hits)
                / Double(max(1, after.cells - before.cells)),
            residentMebibytes: StoreFigures.residentMebibytes()
        ).show(asJSON: json)
    }

    /// Numbers of records in advance, so that making them is not measured.
    private func keys() throws -> [UInt64] {
        if let trace {
            let requests = try TraceFile(path: trace).read().requests
            return requests.map { UInt64($0) % options.records }
        }
        var stream = CellStream(
            pattern, count: options.records, theta: 0.99, random: SeededRandom(seed: 7))
        return (0..<(1 << 22)).map { _ in stream.next() }
    }

    private func sweep(_ field: RecordSource) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: options.bytes * 1000, alignment: 64)
        defer { unsafe buffer.deallocate() }
        for start in stride(from: 0, to: options.records, by: 1000) {
            let cells = Array(start..<min(start + 1000, options.records))
            unsafe try field.read(cells, into: buffer)
        }
    }

    private func measure(
        _ field: RecordSource, _ stream: [UInt64], _ position: inout Int, seconds: Double,
        timed: Bool
    ) throws -> (count: Int, elapsed: Double, latencies: [Double]) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: options.bytes * batch, alignment: 64)
        defer { unsafe buffer.deallocate() }
        var count = 0
        var latencies: [Double] = []
        let started = DispatchTime.now().uptimeNanoseconds
        let end = started + UInt64(seconds * 1e9)
        var now = started
        while now < end {
            for _ in 0..<(timed || batch > 1 ? 1 : 16) {
                if position + batch > stream.count { position = 0 }
                let first = stream[position]
                if batch == 1 {
                    unsafe try field.read(first, into: buffer)
                } else {
                    unsafe try field.read(
                        Array(stream[position..<(position + batch)]), into: buffer)
                }
                let word = unsafe buffer.load(as: UInt64.self)
                guard word == mix64(first &* 1_315_423_911) else {
                    throw LociError(.dataLoss, "Record \(first) is not what was written.")
                }
                position += batch
                count += batch
            }
            let then = now
            now = DispatchTime.now().uptimeNanoseconds
            if timed { latencies.append(Double(now - then) / 1000) }
        }
        return (count, Double(now - started) / 1e9, latencies)
    }
}

struct BenchStoreWrite: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write",
        abstract: "Overwrites random records; each call is durable when it returns.")

    @OptionGroup var options: BenchStoreOptions
    @Option(help: "Records of one call.")
    var batch = 1
    @Option(help: "Seconds.")
    var seconds = 3.0
    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func run() throws {
        let field = try options.open()
        var random = SeededRandom(seed: 11)
        var latencies: [Double] = []
        let processor = StoreFigures.processorSeconds()
        let started = DispatchTime.now().uptimeNanoseconds
        var now = started
        while Double(now - started) < seconds * 1e9 {
            for _ in 0..<batch {
                let record = random.next() % options.records
                field.write(options.record(record), to: record)
            }
            try field.commit()
            let then = now
            now = DispatchTime.now().uptimeNanoseconds
            latencies.append(Double(now - then) / 1000)
        }
        let count = latencies.count * batch
        let rate = Double(count) / (Double(now - started) / 1e9)
        latencies.sort()
        try StoreFigures(
            records: options.records, bytes: options.bytes, pattern: "uniform writes",
            batch: batch, operationsPerSecond: rate, least: rate, most: rate,
            callMicrosecondsP50: latencies[latencies.count / 2],
            callMicrosecondsP99: latencies[latencies.count * 99 / 100],
            cpuMicrosecondsPerOperation: (StoreFigures.processorSeconds() - processor) * 1e6
                / Double(count), hitRatio: 0, residentMebibytes: StoreFigures.residentMebibytes()
        ).show(asJSON: json)
    }
}
