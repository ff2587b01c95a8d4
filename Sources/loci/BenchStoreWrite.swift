import ArgumentParser
import Foundation
import LociClient
import LociRuntime

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

struct BenchStoreRecover: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Measures the start of a store whose log was not yet let go of.",
        discussion: """
            Overwrites records in commits of 100, without a checkpoint, and lets go of the store \
            as a crash would; then opens it and replays the log.
            """)

    @OptionGroup var options: BenchStoreOptions
    @Option(help: "Records in the log.")
    var count = 10_000

    func run() throws {
        try overwrite()
        let started = DispatchTime.now().uptimeNanoseconds
        let field = try options.open()
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - started) / 1e9
        print(
            "\(count) records of \(options.bytes) bytes in the log: replayed in "
                + "\(Show.decimal(seconds * 1000, places: 1)) ms")
        try field.checkpoint()
        let again = DispatchTime.now().uptimeNanoseconds
        _ = consume field
        let clean = try options.open()
        let rest = Double(DispatchTime.now().uptimeNanoseconds - again) / 1e9
        print("after a checkpoint: \(Show.decimal(rest * 1000, places: 1)) ms")
        _ = clean.counts
    }

    private func overwrite() throws {
        let field = try options.open()
        var random = SeededRandom(seed: 13)
        for start in stride(from: 0, to: count, by: 100) {
            for _ in start..<min(start + 100, count) {
                let record = random.next() % options.records
                field.write(options.record(record), to: record)
            }
            try field.commit()
        }
    }
}
