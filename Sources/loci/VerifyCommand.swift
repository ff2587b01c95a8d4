import ArgumentParser
import LociClient
import LociStorage

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Checks the files of shards that do not run.",
        discussion: """
            Reads every file and compares it with its checksums; changes nothing. The folder is a \
            cluster's data folder, or that of one shard or of the coordinator inside it. A folder \
            that a process uses is refused: a running shard is checked with `loci scrub`.

            Exit codes: 0 all is well (notes may be printed), 1 something acknowledged is lost or \
            the folder could not be checked, 2 wrong usage, 3 the next start repairs what was found.
            """)

    @Argument(help: ArgumentHelp("The folder to check.", valueName: "data-folder"))
    var folder: String

    @Option(
        help: ArgumentHelp(
            "The path of the hdd tier, to check the pages there, too.", valueName: "folder"))
    var hdd: String?

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func run() async throws {
        var progress = Progress("verifying", unit: "bytes", total: nil)
        var total: UInt64?
        let report: VerifyReport
        do throws(StorageError) {
            report = try SliceVerifier.verify(
                folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder,
                ReadingFileSystem(), coldFolder: hdd,
                onProgress: { done, all in
                    if total == nil {
                        progress = Progress("verifying", unit: "bytes", total: all)
                        total = all
                    }
                    progress.update(done)
                })
        } catch {
            progress.finish()
            throw error.sentence
        }
        progress.finish()
        if json { try Terminal.printJSON(VerifyOutput(folder, report)) } else { show(report) }
        switch report.worst {
        case .damage: throw Loci.failure
        case .repairable: throw Loci.partial
        case .note, nil: return
        }
    }

    private func show(_ report: VerifyReport) {
        if !report.findings.isEmpty {
            var table = Table("severity", "kind", "file", "#offset", "about", "what")
            for finding in report.findings {
                table.add(
                    finding.severity.rawValue, finding.kind.rawValue, shortened(finding.path),
                    finding.offset.map { Show.count($0) } ?? "", finding.subject, finding.what)
            }
            table.print()
            let left = report.counts.values.reduce(0, +) - UInt64(report.findings.count)
            if left > 0 { print("... and \(Show.amount(left, "finding")) more") }
            print()
            for line in advice(report) { print(line) }
            print()
        }
        print("files        \(Show.count(report.files))")
        print("pages        \(Show.count(report.pages)) are what was written")
        if report.coldPages > 0 {
            print(
                "cold pages   \(Show.count(report.coldPages)) lie on the hdd tier (see --hdd)"
            )
        }
        print("records      \(Show.count(report.records))")
        print("read         \(Show.bytes(report.bytes))")
        let found = VerifyFinding.Severity.allCases.reversed().compactMap { severity in
            report.counts[severity].map { "\(Show.count($0)) \(severity.rawValue)" }
        }
        print("found        \(found.isEmpty ? "nothing" : found.joined(separator: ", "))")
    }

    /// Each advice once, with the first file that it is for.
    private func advice(_ report: VerifyReport) -> [String] {
        var told: Set<String> = []
        return report.findings.compactMap { finding in
            guard !finding.advice.isEmpty, told.insert(finding.advice).inserted else { return nil }
            return "\(finding.kind.rawValue) (\(shortened(finding.path))): \(finding.advice)"
        }
    }

    private func shortened(_ path: String) -> String {
        let inside = folder.hasSuffix("/") ? folder : folder + "/"
        return path.hasPrefix(inside) ? String(path.dropFirst(inside.count)) : path
    }
}

/// A report as JSON.
private struct VerifyOutput: Encodable {
    struct Finding: Encodable {
        let severity: String
        let kind: String
        let path: String
        let offset: UInt64?
        let subject: String
        let what: String
        let advice: String
    }

    let folder: String
    let files: UInt64
    let pages: UInt64
    let coldPages: UInt64
    let records: UInt64
    let bytes: UInt64
    let damage: UInt64
    let repairable: UInt64
    let notes: UInt64
    /// At most `VerifyReport.keptFindings`.
    let findings: [Finding]

    init(_ folder: String, _ report: VerifyReport) {
        self.folder = folder
        files = report.files
        pages = report.pages
        coldPages = report.coldPages
        records = report.records
        bytes = report.bytes
        damage = report.counts[.damage] ?? 0
        repairable = report.counts[.repairable] ?? 0
        notes = report.counts[.note] ?? 0
        findings = report.findings.map {
            Finding(
                severity: $0.severity.rawValue, kind: $0.kind.rawValue, path: $0.path,
                offset: $0.offset, subject: $0.subject, what: $0.what, advice: $0.advice)
        }
    }
}
