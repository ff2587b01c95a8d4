import ArgumentParser
import LociClient

struct CollectionInfoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Explains one collection: its points, postings and bytes.")

    @Argument(help: "Name of the collection.")
    var collection: String
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let client = try common.client()
        guard let definition = try await client.describe().collection(named: collection) else {
            throw noCollection(collection)
        }
        let report = try await client.collectionReport(collection)
        if common.json {
            try Terminal.printJSON(CollectionDetails(definition, report))
        } else {
            show(definition, report)
            if explanation.explain { report.receipt.printTable() }
        }
        if !report.receipt.isComplete { try Terminal.leavePartial(report.receipt) }
    }

    private func show(_ definition: CollectionDefinition, _ report: CollectionReport) {
        let options = definition.options
        var table = Table("collection", definition.name)
        table.add("kind", definition.isText ? "text" : "vectors")
        table.add("dimension", "\(definition.dimension)")
        table.add("metric", definition.metric.name)
        table.add("codes", "\(options.codeBits) bits an element")
        table.add("copies", "\(options.copies)")
        if !options.indexedFields.isEmpty {
            table.add("indexes", options.indexedFields.joined(separator: " "))
        }
        table.add("points", Show.count(report.points))
        table.add("shards", Show.count(report.shards))
        table.add("hard locations", Show.count(report.locations))
        table.add("generation", Show.count(report.generation))
        table.add("routing", routing(report))
        if report.recallEstimate > 0 {
            table.add("recall, as tuned", Show.decimal(Double(report.recallEstimate), places: 3))
        }
        table.add("codes in postings", Show.count(report.rows))
        table.add("  of them stale", Show.count(report.staleRows))
        table.add("  longest posting", Show.count(report.longestPosting))
        table.add(
            "since the start",
            "\(Show.amount(report.splits, "split")), \(Show.amount(report.merges, "merge")), "
                + "\(Show.amount(report.moved, "point")) moved of \(Show.count(report.evaluated)) "
                + "looked at")
        table.print()
        showPostings(report)
        showBytes(report)
        showTuning(report)
    }

    private func routing(_ report: CollectionReport) -> String {
        if report.isUnroutable { return "unroutable: no clusters, every shard is asked" }
        guard report.meanPartitions > 0 else { return "by address" }
        let mean = Show.decimal(report.meanPartitions, places: 1)
        return "by address, \(mean) partitions a query"
    }

    /// How many postings have how many codes.
    private func showPostings(_ report: CollectionReport) {
        guard let most = report.postingLengths.max(), most > 0 else { return }
        var table = Table("#codes", "#postings", "")
        for (bucket, count) in report.postingLengths.enumerated() {
            let first = bucket == 0 ? 0 : UInt64(1) << bucket
            let last = bucket >= 63 ? UInt64.max : (UInt64(1) << (bucket + 1)) - 1
            let bar = Int((Double(count) / Double(most) * 40).rounded(.up))
            table.add(
                "\(first)-\(last)", Show.count(count), String(repeating: "#", count: bar))
        }
        print()
        table.print()
    }

    private func showBytes(_ report: CollectionReport) {
        var table = Table("bytes", "#")
        table.add("codes", Show.bytes(report.codeBytes))
        table.add("vectors", Show.bytes(report.vectorBytes))
        table.add("payloads", Show.bytes(report.payloadBytes))
        table.add("indexes, in memory", Show.bytes(report.indexBytes))
        table.add("tables, in memory", Show.bytes(report.tableBytes))
        table.add("hard locations, in memory", Show.bytes(report.locationBytes))
        for tier in report.tiers.sorted(by: { $0.tier < $1.tier }) {
            table.add("pages in \(tier.tier.name)", Show.bytes(tier.bytes))
        }
        print()
        table.print()
    }

    private func showTuning(_ report: CollectionReport) {
        print()
        guard !report.tuning.isEmpty else {
            return print("Not tuned: loci tune \(collection) --recall 0.95")
        }
        var table = Table("#recall", "#hard locations, least", "#radius")
        for setting in report.tuning {
            table.add(
                Show.decimal(Double(setting.recall), places: 3), "\(setting.probes)",
                Show.decimal(Double(setting.radius), places: 2))
        }
        table.print()
    }
}

/// A setting as JSON.
struct SettingReport: Encodable {
    let recall: Float
    let hardLocations: UInt32
    let radius: Float

    init(_ setting: RecallSetting) {
        recall = setting.recall
        hardLocations = setting.probes
        radius = setting.radius
    }
}

/// A collection and what it is made of, as JSON.
private struct CollectionDetails: Encodable {
    struct Posting: Encodable {
        let from: UInt64
        let postings: UInt64
    }

    struct Bytes: Encodable {
        let codes: UInt64
        let vectors: UInt64
        let payloads: UInt64
        let indexes: UInt64
        let tables: UInt64
        let hardLocations: UInt64
        let tiers: [String: UInt64]
    }

    let name: String
    let dimension: Int
    let metric: String
    let isText: Bool
    let codeBits: Int
    let copies: Int
    let indexes: [String]
    let points: UInt64
    let shards: UInt32
    let hardLocations: UInt64
    let generation: UInt32
    let isUnroutable: Bool
    let meanPartitions: Double
    let recallEstimate: Float?
    let codes: UInt64
    let staleCodes: UInt64
    let splits: UInt64
    let merges: UInt64
    let moved: UInt64
    let evaluated: UInt64
    let longestPosting: UInt64
    let postings: [Posting]
    let bytes: Bytes
    let tuning: [SettingReport]
    let receipt: ReceiptReport

    init(_ definition: CollectionDefinition, _ report: CollectionReport) {
        name = definition.name
        dimension = definition.dimension
        metric = definition.metric.name
        isText = definition.isText
        codeBits = definition.options.codeBits
        copies = definition.options.copies
        indexes = definition.options.indexedFields
        points = report.points
        shards = report.shards
        hardLocations = report.locations
        generation = report.generation
        isUnroutable = report.isUnroutable
        meanPartitions = report.meanPartitions
        recallEstimate = report.recallEstimate > 0 ? report.recallEstimate : nil
        codes = report.rows
        staleCodes = report.staleRows
        splits = report.splits
        merges = report.merges
        moved = report.moved
        evaluated = report.evaluated
        longestPosting = report.longestPosting
        postings = report.postingLengths.enumerated().map { bucket, count in
            Posting(from: bucket == 0 ? 0 : UInt64(1) << bucket, postings: count)
        }
        bytes = Bytes(
            codes: report.codeBytes, vectors: report.vectorBytes, payloads: report.payloadBytes,
            indexes: report.indexBytes, tables: report.tableBytes,
            hardLocations: report.locationBytes,
            tiers: Dictionary(
                report.tiers.map { ($0.tier.name, $0.bytes) }, uniquingKeysWith: { $1 }))
        tuning = report.tuning.map(SettingReport.init)
        receipt = ReceiptReport(report.receipt)
    }
}
