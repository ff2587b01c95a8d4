import ArgumentParser
import Foundation
import LociClient

struct WriteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write", abstract: "Writes cells of a field.",
        discussion: """
            loci write rows 42 @cell.bin                  one cell from a file
            loci write rows 42:50 @cells.bin              cells 42 to 49
            loci write rows 42 00ff10                     one cell in hexadecimal
            loci write rows --cells @ids.u64 @cells.bin   scattered cells
            The bytes must fill the cells. They are durable when the command ends.
            """)

    @Argument(help: "Name of the field.")
    var field: String
    @Argument(
        help: ArgumentHelp(
            "CELL or FIRST:END (not with --cells), then @FILE or hexadecimal digits.",
            valueName: "cell[:end] bytes"))
    var words: [String] = []
    @Option(
        help: ArgumentHelp(
            "Scattered cells: @FILE of little-endian 64-bit numbers, or 1,2,3.", valueName: "cells")
    )
    var cells: String?
    @OptionGroup var explanation: ExplainOption
    @OptionGroup var common: CommonOptions

    /// Bytes that are sent at a time.
    private static let windowBytes = 16 << 20

    func validate() throws {
        let expected = cells == nil ? 2 : 1
        guard words.count == expected else {
            throw ValidationError(
                cells == nil
                    ? "Give CELL or FIRST:END, then @FILE or hexadecimal digits."
                    : "With --cells give only @FILE or hexadecimal digits.")
        }
    }

    func run() async throws {
        let selection = try CellSelection(place: cells == nil ? words[0] : nil, cells: cells)
        let bytes = try data(words[words.count - 1])
        let client = try common.client()
        guard let definition = try await client.describe().field(named: field) else {
            throw LociError(
                .notFound, "There is no field '\(field)'.",
                advice: "`loci field list` shows those that exist.")
        }
        let (size, overflow) = selection.count.multipliedReportingOverflow(
            by: UInt64(definition.cellBytes))
        guard !overflow, UInt64(bytes.count) == size else {
            throw LociError(
                .invalidArgument,
                "\(Show.amount(selection.count, "cell")) of \(definition.cellBytes) bytes do not "
                    + "take \(bytes.count) bytes.",
                advice: "Give exactly the bytes that fill the cells.")
        }
        let outcome = try await write(selection, bytes, definition, client)
        if common.json {
            try Terminal.printJSON(
                WriteReport(
                    field: field, written: outcome.count, receipt: ReceiptReport(outcome.receipt)))
        } else {
            print("Wrote \(Show.amount(outcome.count, "cell")) of '\(field)'.")
            if explanation.explain { outcome.receipt.printTable() }
        }
        if outcome.isDegraded { try Terminal.leavePartial(outcome.receipt) }
    }

    private func write(
        _ selection: CellSelection, _ bytes: Bytes, _ definition: FieldDefinition,
        _ client: LociClient
    ) async throws -> Outcome {
        var progress = Progress("write \(field)", unit: "cells", total: selection.count)
        let total = bytes.count / definition.cellBytes
        let window = max(1, Self.windowBytes / definition.cellBytes)
        var receipt: Receipt?
        var count: UInt64 = 0
        for start in stride(from: 0, to: total, by: window) {
            let part = start..<min(start + window, total)
            let slice = bytes.slice(
                (part.lowerBound * definition.cellBytes)..<(part.upperBound * definition.cellBytes))
            let outcome: Outcome
            switch selection {
            case .range(let range):
                outcome = try await client.write(
                    field, first: range.lowerBound + UInt64(start), bytes: slice)
            case .scattered(let cells):
                outcome = try await client.write(field, cells: Array(cells[part]), bytes: slice)
            }
            receipt = receipt.merged(with: outcome.receipt)
            count += outcome.count
            progress.update(UInt64(part.upperBound))
        }
        progress.finish()
        return Outcome(count: count, receipt: receipt ?? Receipt())
    }

    private func data(_ text: String) throws -> Bytes {
        if text.hasPrefix("@") { return try InputFile.read(String(text.dropFirst())) }
        let digits = Array(text.utf8)
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count - 1, by: 2) {
            let pair = String(decoding: digits[index...(index + 1)], as: UTF8.self)
            guard let byte = UInt8(pair, radix: 16), pair.first != "+" else { break }
            bytes.append(byte)
        }
        guard digits.count % 2 == 0, bytes.count * 2 == digits.count, !bytes.isEmpty else {
            throw ValidationError(
                "'\(text.prefix(32))' is not hexadecimal. Write pairs of digits, or @FILE."
            )
        }
        return Bytes(bytes)
    }
}

/// What was written, as JSON.
private struct WriteReport: Encodable {
    let field: String
    let written: UInt64
    let receipt: ReceiptReport
}
