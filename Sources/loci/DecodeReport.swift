import Foundation
import LociClient

/// What a decode loop measured, for people and for programs.
struct DecodeReport: Encodable {
    let field: String
    let cells: UInt64
    let cellBytes: Int
    let rowsPerToken: Int
    let computeMilliseconds: Double
    let neededAtMilliseconds: [Double]
    let slackMilliseconds: Double
    let isDirect: Bool
    let seed: UInt64
    let version: String
    let commit: String
    let modes: [Mode]

    struct Mode: Encodable {
        let mode: DecodeMode
        let tokens: Int
        let tokensPerSecond: Double
        /// To the resident mode of the same run; nil if that was not measured.
        let ratio: Double?
        let missed: Int
        let deadlines: Int
        let waitMicrosecondsP50: Double
        let waitMicrosecondsP99: Double
        let waitMicrosecondsMax: Double
        /// Of the pages that timed reads touched.
        let residentRatio: Double
        let errors: Int
        let firstError: String?
        let resultHash: String

        init(_ result: DecodeResult, resident: DecodeResult?) {
            func rate(_ result: DecodeResult) -> Double {
                Double(result.tokens) / max(result.time.inSeconds, 1e-9)
            }
            let sorted = result.waits.sorted()
            func percentile(_ part: Double) -> Double {
                guard !sorted.isEmpty else { return 0 }
                return sorted[min(sorted.count - 1, Int(part * Double(sorted.count)))]
            }
            mode = result.mode
            tokens = result.tokens
            tokensPerSecond = rate(result)
            ratio = resident.map { rate(result) / rate($0) }
            missed = result.missed
            deadlines = result.waits.count
            waitMicrosecondsP50 = percentile(0.5)
            waitMicrosecondsP99 = percentile(0.99)
            waitMicrosecondsMax = sorted.last ?? 0
            residentRatio =
                result.pagesTouched == 0
                ? 1 : Double(result.pagesResident) / Double(result.pagesTouched)
            errors = result.errors
            firstError = result.firstError
            resultHash = Show.identity(result.hash)
        }
    }

    init(_ command: BenchDecode, _ definition: FieldDefinition, _ results: [DecodeResult]) {
        field = definition.name
        cells = definition.cellCount
        cellBytes = definition.cellBytes
        rowsPerToken = command.rowsPerToken
        let compute = command.compute.seconds * 1000
        computeMilliseconds = compute
        neededAtMilliseconds = [compute * command.first, compute * command.second]
        slackMilliseconds = command.slack.seconds * 1000
        isDirect = command.routing.direct
        seed = command.seed
        version = LociVersion.program
        commit = ProcessInfo.processInfo.environment["LOCI_COMMIT"] ?? "unknown"
        let resident = results.first { $0.mode == .resident }
        modes = results.map { Mode($0, resident: resident) }
    }

    func printTable() {
        let points = neededAtMilliseconds.map { Show.decimal($0, places: 1) }
        print(
            "\(Show.count(rowsPerToken)) rows of \(cellBytes) bytes for each token, out of "
                + "\(Show.count(cells)), \(isDirect ? "directly" : "through the coordinator"), "
                + "seed \(seed)")
        print(
            "compute is emulated: \(Show.decimal(computeMilliseconds, places: 1)) ms are slept; "
                + "rows are needed at \(points.joined(separator: " and ")) ms")
        print()
        var table = Table(
            "mode", "#tokens", "#tokens/s", "#of resident", "#deadlines missed", "#wait p50",
            "#wait p99", "#wait max", "#pages resident")
        func time(_ microseconds: Double) -> String {
            Show.time(microseconds: UInt64(microseconds.rounded()))
        }
        for mode in modes {
            table.add(
                mode.mode.rawValue, Show.count(mode.tokens),
                Show.decimal(mode.tokensPerSecond, places: 2),
                mode.ratio.map { Show.decimal(100 * $0, places: 1) + "%" } ?? "",
                "\(Show.count(mode.missed)) of \(Show.count(mode.deadlines))",
                time(mode.waitMicrosecondsP50), time(mode.waitMicrosecondsP99),
                time(mode.waitMicrosecondsMax),
                Show.decimal(100 * mode.residentRatio, places: 1) + "%")
        }
        table.print()
        for mode in modes where mode.errors > 0 {
            Terminal.note(
                "\(mode.mode.rawValue): \(Show.count(mode.errors)) requests failed: "
                    + (mode.firstError ?? ""))
        }
    }
}
