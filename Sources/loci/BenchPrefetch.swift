import ArgumentParser
import Foundation
import LociClient
import LociPrefetch
import LociSimulation
import LociTiering

struct BenchPrefetch: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prefetch",
        abstract: "Compares predictors of pages on recorded streams of requests; needs no cluster.",
        discussion: """
            Every stream is replayed twice. Raw: without a memory; recall is the share of all \
            requests whose page was predicted within the 64 requests before. Through a memory \
            that starts empty, holds a share of the trace's different keys and is filled from a \
            device in virtual time: coverage is the share of the misses there would be without \
            that found their page there or on its way: pages that come late count there, and \
            timely is the share that did not. Hits, without and with, are only requests whose \
            page was there. Pollution is the share of misses that prefetching added, time what \
            the model makes of it, with prefetching for one without. Processor time is measured.
            Predictors: governed is what Loci uses; told knows the stream; last is pure \
            last-successor; the tables of markov1 and markov2 speak with confidence 1 or more.
            Traces are files as `loci bench policies` takes them; without one, those in the \
            folder traces of LOCI_DATA are taken, and after them streams made from a seed of \
            100,000 requests each: sequential, uniformly random, interleaved scans.
            """)

    @Option(help: "A file with a trace; may be repeated.")
    var trace: [String] = []
    @Option(help: "Which predictor: all, or one of them; may be repeated.")
    var predictor: [PredictorKind] = []
    @Option(help: "Size of the memory, in percent of a trace's different keys.")
    var cache = 10.0
    @Option(help: "Requests of each trace, from its beginning.")
    var limit = 300_000
    @Flag(help: "Measure streams made from a seed, too; without --trace they always are.")
    var streams = false
    @Flag(
        help:
            "Measure the predecessor's streams made from a seed, beside the predecessor's figures.")
    var synthetic = false
    @Option(help: "Where the random numbers start.")
    var seed: UInt64 = 1
    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func validate() throws {
        guard cache > 0, cache <= 100 else {
            throw ValidationError("--cache is a share from 0 to 100 percent, above 0.")
        }
        guard limit > 0 else { throw ValidationError("--limit is at least 1.") }
        guard trace.isEmpty && !streams || !synthetic else {
            throw ValidationError("--synthetic brings its own streams.")
        }
    }

    func run() throws {
        if synthetic { return try PredecessorReport(seed: seed).print(asJSON: json) }
        let files = trace.isEmpty ? TraceFile.all() : trace.map { TraceFile(path: $0) }
        guard !files.isEmpty || streams else {
            throw LociError(
                .notFound, "There are no traces in \(TraceFile.folder).",
                advice: "Name trace files, or set LOCI_DATA to the folder of test data.")
        }
        let kinds =
            predictor.isEmpty || predictor.contains(.all)
            ? PredictorKind.allCases.filter { $0 != .all } : predictor
        var rows: [PrefetchRow] = []
        func measure(_ name: String, _ trace: AccessTrace) {
            let stream = PrefetchStream(name, trace, limit: limit, percent: cache)
            for kind in kinds {
                if Terminal.showsProgress { Terminal.note("\(name), \(kind.rawValue)") }
                rows.append(stream.row(kind, seed: seed))
            }
        }
        for file in files { measure(file.name, try file.read()) }
        if streams || trace.isEmpty {
            for stream in [SyntheticStream.sequential, .uniform, .interleavedScans] {
                let keys = stream.keys(count: Self.streamLength, seed: seed)
                measure(stream.rawValue, AccessTrace(keys: keys))
            }
        }
        try PrefetchTable(cachePercent: cache, seed: seed, rows: rows).print(asJSON: json)
    }

    private static let streamLength = 100_000
}

enum PredictorKind: String, CaseIterable, ExpressibleByArgument {
    case all, next, stride, last, markov1, markov2, governed, told
}

/// One trace, ready to be replayed.
private struct PrefetchStream {
    private let name: String
    private let raw: RawPrefetchTrial
    private let trial: PrefetchTrial
    private let keys: [UInt64]

    init(_ name: String, _ whole: AccessTrace, limit: Int, percent: Double) {
        self.name = name
        keys = whole.requests.prefix(limit).map { whole.keys[Int($0)] }
        let trace = AccessTrace(keys: keys)
        raw = RawPrefetchTrial(trace)
        trial = PrefetchTrial(trace, capacity: trace.capacity(percent: percent))
    }

    func row(_ kind: PredictorKind, seed: UInt64) -> PrefetchRow {
        switch kind {
        case .next: row(kind) { _ in SoloPredictor(.next) }
        case .stride: row(kind) { _ in SoloPredictor(.stride) }
        case .last: row(kind) { _ in SoloPredictor(.lastSuccessor) }
        case .markov1: row(kind) { _ in SoloPredictor(.markov1, leastConfidence: 1) }
        case .markov2: row(kind) { _ in SoloPredictor(.markov2, leastConfidence: 1) }
        case .governed, .all: row(kind) { _ in StreamPredictor(seed: seed) }
        case .told: row(kind) { ToldPredictor(keys: keys, lookahead: $0 ? 1 : 8) }
        }
    }

    private func row<Predictor: PagePredictor>(
        _ kind: PredictorKind, _ make: (_ isRaw: Bool) -> Predictor
    ) -> PrefetchRow {
        var predictor = make(true)
        let rawResult = raw.run(&predictor)
        predictor = make(false)
        let result = trial.run(&predictor)
        predictor = make(false)
        let start = clock()
        let predictions = trial.feed(&predictor)
        let microseconds = Double(clock() - start) * 1e6 / Double(CLOCKS_PER_SEC)
        return PrefetchRow(
            trace: name, predictor: kind.rawValue, raw: rawResult, cached: result,
            predictions: predictions, microseconds: microseconds / Double(result.requests),
            memoryBytes: (predictor as? StreamPredictor)?.memoryBytes)
    }
}

private struct PrefetchRow: Encodable {
    struct Raw: Encodable {
        let issued, used: Int
        let usefulRecall, precision: Double
    }

    struct Cached: Encodable {
        let missesWithout, misses, issued, used, late, wasted, dropped, avoided, caused: Int
        let precision, coverage, timeliness, pollution: Double
        let hitRatioWithout, hitRatio, bytesPerUsedByte: Double
        let modelledSecondsWithout, modelledSeconds, modelledTimeRatio: Double
    }

    let trace: String
    let predictor: String
    let requests: Int
    let raw: Raw
    let cached: Cached
    let predictionsWithoutDevice: Int
    let processorMicrosecondsPerAccess: Double
    /// After the stream.
    let governedMemoryBytes: Int?

    init(
        trace: String, predictor: String, raw: PrefetchResult, cached: PrefetchResult,
        predictions: Int, microseconds: Double, memoryBytes: Int?
    ) {
        self.trace = trace
        self.predictor = predictor
        requests = raw.requests
        self.raw = Raw(
            issued: raw.issued, used: raw.used, usefulRecall: raw.usefulRecall,
            precision: raw.precision)
        self.cached = Cached(
            missesWithout: cached.missesWithout, misses: cached.misses, issued: cached.issued,
            used: cached.used, late: cached.late, wasted: cached.wasted,
            dropped: cached.dropped, avoided: cached.avoided, caused: cached.caused,
            precision: cached.precision, coverage: cached.coverage,
            timeliness: cached.timeliness, pollution: cached.pollution,
            hitRatioWithout: cached.hitRatioWithout, hitRatio: cached.hitRatio,
            bytesPerUsedByte: cached.bytesPerUsedByte,
            modelledSecondsWithout: Double(cached.modelledNanosecondsWithout) / 1e9,
            modelledSeconds: Double(cached.modelledNanoseconds) / 1e9,
            modelledTimeRatio: cached.modelledTimeRatio)
        predictionsWithoutDevice = predictions
        processorMicrosecondsPerAccess = microseconds
        governedMemoryBytes = memoryBytes
    }
}

private struct PrefetchTable: Encodable {
    var version = LociVersion.program
    var commit = ProcessInfo.processInfo.environment["LOCI_COMMIT"] ?? "unknown"
    let cachePercent: Double
    let seed: UInt64
    let rows: [PrefetchRow]

    func print(asJSON: Bool) throws {
        if asJSON { return try Terminal.printJSON(self) }
        var table = Table(
            "trace", "predictor", "#raw recall", "#raw precision", "#issued", "#precision",
            "#coverage", "#timely", "#pollution", "#hits without", "#hits", "#bytes/used",
            "#modelled time", "#us/access")
        for row in rows {
            let cached = row.cached
            let shares = [
                cached.precision, cached.coverage, cached.timeliness, cached.pollution,
                cached.hitRatioWithout, cached.hitRatio, cached.bytesPerUsedByte,
                cached.modelledTimeRatio,
            ]
            table.add(
                [
                    row.trace, row.predictor, Show.decimal(row.raw.usefulRecall, places: 3),
                    row.raw.issued == 0 ? "-" : Show.decimal(row.raw.precision, places: 3),
                    Show.count(cached.issued),
                ] + shares.map { Show.decimal($0, places: 3) }
                    + [Show.decimal(row.processorMicrosecondsPerAccess, places: 2)])
        }
        table.print()
        if let bytes = rows.compactMap(\.governedMemoryBytes).max() {
            Swift.print("A governed predictor takes \(Show.count(bytes)) bytes of memory at most.")
        }
    }
}
