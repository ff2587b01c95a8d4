import ArgumentParser
import LociBase
import LociClient
import LociModel
import LociSearch

struct BenchComplete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "complete",
        abstract: "Counts the noisy patterns that a cluster restores.",
        discussion: """
            loci bench complete digits --patterns base.npy --noise 50,100
            Adds noise to rows of the file, which the points have to be, and has them completed; \
            beside it stands the exact softmax over all rows, in this process, with the beta that \
            the cluster took. An address that reaches less than all points makes them differ.
            Without --patterns, a collection of random vectors of -1 and 1, compared by dot \
            product, is created under the name and dropped at the end. With 10,000 of 64 \
            dimensions, --flips, --steps 1 and --beta 0.5, at least 99, 97 and at most 10 % are \
            restored with 10, 20 and 30 % noise; where they are not, the exit status is 1.
            """)

    @Argument(help: "Name of the collection.")
    var collection: String
    @Option(help: "A file of vectors; ids of the points are its row numbers.", completion: .file())
    var patterns: String?
    @Option(help: "Random vectors, without --patterns: 1 to 1,000,000.")
    var count = 10_000
    @Option(help: "Their dimension: 1 to \(Limits.dimension).")
    var dimension = 64
    @Option(help: "Noise, in percent of a vector's length, or with --flips of its elements.")
    var noise = NoiseList(percents: [10, 20, 30])
    @Flag(help: "Turn signs over instead of adding normal noise; restored is if all are right.")
    var flips = false
    @Option(help: "Patterns for each noise: 1 to 100,000.")
    var queries = 200
    @Option(help: "Steps at most: 1 to \(Limits.steps).")
    var steps = 5
    @Option(help: "Inverse temperature; 0: chosen from the data.")
    var beta: Float = 0
    @Option(help: "Exit with 1 if any differs by a larger share from the exact softmax.")
    var within: Double?
    @Option(help: "Where the random numbers start.")
    var seed: UInt64 = 1
    @OptionGroup var width: WidthOptions
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (1...1_000_000).contains(count), (1...Limits.dimension).contains(dimension),
            count * dimension <= 1 << 28
        else {
            throw ValidationError("--count times --dimension must be 1 to \(1 << 28).")
        }
        guard (1...100_000).contains(queries) else {
            throw ValidationError("--queries must be 1 to 100000, not \(queries).")
        }
        guard (1...Int(Limits.steps)).contains(steps) else {
            throw ValidationError("--steps must be 1 to \(Limits.steps), not \(steps).")
        }
        guard !flips || noise.percents.allSatisfy({ $0 <= 100 }) else {
            throw ValidationError("With --flips, --noise is at most 100.")
        }
        guard beta >= 0, beta.isFinite, (within ?? 0) >= 0 else {
            throw ValidationError("--beta and --within must not be negative.")
        }
    }

    func run() async throws {
        let client = try common.client()
        var random = SeededRandom(seed: seed)
        guard let path = patterns else {
            let patterns = CompletionPatterns(bipolar: count, dimension: dimension, using: &random)
            try await client.createCollection(collection, dimension: dimension, metric: .dot)
            let lines: [CompletionLine]
            do {
                _ = try await client.upsert(
                    collection, ids: (0..<count).map(PointID.init),
                    vectors: patterns.rows.values(Float.self))
                lines = try await measure(patterns, client, &random)
            } catch {
                try? await client.dropCollection(collection)
                throw error
            }
            try await client.dropCollection(collection)
            return try show(lines)
        }
        guard let definition = try await client.describe().collection(named: collection) else {
            throw LociError(.notFound, "There is no collection '\(collection)'.")
        }
        let patterns = try CompletionPatterns(path: path, metric: definition.metric)
        try show(try await measure(patterns, client, &random))
    }

    private func measure(
        _ patterns: CompletionPatterns, _ client: LociClient, _ random: inout SeededRandom
    ) async throws -> [CompletionLine] {
        try await settle(client, points: UInt64(patterns.count))
        var lines: [CompletionLine] = []
        var progress = Progress(
            "complete", unit: "patterns", total: UInt64(queries * noise.percents.count))
        for percent in noise.percents {
            var line = CompletionLine(noise: percent, mark: mark(percent))
            for _ in 0..<queries {
                let row = random.below(patterns.count)
                let vector =
                    flips
                    ? patterns.flipped(row, share: percent / 100, using: &random)
                    : patterns.noisy(row, share: percent / 100, using: &random)
                let restored = try await client.complete(
                    collection, vector: vector, steps: steps, beta: beta, probes: width.probes,
                    radius: width.radius, recall: width.recall)
                let exact = patterns.complete(vector, steps: steps, beta: restored.beta)
                line.add(
                    restored, exact: exact, isRestored: isRow(row, restored.vector, patterns),
                    isExactRestored: isRow(row, exact.state, patterns))
                progress.update(UInt64(lines.count * queries + line.queries))
            }
            lines.append(line)
        }
        progress.finish()
        return lines
    }

    /// Points that move from one partition or posting to another may be missed, or count twice: a
    /// second without any, within half a minute.
    private func settle(_ client: LociClient, points: UInt64) async throws {
        var quiet = 0
        for _ in 0..<150 where quiet < 5 {
            let status = try await client.status()
            let state = status.collections.first { $0.name == collection }
            // Fewer are not learned from.
            let isLearned = status.partitions == 1 || points < 2048 || state?.generation != 0
            let isQuiet = isLearned && state?.isMoving == false && state?.points == points
            quiet = isQuiet ? quiet + 1 : 0
            try await Task.sleep(for: .milliseconds(200))
        }
        guard quiet == 5 else {
            throw LociError(
                .failedPrecondition,
                "'\(collection)' does not have \(points) points that rest where they belong.",
                advice: "Give the file that it was imported from, or try again when `loci status` "
                    + "shows no points on the move.")
        }
    }

    /// With flips all signs have to be those of the row; else no other row may be nearer.
    private func isRow(_ row: Int, _ state: [Float], _ patterns: CompletionPatterns) -> Bool {
        guard flips else { return patterns.nearest(state) == row }
        return zip(state, patterns[row]).allSatisfy { ($0 < 0) == ($1 < 0) }
    }

    private func mark(_ percent: Double) -> ClosedRange<Double>? {
        guard patterns == nil, count == 10_000, dimension == 64, flips, steps == 1, beta == 0.5
        else { return nil }
        return switch percent {
        case 10: 0.99...1
        case 20: 0.97...1
        case 30: 0...0.1
        default: nil
        }
    }

    private func show(_ lines: [CompletionLine]) throws {
        if common.json {
            try Terminal.printJSON(lines)
        } else {
            var table = Table(
                "#noise", "#restored", "#by exact softmax", "#steps", "#fixed points",
                "#familiarity", "#beta", "#largest difference", "mark")
            for line in lines { table.add(line.cells) }
            table.print()
        }
        let isMissed = lines.contains { $0.isMissed || $0.largestDifference > within ?? .infinity }
        if isMissed { throw Loci.failure }
        if let partial = lines.compactMap(\.partial).first {
            try Terminal.leavePartial(partial)
        }
    }
}

/// Percentages from 0 to 1,000, separated by commas.
struct NoiseList: ExpressibleByArgument {
    let percents: [Double]

    init(percents: [Double]) { self.percents = percents }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        percents = parts.compactMap { Double($0) }.filter { (0...1000).contains($0) }
        if percents.count != parts.count { return nil }
    }

    var defaultValueDescription: String {
        percents.map(PercentList.text).joined(separator: ",")
    }
}

/// What was restored at one noise; means over the patterns.
private struct CompletionLine: Encodable {
    let noise: Double
    private(set) var queries = 0
    private(set) var restored = 0
    private(set) var restoredByExactSoftmax = 0
    private(set) var steps = 0
    private(set) var fixedPoints = 0
    private(set) var familiarity = 0.0
    private(set) var beta = 0.0
    /// Of a restored vector from the exact one, over its length.
    private(set) var largestDifference = 0.0
    private(set) var partial: Receipt?
    private let mark: ClosedRange<Double>?

    private enum CodingKeys: CodingKey {
        case noise, queries, restored, restoredByExactSoftmax, steps, fixedPoints, familiarity,
            beta, largestDifference
    }

    init(noise: Double, mark: ClosedRange<Double>?) {
        self.noise = noise
        self.mark = mark
    }

    mutating func add(
        _ completion: Completion, exact: DenseAssociation, isRestored: Bool, isExactRestored: Bool
    ) {
        queries += 1
        restored += isRestored ? 1 : 0
        restoredByExactSoftmax += isExactRestored ? 1 : 0
        steps += completion.steps
        fixedPoints += completion.hasConverged ? 1 : 0
        familiarity += Double(completion.familiarity)
        beta += Double(completion.beta)
        largestDifference = max(
            largestDifference,
            CompletionPatterns.difference(completion.vector, from: exact.state))
        if completion.isDegraded { partial = completion.receipt }
    }

    var isMissed: Bool { mark.map { !$0.contains(share(Double(restored))) } ?? false }

    var cells: [String] {
        [
            "\(PercentList.text(noise))%", Show.decimal(share(Double(restored)), places: 3),
            Show.decimal(share(Double(restoredByExactSoftmax)), places: 3),
            Show.decimal(share(Double(steps)), places: 2),
            Show.decimal(share(Double(fixedPoints)), places: 3),
            Show.decimal(share(familiarity), places: 4), Show.significant(share(beta)),
            Show.significant(largestDifference),
            mark == nil ? "" : isMissed ? "missed" : "met",
        ]
    }

    private func share(_ sum: Double) -> Double { sum / Double(max(queries, 1)) }
}
