import ArgumentParser
import LociClient

struct ReadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "read", abstract: "Reads cells of a field.",
        discussion: """
            loci read rows 42                             one cell, in hexadecimal
            loci read rows 42:50 --out rows.bin           cells 42 to 49, as bytes in a file
            loci read rows --cells @ids.u64 --out -       scattered cells, to standard output
            loci read rows 1:100000 --max-tier ssd        without what lies on slower tiers
            loci read rows 42 --identity 5f3a09c2d1e4b687 only of this very field
            loci read rows 0:64 --direct --explain        from the shards; each cell's tier
            Cells that were never written are zeros. So are cells that --max-tier skipped; a note
            says where they lie, and the exit code is 3. With --partial cells of shards that do not
            answer are named, their bytes are ff, and the exit code is 3, too; without it that is an
            error. A field of another identity is refused with FAILED_PRECONDITION.
            """)

    @Argument(help: "Name of the field.")
    var field: String
    @OptionGroup var named: NamedCellsOption
    @Option(help: "Write the bytes to a file ('-': standard output) instead of printing them.")
    var out: String?
    @Flag(help: "Name the cells that are missing instead of failing when a shard is down.")
    var partial = false
    @OptionGroup var identity: IdentityOption
    @OptionGroup var limit: TierOption
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var routing: RoutingOption
    @OptionGroup var common: CommonOptions

    /// Bytes that are asked for at a time; with a file, memory stays at about this.
    private static let windowBytes = 16 << 20

    private var options: ReadOptions {
        ReadOptions(
            maxTier: limit.maxTier, identity: identity.identity, withTiers: explanation.explain,
            allowsPartial: partial)
    }

    func run() async throws {
        let selection = try named.selection
        let client = try common.client(routing.routing)
        let output = try out.map { (path) throws(LociError) in try OutputFile(path) }
        do {
            let sum = try await read(selection, client, output)
            try output?.finish()
            if explanation.explain, !common.json { sum.receipt.printTable() }
            if sum.skipped > 0 {
                Terminal.note("\(Show.amount(sum.skipped, "cell")) skipped: zeros in the output.")
            }
            if !sum.missing.isEmpty { noteMissing(sum.missing) }
            if !sum.receipt.isComplete || sum.skipped > 0 || !sum.missing.isEmpty {
                try Terminal.leavePartial(sum.receipt)
            }
        } catch {
            output?.discard()
            throw error
        }
    }

    /// Cells that a note names; --json names all.
    private static let namedMost = 16

    private func noteMissing(_ cells: [CellIndex]) {
        let named = cells.prefix(Self.namedMost).map { "\($0)" }.joined(separator: ", ")
        let rest = cells.count > Self.namedMost ? ", ..." : ""
        Terminal.note(
            "\(Show.amount(cells.count, "cell")) missing, ff in the output: \(named)\(rest).")
    }

    private func read(
        _ selection: CellSelection, _ client: LociClient, _ output: OutputFile?
    ) async throws -> ReadSum {
        guard let definition = try await client.describe().field(named: field) else {
            throw LociError(
                .notFound, "There is no field '\(field)'.",
                advice: "`loci field list` shows those that exist.")
        }
        guard let total = Int(exactly: selection.count),
            selection.count <= definition.cellCount * 1024
        else {
            throw LociError(
                .invalidArgument, "That is more than '\(field)' holds.",
                advice: "It has \(definition.cellCount) cells.")
        }
        var progress = Progress("read \(field)", unit: "cells", total: selection.count)
        let window = max(1, Self.windowBytes / definition.cellBytes)
        var sum = ReadSum()
        for start in stride(from: 0, to: total, by: window) {
            let part = start..<min(start + window, total)
            let cells = try await read(selection, part, client, isWindow: window < total)
            let numbers = selection.cells(part)
            sum.add(cells, numbers)
            if let output {
                try output.write(cells.bytes)
            } else {
                for report in CellReport.all(cells, numbers) {
                    if common.json {
                        sum.cells.append(report)
                    } else {
                        print(report.line(isExplained: !cells.tiers.isEmpty))
                    }
                }
            }
            progress.update(UInt64(part.upperBound))
        }
        progress.finish()
        // Windows are no calls of their own: one may lie on the shard that is down.
        if sum.missing.count == total { throw nothingAnswers(for: field) }
        if common.json, out != "-" {
            try Terminal.printJSON(
                ReadReport(
                    field: field, cellBytes: definition.cellBytes, count: total,
                    skipped: sum.skipped, missing: sum.missing,
                    cells: output == nil ? sum.cells : nil, receipt: ReceiptReport(sum.receipt)))
        }
        return sum
    }

    private func read(
        _ selection: CellSelection, _ part: Range<Int>, _ client: LociClient, isWindow: Bool
    ) async throws -> Cells {
        var options = options
        options.isWindow = isWindow
        switch selection {
        case .range(let range):
            let first = range.lowerBound + UInt64(part.lowerBound)
            return try await client.read(
                field, range: first..<(first + UInt64(part.count)), options: options)
        case .scattered(let cells):
            return try await client.read(field, cells: Array(cells[part]), options: options)
        }
    }
}

/// What the windows of a read amount to.
private struct ReadSum {
    private var merged: Receipt?
    var skipped = 0
    /// Cells, not positions.
    var missing: [CellIndex] = []
    var cells: [CellReport] = []

    var receipt: Receipt { merged ?? Receipt() }

    mutating func add(_ cells: Cells, _ numbers: [CellIndex]) {
        merged = merged.merged(with: cells.receipt)
        skipped += cells.skipped.count
        missing += cells.missing.map { numbers[$0] }
    }
}

/// What was read, as JSON.
private struct ReadReport: Encodable {
    let field: String
    let cellBytes: Int
    let count: Int
    let skipped: Int
    let missing: [UInt64]
    let cells: [CellReport]?
    let receipt: ReceiptReport
}

private struct CellReport: Encodable {
    let cell: UInt64
    let bytes: String
    let isSkipped: Bool
    let isMissing: Bool
    /// Where its page came from, if asked for and known.
    let tier: String?

    static func all(_ cells: Cells, _ numbers: [CellIndex]) -> [CellReport] {
        let skipped = Set(cells.skipped)
        let missing = Set(cells.missing)
        return numbers.enumerated().map { index, number in
            CellReport(
                cell: number, bytes: Show.hexadecimal(cells[index]),
                isSkipped: skipped.contains(index), isMissing: missing.contains(index),
                tier: cells.tiers.isEmpty ? nil : cells.tiers[index]?.name)
        }
    }

    func line(isExplained: Bool) -> String {
        let mark = isSkipped ? "  skipped" : isMissing ? "  missing" : ""
        return "\(cell)  \(bytes)\(isExplained ? "  \(tier ?? "-")" : "")\(mark)"
    }
}

extension Receipt? {
    /// The receipts of windows that follow each other.
    func merged(with next: Receipt) -> Receipt {
        guard var sum = self else { return next }
        let time = sum.totalMicroseconds + next.totalMicroseconds
        sum.add(request: next)
        sum.totalMicroseconds = time
        return sum
    }
}
