import ArgumentParser
import Foundation
import LociClient
import LociRuntime
import LociStorage
import LociTiering

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
                try options.check(first, firstWord: word)
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

struct BenchStoreRows: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rows",
        abstract: "Reads many random records in one call, out of a cold store.")

    @OptionGroup var options: BenchStoreOptions
    @Option(help: "How many.")
    var count = 98_304
    @Option(help: "Page-ins that are under way at once.")
    var threads = 32
    @Option(help: "Where the random numbers start.")
    var seed: UInt64 = 5

    func run() throws {
        let field = try options.open(ioThreads: threads)
        var random = SeededRandom(seed: seed)
        let records = (0..<count).map { _ in random.next() % options.records }
        let pages = Set(records.map { $0 / UInt64((options.pageKib << 10) / options.bytes) }).count
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: options.bytes * count, alignment: 64)
        defer { unsafe buffer.deallocate() }
        let processor = StoreFigures.processorSeconds()
        let started = DispatchTime.now().uptimeNanoseconds
        unsafe try field.read(records, into: buffer)
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - started) / 1e9
        let used = StoreFigures.processorSeconds() - processor
        for (index, record) in records.enumerated() {
            let word = unsafe buffer.load(
                fromByteOffset: index * options.bytes, as: UInt64.self)
            try options.check(record, firstWord: word)
        }
        print(
            "\(count) records on \(pages) pages: \(Show.decimal(seconds, places: 3)) s, "
                + "\(Show.count(UInt64(Double(count) / seconds))) records/s, "
                + "\(Show.count(UInt64(Double(pages) / seconds))) pages/s, "
                + "\(Show.decimal(used * 1e6 / Double(pages), places: 1)) us of processor a page")
    }
}
