import ArgumentParser
import Glibc
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
            loci bench search --base base.fbin --queries queries.fbin --truth truth.ivecs
            A collection of one partition, without a cluster: what a shard does, without messages.
            Ids are row numbers. One line for each setting: recall, CPU time, codes, vectors.
            """)

    @Option(help: "A file of vectors.", completion: .file())
    var base: String
    @Option(help: "A file of vectors, one query per row.", completion: .file())
    var queries: String
    @Option(help: "An .ivecs file with the true nearest rows of every query.", completion: .file())
    var truth: String
    @Option(help: "Bits of each dimension in a posting's codes: 1 to 8.")
    var bits = CollectionOptions.standardCodeBits
    @Option(help: "Hard locations that a point's code is written to, at most.")
    var copies = 1
    @Option(help: "Rows above which a posting is split.")
    var splitAbove = SearchTuning().splitAbove
    @Option(name: .customShort("k"), help: "How many neighbours.")
    var neighbours = 10
    @Option(help: "Hard locations that a query activates at most; several, separated by commas.")
    var probes = "8,16,32,64"
    @Option(
        help: "Hard locations are active within this factor of the nearest one's squared distance.")
    var radius = "inf"
    @Option(help: "Standard deviations that a code's bound leaves room for.")
    var bound = "1.9"
    @Option(help: "Mebibytes of pages in memory.")
    var dram = 4096
    @Option(help: "Folder of the collection; one that holds it already is searched as it is.")
    var folder: String
    @Option(help: "Rounds over all queries; the median counts.")
    var rounds = 3

    func run() throws {
        let (rows, dimension, values) = try Import.readFloats(path: queries)
        let nearest = try Import.readTruth(path: truth)
        guard nearest.count >= rows else {
            throw LociError(.invalidArgument, "\(truth) answers fewer queries than there are.")
        }
        var tuning = SearchTuning()
        tuning.splitAbove = splitAbove
        let started = (Clock.now(), processMicroseconds())
        let collection = try LocalCollection(
            folder: folder, dimension: dimension, metric: .l2,
            options: CollectionOptions(codeBits: bits, copies: copies),
            dramBytes: dram << 20, tuning: tuning)
        if try collection.report().points == 0 { try fill(collection) }
        let report = try collection.report()
        say(
            "built \(report.points) points, \(report.locations) hard locations, \(report.splits) "
                + "splits, \(report.moved) moved of \(report.evaluated) looked at; "
                + "\(Clock.now().microseconds(since: started.0) / 1000) ms, CPU "
                + "\((processMicroseconds() - started.1) / 1000) ms, resident "
                + "\(StoreFigures.residentMebibytes()) MiB, codes \(report.codeBytes >> 20) MiB, "
                + "vectors \(report.vectorBytes >> 20) MiB, tables \(report.tableBytes >> 20) MiB, "
                + "hard locations \(report.locationBytes >> 20) MiB")
        for setting in settings {
            try measure(collection, setting, rows, dimension, values, nearest)
        }
    }

    private struct Setting { let probes: Int, radius: Float, bound: Float }

    private var settings: [Setting] {
        probes.split(separator: ",").flatMap { probes in
            radius.split(separator: ",").flatMap { radius in
                bound.split(separator: ",").map { bound in
                    Setting(
                        probes: Int(probes) ?? 16, radius: Float(String(radius)) ?? .infinity,
                        bound: Float(String(bound)) ?? 1.9)
                }
            }
        }
    }

    private func fill(_ collection: LocalCollection) throws {
        var source = try Import.open(path: base)
        var first: PointID = 0
        while let batch = try source.next(1024) {
            let count = batch.count
            try collection.upsert(
                (0..<count).map { first + PointID($0) }, vectors: Bytes(values: batch.vectors),
                payloads: Array(repeating: Bytes(), count: count))
            first += PointID(count)
        }
    }

    private func measure(
        _ collection: LocalCollection, _ setting: Setting, _ rows: Int, _ dimension: Int,
        _ values: [Float], _ nearest: [[Int32]]
    ) throws {
        var times: [(cpu: Double, wall: Double)] = []
        var found = 0
        var (codes, vectors, locations, hard) = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        for round in 0..<rounds {
            let start = (Clock.now(), processMicroseconds())
            for row in 0..<rows {
                let vector = Array(values[(row * dimension)..<((row + 1) * dimension)])
                let (matches, receipt) = try collection.query(
                    vector, k: neighbours, probes: setting.probes, radius: setting.radius,
                    bound: setting.bound)
                guard round == 0 else { continue }
                let truth = Set(nearest[row].prefix(neighbours).map(PointID.init))
                found += matches.count { truth.contains($0.id) }
                codes += receipt.codesScanned
                vectors += receipt.vectorsScored
                locations += UInt64(receipt.locationsActive)
                hard += receipt.tiers[.ssd].hard
            }
            times.append(
                (
                    Double(processMicroseconds() - start.1) / Double(rows),
                    Double(Clock.now().microseconds(since: start.0)) / Double(rows)
                ))
        }
        let cpu = times.map(\.cpu).sorted()[times.count / 2]
        let wall = times.map(\.wall).sorted()[times.count / 2]
        let recall = Double(found) / Double(rows * neighbours)
        let count = Double(rows)
        say(
            "probes \(setting.probes) radius \(setting.radius) bound \(setting.bound): recall "
                + "\(rounded(recall, 4)), CPU \(rounded(cpu, 1)) us, \(Int(1_000_000 / wall)) "
                + "queries/s, locations \(rounded(Double(locations) / count, 1)), codes "
                + "\(rounded(Double(codes) / count, 0)), vectors "
                + "\(rounded(Double(vectors) / count, 1)), page-ins "
                + "\(rounded(Double(hard) / count / 1, 2))")
    }

    private func say(_ line: String) { print(line) }

    private func rounded(_ value: Double, _ digits: Int) -> String {
        let factor = pow(10, Double(digits))
        let rounded = (value * factor).rounded() / factor
        return digits == 0 ? String(Int(rounded)) : String(rounded)
    }

    private func processMicroseconds() -> UInt64 {
        UInt64(StoreFigures.processorSeconds() * 1e6)
    }
}
