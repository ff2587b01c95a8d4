import Foundation
import LociClient

/// What `loci bench pages` found, for people and for programs. Times in microseconds.
struct PageInReport: Encodable {
    /// Of all rounds.
    struct Figure: Encodable {
        let median: Double
        let least: Double
        let most: Double

        init(_ values: [Double]) {
            let sorted = values.sorted()
            least = sorted.first ?? 0
            most = sorted.last ?? 0
            let middle = sorted.count / 2
            median =
                sorted.isEmpty
                ? 0
                : sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        }
    }

    struct Load: Encodable {
        let depth: Int
        let pagesPerSecond: Figure
        let p50: Figure
        let p99: Figure
        let processorPerPage: Figure
    }

    struct Subject: Encodable {
        let name: String
        /// Whether latencies at a depth are those of whole batches.
        let isBatched: Bool
        let cold: [Load]
        let warm: Load
        let scanMegabytesPerSecond: Figure
    }

    let version: String
    let commit: String
    let seed: UInt64
    let rounds: Int
    let pageBytes: Int
    let fileBytes: UInt64
    let subjects: [Subject]

    init(_ session: PageInSession, rounds: Int) {
        version = LociVersion.program
        commit = ProcessInfo.processInfo.environment["LOCI_COMMIT"] ?? "unknown"
        seed = session.file.seed
        self.rounds = rounds
        pageBytes = session.file.pageBytes
        fileBytes = session.file.byteCount
        subjects = session.subjects.indices.map { index in
            Subject(
                name: session.subjects[index].name, isBatched: session.subjects[index].isBatched,
                cold: session.depths.map { Self.load($0, session.cold[index][$0] ?? []) },
                warm: Self.load(1, session.warm[index]),
                scanMegabytesPerSecond: Figure(
                    session.sequential[index].map {
                        $0.pagesPerSecond * Double(session.file.pageBytes) / 1e6
                    }))
        }
    }

    private static func load(_ depth: Int, _ measurements: [PageInMeasurement]) -> Load {
        Load(
            depth: depth, pagesPerSecond: Figure(measurements.map(\.pagesPerSecond)),
            p50: Figure(measurements.map { $0.microseconds(50) }),
            p99: Figure(measurements.map { $0.microseconds(99) }),
            processorPerPage: Figure(measurements.map(\.processorMicroseconds)))
    }

    func printTable() {
        print(
            "\(Show.bytes(UInt64(pageBytes))) pages of \(Show.bytes(fileBytes)), "
                + "median [least, most] of \(rounds) rounds, seed \(seed)")
        var times = Table(
            "page-in", "state", "#reads on the way", "#p50 us", "#p99 us", "#pages/s",
            "#processor us/page")
        for subject in subjects {
            for load in subject.cold { Self.add(subject.name, "cold", load, to: &times) }
            Self.add(subject.name, "warm", subject.warm, to: &times)
        }
        times.print()
        print("")
        var scans = Table("scan", "#MB/s")
        for subject in subjects {
            scans.add(subject.name, Self.show(subject.scanMegabytesPerSecond, places: 0))
        }
        scans.print()
    }

    private static func add(_ name: String, _ state: String, _ load: Load, to table: inout Table) {
        table.add(
            name, state, "\(load.depth)", show(load.p50, places: 1), show(load.p99, places: 0),
            show(load.pagesPerSecond, places: 0), show(load.processorPerPage, places: 1))
    }

    private static func show(_ figure: Figure, places: Int) -> String {
        let values = [figure.median, figure.least, figure.most].map {
            Show.decimal($0, places: places)
        }
        return "\(values[0]) [\(values[1]), \(values[2])]"
    }
}
