import Foundation
import Histogram
import LociClient

/// What all clients measured together, for people and for programs.
struct BenchReport: Encodable {
    struct Latency: Encodable {
        let p50: Double
        let p90: Double
        let p99: Double
        let p999: Double
        let max: Double
        let mean: Double
    }

    let benchmark: BenchTitle
    let version: String
    let commit: String
    let seed: UInt64
    let clients: Int
    let inFlight: Int
    let seconds: Double
    let warmupSeconds: Double
    let requests: UInt64
    let units: UInt64
    let unitsPerSecond: Double
    let requestsPerSecond: Double
    let latencyMicroseconds: Latency
    let errors: UInt64
    let firstError: String?
    let partialAnswers: UInt64
    let recall: Double?
    let meanShardsAsked: Double
    let p99ShardsAsked: Int
    let meanRounds: Double
    let meanHardLocations: Double
    let meanCodesScanned: Double
    let meanVectorsCompared: Double
    let exhaustedAnswers: UInt64
    let meanPagesTouched: Double
    let residentRatio: Double?
    let bytesRead: UInt64
    let clientCpuMicrosecondsPerRequest: Double
    let resultHash: String

    init(_ title: BenchTitle, _ options: BenchOptions, _ result: BenchResult) {
        var histogram = BenchWorker.emptyHistogram()
        for pair in result.latencies where pair.count == 2 {
            histogram.record(pair[0], count: pair[1])
        }
        func microseconds(_ percentile: Double) -> Double {
            result.latencies.isEmpty ? 0 : Double(histogram.valueAtPercentile(percentile)) / 1000
        }
        let requests = max(Double(result.requests), 1)
        benchmark = title
        version = LociVersion.program
        commit = ProcessInfo.processInfo.environment["LOCI_COMMIT"] ?? "unknown"
        seed = options.seed
        clients = options.clients
        inFlight = options.inFlight
        seconds = result.seconds
        warmupSeconds = options.warmup.seconds
        self.requests = result.requests
        units = result.units
        unitsPerSecond = result.unitsPerSecond
        requestsPerSecond = result.unitsPerSecond / Double(max(title.unitsPerRequest, 1))
        latencyMicroseconds = Latency(
            p50: microseconds(50), p90: microseconds(90), p99: microseconds(99),
            p999: microseconds(99.9), max: microseconds(100),
            mean: result.latencies.isEmpty ? 0 : histogram.mean / 1000)
        errors = result.errors
        firstError = result.firstError
        partialAnswers = result.partials
        recall =
            result.recallTotal == 0 ? nil : Double(result.recallHits) / Double(result.recallTotal)
        meanShardsAsked = Double(result.shardsAsked) / requests
        p99ShardsAsked = result.shardsAsked(percentile: 99)
        meanRounds = Double(result.rounds) / requests
        meanHardLocations = Double(result.locationsActive) / requests
        meanCodesScanned = Double(result.codesScanned) / requests
        meanVectorsCompared = Double(result.vectorsScored) / requests
        exhaustedAnswers = result.exhausted
        meanPagesTouched = Double(result.pagesTouched) / requests
        residentRatio =
            result.pagesTouched == 0
            ? nil : Double(result.pagesResident) / Double(result.pagesTouched)
        bytesRead = result.bytesRead
        clientCpuMicrosecondsPerRequest = result.clientSeconds * 1e6 / requests
        resultHash = Show.identity(result.hash)
    }

    func printTable() {
        func time(_ microseconds: Double) -> String {
            Show.time(microseconds: UInt64(microseconds.rounded()))
        }
        var table = Table("benchmark", "\(benchmark.what), \(benchmark.pattern)")
        table.add(
            "load",
            "\(clients) clients, \(inFlight) in flight each, \(Show.decimal(seconds, places: 1)) s "
                + "after \(Show.decimal(warmupSeconds, places: 1)) s of warm-up, seed \(seed)")
        table.add("requests", Show.count(requests))
        table.add("\(benchmark.unit) per second", Show.count(UInt64(unitsPerSecond)))
        table.add("latency p50", time(latencyMicroseconds.p50))
        table.add("latency p90", time(latencyMicroseconds.p90))
        table.add("latency p99", time(latencyMicroseconds.p99))
        table.add("latency p99.9", time(latencyMicroseconds.p999))
        table.add("latency max", time(latencyMicroseconds.max))
        if let recall { table.add("recall", Show.decimal(recall, places: 4)) }
        table.add("shards asked, mean", Show.decimal(meanShardsAsked, places: 2))
        table.add("shards asked, p99", "\(p99ShardsAsked)")
        if meanRounds > 0 {
            table.add("rounds, mean", Show.decimal(meanRounds, places: 2))
            table.add("hard locations, mean", Show.decimal(meanHardLocations, places: 1))
            table.add("codes scanned, mean", Show.decimal(meanCodesScanned, places: 1))
            table.add("vectors compared, mean", Show.decimal(meanVectorsCompared, places: 1))
            table.add("exhausted answers", Show.count(exhaustedAnswers))
        }
        table.add("pages touched, mean", Show.decimal(meanPagesTouched, places: 1))
        if let residentRatio {
            table.add("  of them resident", Show.decimal(100 * residentRatio, places: 1) + "%")
        }
        table.add("client processor time", time(clientCpuMicrosecondsPerRequest) + " per request")
        table.add("errors", Show.count(errors))
        table.add("partial answers", Show.count(partialAnswers))
        table.add("result hash", resultHash)
        table.print()
    }
}
