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
            Cells that were never written are zeros. So are cells that --max-tier skipped; a note
            says where they lie, and the exit code is 3.
            """)

    @Argument(help: "Name of the field.")
    var field: String
    @Argument(
        help: ArgumentHelp("A cell, or FIRST:END without END itself.", valueName: "cell[:end]"))
    var place: String?
    @Option(
        help: ArgumentHelp(
            "Scattered cells: @FILE of little-endian 64-bit numbers, or 1,2,3.", valueName: "cells")
    )
    var cells: String?
    @Option(help: "Write the bytes to a file ('-': standard output) instead of printing them.")
    var out: String?
    @OptionGroup var limit: TierOption
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var common: CommonOptions

    /// Bytes that are asked for at a time; with a file, memory stays at about this.
    private static let windowBytes = 16 << 20

    func run() async throws {
        let selection = try CellSelection(place: place, cells: cells)
        let client = try common.client()
        let output = try out.map { (path) throws(LociError) in try OutputFile(path) }
        do {
            let (receipt, skipped) = try await read(selection, client, output)
            try output?.finish()
            if explanation.explain, !common.json { receipt.printTable() }
            if skipped > 0 {
                Terminal.note("\(Show.amount(skipped, "cell")) skipped: zeros in the output.")
            }
            if !receipt.isComplete || skipped > 0 { try Terminal.leavePartial(receipt) }
        } catch {
            output?.discard()
            throw error
        }
    }

    private func read(
        _ selection: CellSelection, _ client: LociClient, _ output: OutputFile?
    ) async throws -> (receipt: Receipt, skipped: Int) {
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
        var receipt: Receipt?
        var report: [CellReport] = []
        var skippedCount = 0
        for start in stride(from: 0, to: total, by: window) {
            let part = start..<min(start + window, total)
            let cells = try await read(selection, part, client)
            receipt = receipt.merged(with: cells.receipt)
            skippedCount += cells.skipped.count
            if let output {
                try output.write(cells.bytes)
            } else {
                let skipped = Set(cells.skipped)
                for (index, number) in selection.cells(part).enumerated() {
                    let hexadecimal = Show.hexadecimal(cells[index])
                    if common.json {
                        report.append(
                            CellReport(
                                cell: number, bytes: hexadecimal,
                                isSkipped: skipped.contains(index)))
                    } else {
                        let mark = skipped.contains(index) ? "  skipped" : ""
                        print("\(number)  \(hexadecimal)\(mark)")
                    }
                }
            }
            progress.update(UInt64(part.upperBound))
        }
        progress.finish()
        let sum = receipt ?? Receipt()
        if common.json, out != "-" {
            try Terminal.printJSON(
                ReadReport(
                    field: field, cellBytes: definition.cellBytes, count: total,
                    skipped: skippedCount, cells: output == nil ? report : nil,
                    receipt: ReceiptReport(sum)))
        }
        return (sum, skippedCount)
    }

    private func read(
        _ selection: CellSelection, _ part: Range<Int>, _ client: LociClient
    ) async throws -> Cells {
        switch selection {
        case .range(let range):
            let first = range.lowerBound + UInt64(part.lowerBound)
            return try await client.read(
                field, range: first..<(first + UInt64(part.count)), maxTier: limit.maxTier)
        case .scattered(let cells):
            return try await client.read(field, cells: Array(cells[part]), maxTier: limit.maxTier)
        }
    }
}

/// What was read, as JSON.
private struct ReadReport: Encodable {
    let field: String
    let cellBytes: Int
    let count: Int
    let skipped: Int
    let cells: [CellReport]?
    let receipt: ReceiptReport
}

private struct CellReport: Encodable {
    let cell: UInt64
    let bytes: String
    let isSkipped: Bool
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
