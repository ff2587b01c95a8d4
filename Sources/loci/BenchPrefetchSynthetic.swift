import Foundation
import LociClient
import LociPrefetch
import LociSimulation
import LociTiering

/// The eight streams that the predecessor was measured on, ours beside its figures: how often the
/// next page was among at most n predictions. Of ours at most n stand at a time, each for at most
/// n requests; what did not come is wasted.
struct PredecessorReport: Encodable {
    private static let accesses = 20_000
    private static let predictions = [1, 10]

    /// Recorded by running the predecessor's own code, n = 1 and n = 10: its coordinator, which
    /// combines its predictors, and its Markov table alone.
    private static let recorded: [SyntheticStream: (coordinator: [Double], markov: [Double])] = [
        .sequential: ([0, 0], [0, 0]),
        .cycleOf4: ([0.9863, 0.9847], [0.9998, 0.9998]),
        .cycleOf100: ([0.4269, 0.4181], [0.9950, 0.9950]),
        .stride7: ([0.0042, 0.0042], [0.7952, 0.7952]),
        .uniform: ([0.0013, 0.0011], [0.0008, 0.0075]),
        .zipf: ([0.1591, 0.1593], [0.1551, 0.3614]),
        .markov: ([0.3469, 0.3465], [0.8438, 0.8476]),
        .randomWalk: ([0.2937, 0.2933], [0.3297, 0.9838]),
    ]

    struct Ours: Encodable {
        let hitRatio: Double
        let issued: Int
        let wasted: Int

        init(_ result: PrefetchResult) {
            hitRatio = result.usefulRecall
            issued = result.issued
            wasted = result.issued - result.used
        }
    }

    struct Row: Encodable {
        let stream: String
        let n: Int
        let recordedCoordinator: Double
        let recordedMarkov: Double
        let governed: Ours
        /// Every guess is issued, worth it or not.
        let ungoverned: Ours
    }

    let version = LociVersion.program
    let commit = ProcessInfo.processInfo.environment["LOCI_COMMIT"] ?? "unknown"
    let seed: UInt64
    let accessesPerStream = accesses
    let rows: [Row]

    init(seed: UInt64) {
        self.seed = seed
        rows = SyntheticStream.predecessors.flatMap { stream in
            let trace = AccessTrace(keys: stream.keys(count: Self.accesses, seed: seed))
            return Self.predictions.enumerated().map { index, n in
                let recorded = Self.recorded[stream]
                return Row(
                    stream: stream.rawValue, n: n,
                    recordedCoordinator: recorded?.coordinator[index] ?? .nan,
                    recordedMarkov: recorded?.markov[index] ?? .nan,
                    governed: Self.ours(trace, n: n, isGoverned: true, seed: seed),
                    ungoverned: Self.ours(trace, n: n, isGoverned: false, seed: seed))
            }
        }
    }

    private static func ours(
        _ trace: AccessTrace, n: Int, isGoverned: Bool, seed: UInt64
    ) -> Ours {
        var tuning = StreamPredictor.Tuning()
        tuning.isGoverned = isGoverned
        tuning.mostPerAccess = n
        tuning.window = n
        var predictor = StreamPredictor(tuning: tuning, seed: seed)
        return Ours(RawPrefetchTrial(trace, window: n, standing: n).run(&predictor))
    }

    func print(asJSON: Bool) throws {
        if asJSON { return try Terminal.printJSON(self) }
        Swift.print(
            """
            How often the next page was among n predictions, \(Show.count(Self.accesses)) \
            accesses; "recorded" are the predecessor's own runs.
            """)
        var table = Table(
            "stream", "#n", "#recorded coordinator", "#recorded markov", "#governed", "#issued",
            "#wasted", "#ungoverned", "#issued", "#wasted")
        for row in rows {
            table.add(
                row.stream, "\(row.n)", Show.decimal(row.recordedCoordinator, places: 4),
                Show.decimal(row.recordedMarkov, places: 4),
                Show.decimal(row.governed.hitRatio, places: 4), Show.count(row.governed.issued),
                Show.count(row.governed.wasted),
                Show.decimal(row.ungoverned.hitRatio, places: 4),
                Show.count(row.ungoverned.issued), Show.count(row.ungoverned.wasted))
        }
        table.print()
    }
}
