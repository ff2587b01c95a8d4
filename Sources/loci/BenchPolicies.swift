import ArgumentParser
import Foundation
import LociClient
import LociTiering

struct BenchPolicies: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policies",
        abstract: "Compares eviction policies on recorded streams of requests; needs no cluster.",
        discussion: """
            Hit ratios of each policy and of Belady's optimum, which knows the future, in \
            memories that start empty and hold a share of the different keys of a trace.
            A trace is a file of 64-bit little-endian keys (.u64), or a text (.csv; its first \
            column is left out), which stands for the rows of 2-, 3- and 4-grams that a language \
            model asks for; both also packed (.xz, .gz). Without one, those in the folder traces \
            of LOCI_DATA are taken.
            """)

    @Argument(help: "Files with traces.")
    var traces: [String] = []
    @Option(help: "Sizes of the memory, in percent of a trace's different keys.")
    var sizes = PercentList(percents: [1, 3, 10, 30])
    @Flag(help: "Measure instead what a scan costs a Zipf stream that it interrupts.")
    var scan = false
    @Flag(help: "Measure instead the processor time of a hit and of a miss.")
    var costs = false
    @Option(help: "Where the random numbers start, for sketches and for --scan.")
    var seed: UInt64 = 1
    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func validate() throws {
        guard !(scan && costs), traces.isEmpty || !(scan || costs) else {
            throw ValidationError("--scan and --costs stand alone: they bring their own streams.")
        }
    }

    func run() throws {
        if scan { return try PolicyScanReport(seed: seed).print(asJSON: json) }
        if costs { return try PolicyCostReport(seed: seed).print(asJSON: json) }
        let files = traces.isEmpty ? TraceFile.all() : traces.map { TraceFile(path: $0) }
        guard !files.isEmpty else {
            throw LociError(
                .notFound, "There are no traces in \(TraceFile.folder).",
                advice: "Name trace files, or set LOCI_DATA to the folder of test data.")
        }
        var results: [PolicyResult] = []
        for file in files {
            let trace = try file.read()
            for percent in sizes.percents {
                if Terminal.showsProgress {
                    Terminal.note("\(file.name) at \(PercentList.text(percent)) %")
                }
                results.append(PolicyResult(file.name, trace, percent: percent, seed: seed))
            }
        }
        try PolicyReport(seed: seed, results: results).print(asJSON: json)
    }
}

/// Shares as people write them: `1,3,10`.
struct PercentList: ExpressibleByArgument {
    let percents: [Double]

    init(percents: [Double]) { self.percents = percents }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Double($0) }.filter { $0 > 0 && $0 <= 100 }
        guard numbers.count == parts.count else { return nil }
        percents = numbers
    }

    var defaultValueDescription: String { percents.map(Self.text).joined(separator: ",") }

    static func text(_ percent: Double) -> String {
        percent == percent.rounded() ? "\(Int(percent))" : "\(percent)"
    }
}

/// Hit ratios on one trace in one size of memory.
private struct PolicyResult: Encodable {
    let trace: String
    let requests: Int
    let keys: Int
    let percent: Double
    let pages: Int
    let hitRatios: [String: Double]
    let optimum: Double

    init(_ name: String, _ trace: AccessTrace, percent: Double, seed: UInt64) {
        let capacity = trace.capacity(percent: percent)
        self.trace = name
        requests = trace.requests.count
        keys = trace.keys.count
        self.percent = percent
        pages = capacity
        hitRatios = Dictionary(
            uniqueKeysWithValues: EvictionKind.allCases.map {
                ($0.rawValue, trace.hitRatio($0, capacity: capacity, seed: seed).ratio)
            })
        optimum = trace.optimalHitRatio(capacity: capacity).ratio
    }
}

private struct PolicyReport: Encodable {
    var version = LociVersion.program
    var commit = ProcessInfo.processInfo.environment["LOCI_COMMIT"] ?? "unknown"
    let seed: UInt64
    let results: [PolicyResult]

    func print(asJSON: Bool) throws {
        if asJSON { return try Terminal.printJSON(self) }
        let names = EvictionKind.allCases.map(\.rawValue)
        var table = Table(["trace", "#size", "#pages"] + (names + ["optimum"]).map { "#\($0)" })
        for result in results {
            let ratios = names.map { result.hitRatios[$0] ?? .nan } + [result.optimum]
            table.add(
                [result.trace, "\(PercentList.text(result.percent))%", Show.count(result.pages)]
                    + ratios.map { Show.decimal($0, places: 4) })
        }
        table.print()
    }
}
