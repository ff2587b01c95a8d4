import ArgumentParser
import Foundation
import LociBase
import LociClient
import LociImport
import LociModel
import LociRuntime
import LociSearch

struct BenchSearch: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Measures queries by vector in this process.",
        discussion: """
            loci bench search --base base.npy --queries queries.npy --truth truth.ivecs --folder F
            A collection of one partition, without a cluster: what a shard does, without messages. \
            Ids are row numbers. It is built in the folder if it is not there yet, then opened \
            anew; every setting is asked once unmeasured and then --rounds times. Processor time \
            is user and system time of the whole process; latency is of single queries.
            With --threads N each thread asks all queries of a collection of its own, with its own \
            --dram: thread 1 uses the folder, the others copies FOLDER.2 ..., made once.
            With --filter-share every point has a payload {"u": N}, N from 0 to 999999, hashed \
            from its row, with an index on u; queries ask for u < share * 1000000, and truth is \
            what an exact query with that filter answers. A folder keeps what it was built with.
            """)

    @Option(help: "A file of vectors.", completion: .file())
    var base: String
    @Option(help: "A file of vectors, one query per row.", completion: .file())
    var queries: String
    @Option(
        help: "An .ivecs file with the true nearest rows of every query; not for filters.",
        completion: .file())
    var truth: String?
    @Option(help: "How vectors are compared: l2, cosine or dot.", transform: Self.metric)
    var metric = Metric.l2
    @Option(help: "Bits of each dimension in a posting's codes: 1 to 8.")
    var bits = CollectionOptions.standardCodeBits
    @Option(help: "Hard locations that a point's code is written to, at most.")
    var copies = 1
    @Option(help: "Rows above which a posting is split.")
    var splitAbove = SearchTuning().splitAbove
    @Option(name: .customShort("k"), help: "How many neighbours: 1 to \(Limits.neighbours).")
    var neighbours = 10
    @Option(help: "Hard locations that a query activates at most; several, separated by commas.")
    var probes = "8,16,32,64"
    @Option(
        help: "Hard locations are active within this factor of the nearest one's squared distance.")
    var radius = "inf"
    @Option(help: "Standard deviations that a code's bound leaves room for.")
    var bound = "1.9"
    @Flag(help: "Read settings from standard input: a line each of PROBES RADIUS BOUND.")
    var settingsFromInput = false
    @Option(help: "Parts of the points that pass a filter, such as 0.5,0.01.")
    var filterShare = ""
    @Option(help: "Mebibytes of pages in memory: at least 16.")
    var dram = 4096
    @Option(help: "Threads that ask at once: 1 to 64.")
    var threads = 1
    @Option(help: "Folder of the collection; one that holds it already is searched as it is.")
    var folder: String
    @Option(help: "Of the base's rows, so many at its end are inserted and timed apart.")
    var inserts: UInt64 = 0
    @Option(help: "Ask only the first so many queries; 0: all.")
    var first = 0
    @Option(help: "Measured rounds over all queries: 1 to 1000.")
    var rounds = 3
    @Flag(help: "Build only.")
    var buildOnly = false
    @Flag(help: "Print JSON, an object a line.")
    var json = false

    private static func metric(_ name: String) throws -> Metric {
        guard let metric = Metric(name: name) else {
            throw ValidationError("'\(name)' is not a metric. Choose l2, cosine or dot.")
        }
        return metric
    }

    private var shares: [Double] {
        if filterShare.isEmpty { return [] }
        return filterShare.split(separator: ",", omittingEmptySubsequences: false).map {
            Double($0) ?? 0
        }
    }

    func validate() throws {
        guard (1...Limits.neighbours).contains(neighbours) else {
            throw ValidationError("-k must be 1 to \(Limits.neighbours), not \(neighbours).")
        }
        guard (1...64).contains(threads) else {
            throw ValidationError("--threads must be 1 to 64, not \(threads).")
        }
        guard (1...1000).contains(rounds) else {
            throw ValidationError("--rounds must be 1 to 1000, not \(rounds).")
        }
        guard (16...(1 << 24)).contains(dram) else {
            throw ValidationError("--dram is at least 16.")
        }
        guard first >= 0 else { throw ValidationError("--first must not be negative.") }
        guard splitAbove >= 2 else { throw ValidationError("--split-above is at least 2.") }
        guard shares.allSatisfy({ $0 > 0 && $0 <= 1 }) else {
            throw ValidationError(
                "--filter-share must be parts above 0 up to 1, not \(filterShare).")
        }
        guard buildOnly || truth != nil || !filterShare.isEmpty else {
            throw ValidationError("Give --truth, or --filter-share, or --build-only.")
        }
        _ = try settings()
    }

    func run() throws {
        let workload = try SearchWorkload(
            queries: queries, truth: truth, metric: metric, k: neighbours, first: first)
        let residentBefore = ProcessMemory.residentMebibytes()
        let plan = SearchSeat.Plan(
            folder: folder, dimension: workload.dimension, metric: metric,
            options: CollectionOptions(
                codeBits: bits, copies: copies, indexedFields: filterShare.isEmpty ? [] : ["u"]),
            dramBytes: dram << 20, splitAbove: splitAbove)
        let built = try SearchBuild(plan: plan, base: base, inserts: inserts).run()
        try built.show(asJSON: json)
        if buildOnly { return }
        let seats = try (0..<threads).map { try SearchSeat(plan.copied(for: $0)) }
        let run = SearchRun(seats: seats, rounds: rounds, residentBefore: residentBefore)
        let workloads = try run.workloads(workload, shares: shares)
        for setting in settingsFromInput ? [] : try settings() {
            try measure(setting, of: workloads, run)
        }
        while settingsFromInput, let setting = try Self.nextSetting() {
            try measure(setting, of: workloads, run)
        }
    }

    private func measure(
        _ setting: SearchSetting, of workloads: [SearchWorkload], _ run: SearchRun
    ) throws {
        for workload in workloads {
            try run.measure(workload, setting).show(asJSON: json)
        }
    }

    /// What the next line of standard input asks for; nil at its end.
    private static func nextSetting() throws -> SearchSetting? {
        guard let line = readLine() else { return nil }
        let words = line.split(separator: " ")
        guard words.count == 3, let setting = SearchSetting(words[0], words[1], words[2]) else {
            throw LociError(
                .invalidArgument, "'\(line)' is not PROBES RADIUS BOUND.",
                advice: "Give lines such as '16 inf 1.9'.")
        }
        return setting
    }

    private func settings() throws -> [SearchSetting] {
        func parts(_ text: String) -> [Substring] {
            text.split(separator: ",", omittingEmptySubsequences: false)
        }
        var settings: [SearchSetting] = []
        for radius in parts(radius) {
            for bound in parts(bound) {
                for probes in parts(probes) {
                    guard let setting = SearchSetting(probes, radius, bound) else {
                        throw ValidationError(
                            "'\(probes) \(radius) \(bound)' is no setting: --probes 1 to "
                                + "\(SearchTuning.mostProbes), --radius 1 or more or inf, --bound "
                                + "above 0.")
                    }
                    settings.append(setting)
                }
            }
        }
        return settings
    }
}
