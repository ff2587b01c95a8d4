import ArgumentParser
import LociClient

struct TuneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Finds the cheapest radius that reaches a recall, and stores it.",
        discussion: """
            loci tune news --recall 0.95 --sample 1000
            Random points of the collection are the queries, each without itself in the answer;
            exact queries say what is true. One half of them chooses, the other half verifies.
            Queries that name this recall, or none, use what was stored.
            """)

    @Argument(help: "Name of the collection.")
    var collection: String
    @Option(help: "The part of the true neighbours that queries shall find.")
    var recall: Float = 0.95
    @Option(help: "Points to try: 20 to \(Limits.pointsPerRequest).")
    var sample = 1000
    @Option(name: .customShort("k"), help: "Neighbours of a query: 1 to \(Limits.neighbours - 1).")
    var neighbours = 10
    @Option(help: "Another number draws another sample.")
    var seed: UInt64 = 1
    @Flag(help: "Print what was found, and store nothing.")
    var dryRun = false
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard recall > 0, recall < 1 else {
            throw ValidationError("--recall must be above 0 and below 1, such as 0.95.")
        }
        guard (20...Limits.pointsPerRequest).contains(sample) else {
            throw ValidationError(
                "--sample must be 20 to \(Limits.pointsPerRequest), not \(sample).")
        }
        guard (1..<Limits.neighbours).contains(neighbours) else {
            throw ValidationError("-k must be 1 to \(Limits.neighbours - 1), not \(neighbours).")
        }
        guard seed > 0 else { throw ValidationError("--seed must not be 0.") }
    }

    func run() async throws {
        let client = try common.client()
        let (steps, continuation) = AsyncStream.makeStream(of: TuningProgress.self)
        let title = "tune \(collection): exact answers"
        let total = UInt64(sample)
        let drawing = Task {
            var progress = Progress(title, unit: "queries", total: total)
            var isExact = true
            for await step in steps {
                switch step {
                case .exact(let done, _): progress.update(UInt64(done))
                case .tried:
                    if isExact { progress.finish() }
                    isExact = false
                }
            }
            if isExact { progress.finish() }
        }
        let outcome: Result<Tuned, LociError>
        do throws(LociError) {
            outcome = .success(
                try await client.tune(
                    collection, recall: recall, neighbours: neighbours, sample: sample, seed: seed
                ) { continuation.yield($0) })
        } catch {
            outcome = .failure(error)
        }
        continuation.finish()
        await drawing.value
        let tuned = try outcome.get()
        if let chosen = tuned.chosen, !dryRun { try await store(chosen, client) }
        if common.json {
            try Terminal.printJSON(TuningReport(collection, tuned, isStored: !dryRun))
        } else {
            show(tuned)
        }
        if tuned.chosen == nil { throw notReached(tuned) }
    }

    /// Puts the setting among those of other recalls.
    private func store(_ chosen: RecallSetting, _ client: LociClient) async throws {
        let stored = try await client.collectionReport(collection).tuning
        let others = stored.filter { $0.recall != chosen.recall }
        try await client.storeTuning(
            collection, (others + [chosen]).sorted { $0.recall < $1.recall })
    }

    private func show(_ tuned: Tuned) {
        var table = Table(
            "#hard locations, least", "#radius", "#recall", "#codes", "#vectors", "#cost",
            "#active", "#shards", "")
        for tried in tuned.tried {
            let isChosen =
                tried.setting.probes == tuned.chosen?.probes
                && tried.setting.radius == tuned.chosen?.radius
            table.add(row(tried, tuned, isChosen ? "chosen" : ""))
        }
        table.add(row(tuned.verified, tuned, "on the other half"))
        table.print()
        print(
            "Means of \(tuned.sample / 2) queries for \(neighbours) neighbours; cost: a vector "
                + "counts as \(Show.decimal(tuned.vectorInCodes, places: 1)) codes.")
        guard let chosen = tuned.chosen else { return }
        let setting =
            "at least \(Show.amount(chosen.probes, "hard location")), radius "
            + "\(Show.decimal(Double(chosen.radius), places: 2))"
        print(
            dryRun
                ? "For a recall of \(chosen.recall): \(setting). Nothing was stored."
                : "Stored for a recall of \(chosen.recall): \(setting).")
    }

    private func row(_ measured: MeasuredSetting, _ tuned: Tuned, _ note: String) -> [String] {
        [
            "\(measured.setting.probes)",
            Show.decimal(Double(measured.setting.radius), places: 2),
            Show.decimal(Double(measured.setting.recall), places: 4),
            Show.decimal(measured.codesScanned, places: 0),
            Show.decimal(measured.vectorsCompared, places: 1),
            Show.decimal(measured.cost(vectorInCodes: tuned.vectorInCodes), places: 0),
            Show.decimal(measured.locationsActive, places: 1),
            Show.decimal(measured.shardsAsked, places: 2), note,
        ]
    }

    private func notReached(_ tuned: Tuned) -> LociError {
        let best = Show.decimal(Double(tuned.verified.setting.recall), places: 3)
        return LociError(
            .failedPrecondition,
            "No radius reaches a recall of \(recall) on both halves; the best reached \(best).",
            advice: "Take a larger --sample or a lower --recall; queries can ask with --exact.")
    }
}

/// What tuning has found, as JSON.
private struct TuningReport: Encodable {
    struct Tried: Encodable {
        let hardLocations: UInt32
        let radius: Float
        let recall: Float
        let codesScanned: Double
        let vectorsCompared: Double
        let cost: Double
        let hardLocationsActive: Double
        let shardsAsked: Double

        init(_ measured: MeasuredSetting, _ tuned: Tuned) {
            hardLocations = measured.setting.probes
            radius = measured.setting.radius
            recall = measured.setting.recall
            codesScanned = measured.codesScanned
            vectorsCompared = measured.vectorsCompared
            cost = measured.cost(vectorInCodes: tuned.vectorInCodes)
            hardLocationsActive = measured.locationsActive
            shardsAsked = measured.shardsAsked
        }
    }

    let collection: String
    let sample: Int
    let tried: [Tried]
    let verified: Tried
    let chosen: SettingReport?
    let stored: Bool

    init(_ collection: String, _ tuned: Tuned, isStored: Bool) {
        self.collection = collection
        sample = tuned.sample
        tried = tuned.tried.map { Tried($0, tuned) }
        verified = Tried(tuned.verified, tuned)
        chosen = tuned.chosen.map(SettingReport.init)
        stored = isStored && tuned.chosen != nil
    }
}
