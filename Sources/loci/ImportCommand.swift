import ArgumentParser
import Foundation
import LociClient
import LociImport

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Imports a file or a folder into a collection.",
        discussion: """
            Vectors: .npy .fvecs .bvecs .fbin .u8bin .jsonl; texts: .jsonl, .txt, .md and folders.
            Files may be gzip'd. An import that was interrupted goes on where it was when it is
            started again; no point appears twice.
            """)

    @Argument(help: "Name of the collection.")
    var collection: String
    @Argument(help: "A file or a folder.", completion: .file())
    var path: String
    @Option(
        help: "Payloads of a file of vectors: one JSON object per line, in the order of its rows.",
        completion: .file(extensions: ["jsonl", "gz"]))
    var payloads: String?
    @Option(help: "Points of one request: 1 to \(Limits.pointsPerRequest).")
    var batch = 1024
    @Option(
        help: ArgumentHelp(
            "Rows per second at most.",
            discussion: "So that queries are answered as fast as ever. Without it the cluster "
                + "takes rows as fast as it can."))
    var rate: Double?
    @Flag(help: "Start from the first row even if an earlier import was interrupted.")
    var restart = false
    @Flag(
        help: ArgumentHelp(
            "Import only points whose ids the collection does not have.",
            discussion: "After an import that was interrupted elsewhere, or long ago. Asks for ids "
                + "only: a point that has another vector or payload than the file stays."))
    var resume = false
    @Option(help: "How long to try again while the cluster is unavailable.")
    var patience = TimeSpan(duration: .seconds(30))
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (1...Limits.pointsPerRequest).contains(batch) else {
            throw ValidationError("--batch must be 1 to \(Limits.pointsPerRequest), not \(batch).")
        }
        if let rate, !(0.001...1e9).contains(rate) {
            throw ValidationError("--rate must be 0.001 to 1e9 rows per second, not \(rate).")
        }
        guard !restart || !resume else {
            throw ValidationError("--restart imports all rows, --resume those that are missing.")
        }
    }

    func run() async throws {
        let description = try Import.describe(path: path)
        let client = try common.client()
        let target = try await check(description, client)
        let status = try await client.status()
        let state = ImportState(
            cluster: status.clusterID, collection: "\(collection)/\(target.space)",
            paths: [path] + (payloads.map { [$0] } ?? []))
        // A collection that holds less than was imported has lost it: begin anew.
        let stored = try await client.count(collection).count
        let first = restart || resume || stored < state.rows ? 0 : state.rows
        let source =
            if let payloads {
                try Import.open(vectors: path, payloads: payloads, skippingRows: first)
            } else {
                try Import.open(path: path, skippingRows: first)
            }
        if first > 0 {
            Terminal.note("Resuming at row \(Show.count(first)); --restart starts from the first.")
        }
        let start = ContinuousClock.now
        var run = ImportRun(
            client: client, collection: collection, batch: batch, patience: patience.duration,
            state: state, first: first, onlyMissing: resume, rate: rate)
        let notices = try await run.run(
            source,
            progress: Progress(
                "import \(collection)", unit: "rows", total: description.rows, first: first))
        for notice in notices { Terminal.note(notice) }
        try report(run, first: first, seconds: (ContinuousClock.now - start).inSeconds)
    }

    /// What can be known before the first row is sent.
    private func check(
        _ source: SourceDescription, _ client: LociClient
    ) async throws -> CollectionDefinition {
        guard let target = try await client.describe().collection(named: collection) else {
            let kind = source.isText ? "--text" : "--dimension \(source.dimension ?? 0)"
            throw LociError(
                .notFound, "There is no collection '\(collection)'.",
                advice: "Create it first: loci collection create \(collection) \(kind)")
        }
        guard target.isText == source.isText else {
            throw LociError(
                .invalidArgument,
                "\(path) holds \(source.isText ? "texts" : "vectors"), and '\(collection)' holds "
                    + "\(target.isText ? "texts" : "vectors").",
                advice: "Choose another collection, or create one that fits.")
        }
        if !target.isText, let dimension = source.dimension, dimension != target.dimension {
            throw LociError(
                .invalidArgument,
                "\(path) has vectors of \(dimension) elements, and '\(collection)' of "
                    + "\(target.dimension).",
                advice: "Choose another collection, or create one with --dimension \(dimension).")
        }
        return target
    }

    private func report(_ run: ImportRun, first: UInt64, seconds: Double) throws {
        let rows = run.acknowledged - first - run.present
        let rate = seconds > 0 ? Double(rows) / seconds : 0
        if common.json {
            try Terminal.printJSON(
                ImportReport(
                    collection: collection, path: path, rows: rows, resumedAt: first,
                    present: run.present,
                    retries: run.retries, seconds: seconds, rowsPerSecond: rate,
                    receipt: ReceiptReport(run.receipt)))
        } else {
            let time = Show.decimal(seconds, places: seconds < 1 ? 3 : 1)
            print(
                "Imported \(Show.amount(rows, "row")) into '\(collection)' in \(time) s: "
                    + "\(Show.count(UInt64(rate))) rows/s.")
            if resume { print("\(Show.amount(run.present, "row")) were there already.") }
        }
    }
}

/// An import as JSON.
private struct ImportReport: Encodable {
    let collection: String
    let path: String
    let rows: UInt64
    let resumedAt: UInt64
    let present: UInt64
    let retries: Int
    let seconds: Double
    let rowsPerSecond: Double
    let receipt: ReceiptReport
}
