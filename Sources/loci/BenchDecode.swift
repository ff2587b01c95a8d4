import ArgumentParser
import LociClient

struct BenchDecode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode", abstract: "Measures a decode loop that reads table rows.",
        discussion: """
            For every token the numbers of all its rows are known when the token before is sampled.
            The first half is needed when --first of the forward pass is done, the second half when
            --second of it is. The pass itself is not computed: its time is slept. Rows are random,
            new ones for every token and mode. In turns:
              resident  the rows were read just before the token, outside of its time
              prefetch  told to the cluster when they are known, read where they are needed
              batch     no prefetch: one read of all rows where the first half is needed
              serial    no prefetch: one read for every row, where its half is needed
            The earlier rows are needed, the less of their fetching is hidden: --first 0.03 is a
            table at the first of many layers.
            A wait is the time from a point of need to the rows; a deadline is missed if it is
            longer than --slack. What is cold depends on the memory of the shards beside the table:
            scripts/bench-decode tries 100, 25 and 5 % of it.
            """)

    @Argument(help: "Name of the field.")
    var field: String
    @Option(help: "Rows that one token needs: 2 to 4096, an even number.")
    var rowsPerToken = 48
    @Option(help: "Time of one forward pass, slept.")
    var compute = TimeSpan(duration: .milliseconds(12))
    @Option(help: "Tokens of each mode: 10 to 100000.")
    var tokens = 300
    @Option(help: "Part of the pass before the first half of the rows is needed.")
    var first = 0.25
    @Option(help: "Part of the pass before the second half is needed.")
    var second = 0.5
    @Option(help: "A longer wait is a missed deadline.")
    var slack = TimeSpan(duration: .milliseconds(1))
    @Option(
        help: ArgumentHelp(
            "Modes to measure: \(DecodeMode.allCases.map(\.rawValue).joined(separator: ",")).",
            valueName: "modes"), transform: Self.modes)
    var modes = DecodeMode.allCases
    @Option(help: "Where the random numbers start.")
    var seed: UInt64 = 1
    @OptionGroup var routing: RoutingOption
    @OptionGroup var common: CommonOptions

    private static func modes(_ text: String) throws -> [DecodeMode] {
        try text.split(separator: ",").map { name in
            guard let mode = DecodeMode(rawValue: String(name)) else {
                let names = DecodeMode.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("'\(name)' is not a mode. Choose some of: \(names).")
            }
            return mode
        }
    }

    func validate() throws {
        guard (2...4096).contains(rowsPerToken), rowsPerToken % 2 == 0 else {
            throw ValidationError(
                "--rows-per-token must be an even number from 2 to 4096, not \(rowsPerToken).")
        }
        guard (10...100_000).contains(tokens) else {
            throw ValidationError("--tokens must be 10 to 100000, not \(tokens).")
        }
        guard (0.001...10).contains(compute.seconds) else {
            throw ValidationError("--compute must be 1ms to 10s.")
        }
        guard first >= 0, first <= second, second <= 1 else {
            throw ValidationError("--first and --second must be parts of 1, in this order.")
        }
        guard !modes.isEmpty, Set(modes).count == modes.count else {
            throw ValidationError("--modes names none, or one twice.")
        }
    }

    func run() async throws {
        let placement = try await common.client().placement()
        guard let definition = placement.catalog.field(named: field) else {
            throw LociError(
                .notFound, "There is no field '\(field)'.",
                advice: "`loci field list` shows those that exist.")
        }
        var loop = DecodeLoop(
            connection: try Connection(
                coordinator: try common.endpoint, routing: routing.routing),
            field: definition, identity: definition.identity(in: placement.clusterID),
            plan: DecodePlan(
                rows: rowsPerToken, compute: compute.duration,
                points: [compute.duration * first, compute.duration * second],
                slack: slack.duration),
            deadline: common.deadline.duration, seed: seed)
        try loop.warmUp()
        // Modes take turns, so that what disturbs the machine disturbs all of them.
        var progress = Progress(
            "decode \(field)", unit: "tokens", total: UInt64(tokens * modes.count))
        var results = modes.map { DecodeResult(mode: $0) }
        var done = 0
        while done < tokens {
            let part = min(Self.turn, tokens - done)
            for index in results.indices {
                for _ in 0..<part { try loop.token(&results[index]) }
                progress.update(UInt64(done * modes.count + (index + 1) * part))
            }
            done += part
        }
        progress.finish()
        let report = DecodeReport(self, definition, results)
        if common.json {
            try Terminal.printJSON(report)
        } else {
            report.printTable()
        }
        if report.modes.contains(where: { $0.errors > 0 }) { throw Loci.failure }
    }

    /// Tokens of one mode before the next takes its turn.
    private static let turn = 10
}

enum DecodeMode: String, CaseIterable, Encodable {
    case resident, prefetch, batch, serial
}

/// When a token needs its rows.
struct DecodePlan {
    let rows: Int
    let compute: Duration
    /// From the start of the pass; half of the rows each.
    let points: [Duration]
    let slack: Duration
}
