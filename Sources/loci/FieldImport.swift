import ArgumentParser
import LociClient
import LociImport

struct FieldImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Creates a field from a file of rows.",
        discussion: """
            loci field import engram.table rows.bin --row-bytes 264
            loci field import embeddings table.npy
            The file is rows of one size without a header, or an .npy array of f4, f2 or u1; either
            may be gzip'd. Row i becomes cell i. All is durable when the command ends; it prints the
            field's identity, which reads may name to be sure of this very field. A field that is
            being imported reads as zeros where nothing was written yet, so use the identity that is
            printed at the end.
            If the import is interrupted, the field has some of the rows; --resume writes all of
            them again, into the same field and under the same identity, so name the same file.
            --overwrite drops a field of that name, whatever it is, and creates another one: reads
            that name the old one's identity are refused, never answered with the new rows.
            """)

    @Argument(help: "Name of the new field.")
    var field: String
    @Argument(help: "A file of rows.", completion: .file())
    var path: String
    @Option(help: "Bytes of a row: 1 to 2097152. An .npy file says it itself.")
    var rowBytes: Int?
    @Option(help: "Bytes of a page, a power of two from 4096 to 2097152; 0 chooses.")
    var pageBytes = 0
    @Flag(help: "Drop a field of this name, if there is one, and create it anew.")
    var overwrite = false
    @Flag(help: "Write over a field of the same shape: after an interrupted import of this file.")
    var resume = false
    @OptionGroup var common: CommonOptions

    func validate() throws {
        if let rowBytes, !(1...2_097_152).contains(rowBytes) {
            throw ValidationError("--row-bytes must be 1 to 2097152, not \(rowBytes).")
        }
        guard !overwrite || !resume else {
            throw ValidationError("--overwrite makes a new field, --resume writes to the old one.")
        }
    }

    func run() async throws {
        let file = try RowFile(path: path, rowBytes: rowBytes)
        let client = try common.client()
        // From here on there may be a field with some of the rows: that is said before the end.
        let interruption = Interruption()
        let (definition, identity) = try await target(file, client)
        let start = ContinuousClock.now
        var writing = RowWriting(client: client, field: definition)
        do {
            try await writing.run(file, interruption)
        } catch {
            throw explained(error, writing.written, definition)
        }
        // Rows are written by name: who replaced the field meanwhile has some of them.
        _ = try await client.open(field, identity: identity)
        try report(
            FieldImportReport(
                field: field, path: path, cells: writing.written,
                bytes: writing.written * UInt64(definition.cellBytes),
                identity: Show.identity(identity),
                seconds: (ContinuousClock.now - start).inSeconds,
                receipt: ReceiptReport(writing.receipt)))
    }

    /// The field that the rows go to: a new one, or to resume one of just this shape.
    private func target(
        _ file: RowFile, _ client: LociClient
    ) async throws -> (FieldDefinition, identity: UInt64) {
        // What a field cannot be is refused before another one is dropped.
        let wanted = try FieldDefinition(
            space: 0, name: field, elementType: file.elementType,
            shape: [file.rows, UInt64(file.rowElements)], pageBytes: pageBytes)
        let existing = try await client.placement().catalog.field(named: field)
        if let existing, resume {
            try checkShape(of: existing, wanted, file)
        } else {
            if existing != nil {
                guard overwrite else {
                    throw LociError(
                        .alreadyExists, "There is a field '\(field)' already.",
                        advice: "Choose another name; --overwrite drops that field and creates it "
                            + "anew, --resume goes on with an interrupted import of this file.")
                }
                try await client.dropField(field)
            }
            try await client.createField(
                field, elementType: wanted.elementType, shape: wanted.shape, pageBytes: pageBytes)
        }
        let handle = try await client.open(field)
        return (handle.definition, handle.identity)
    }

    private func checkShape(
        of existing: FieldDefinition, _ wanted: FieldDefinition, _ file: RowFile
    ) throws(LociError) {
        let isSame =
            existing.shape == wanted.shape && existing.elementType == wanted.elementType
            && (pageBytes == 0 || pageBytes == existing.pageBytes)
        guard !isSame else { return }
        throw LociError(
            .failedPrecondition,
            "The field '\(field)' is not of \(Show.amount(file.rows, "row")) of "
                + "\(file.rowBytes) bytes.",
            advice: "`loci field info \(field)` shows what it is; choose another name, or replace "
                + "it with --overwrite.")
    }

    private func explained(
        _ error: any Error, _ written: UInt64, _ definition: FieldDefinition
    ) -> any Error {
        let change = overwrite ? "--resume instead of --overwrite" : "--resume"
        Terminal.note(
            "'\(field)' has \(Show.count(written)) of \(Show.amount(definition.cellCount, "row")) "
                + "for certain. The same command with \(change) writes all of them.")
        return error
    }

    private func report(_ report: FieldImportReport) throws {
        if common.json { return try Terminal.printJSON(report) }
        let places = report.seconds < 1 ? 3 : 1
        let rate = report.seconds > 0 ? Double(report.bytes) / report.seconds : 0
        print(
            "Imported \(Show.amount(report.cells, "cell")), \(Show.bytes(report.bytes)), into "
                + "'\(field)' in \(Show.decimal(report.seconds, places: places)) s: "
                + "\(Show.bytes(UInt64(rate)))/s.")
        print("identity \(report.identity)")
    }
}

/// Rows on their way into a field: read one part after the other, several with the cluster at once.
///
/// Invariants:
/// - Memory holds at most `inFlight` requests.
/// - `written` rows are durable, counted from all over the field.
private struct RowWriting {
    let client: LociClient
    let field: FieldDefinition
    private(set) var written: UInt64 = 0
    private(set) var receipt = Receipt()

    private static let inFlight = 16

    init(client: LociClient, field: FieldDefinition) {
        self.client = client
        self.field = field
    }

    mutating func run(_ file: RowFile, _ interruption: Interruption) async throws {
        var progress = Progress("import \(field.name)", unit: "rows", total: file.rows)
        defer { progress.finish() }
        let limit = min(
            Limits.cellsPerRequest, max(1, Limits.chunkBytes / field.cellBytes))
        let (client, name) = (client, field.name)
        try await withThrowingTaskGroup(of: Outcome.self) { group in
            var first: CellIndex = 0
            var pending = 0
            while true {
                while pending < Self.inFlight, !interruption.hasCome,
                    let rows = try file.next(limit)
                {
                    group.addTask { [first] in
                        try await client.write(name, first: first, bytes: rows)
                    }
                    first += UInt64(rows.count / field.cellBytes)
                    pending += 1
                }
                guard let outcome = try await group.next() else { break }
                pending -= 1
                written += outcome.count
                receipt.add(request: outcome.receipt)
                progress.update(written)
            }
        }
        if written < file.rows {
            throw LociError(.unavailable, "The import was interrupted.")
        }
    }
}

/// A field's import as JSON.
private struct FieldImportReport: Encodable {
    let field: String
    let path: String
    let cells: UInt64
    let bytes: UInt64
    let identity: String
    let seconds: Double
    let receipt: ReceiptReport
}
