import ArgumentParser
import LociClient

struct BenchRead: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "read", abstract: "Measures reads of scattered cells.")

    @Argument(help: "Name of the field.")
    var field: String
    @OptionGroup var routing: RoutingOption
    @OptionGroup var cells: BenchCellOptions
    @OptionGroup var options: BenchOptions

    func run() async throws {
        let definition = try await cells.definition(of: field, options)
        guard options.worker != nil else {
            let way = routing.direct ? ", directly" : ""
            let clients = BenchClients(
                title: cells.title("read \(field)\(way)"), options: options,
                expectedSeconds: options.seconds.seconds + options.warmup.seconds)
            return try await clients.run()
        }
        try options.work(
            ReadWorkload(
                field: field, rows: cells.rows, cellBytes: definition.cellBytes,
                stream: cells.stream(definition, options)), routing: routing.routing)
    }
}

struct BenchWrite: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write", abstract: "Measures durable writes of scattered cells.",
        discussion: "It overwrites cells of the field with random bytes, so it wants --overwrite.")

    @Argument(help: "Name of the field.")
    var field: String
    @Flag(help: "Yes, the field's cells may be overwritten.")
    var overwrite = false
    @OptionGroup var cells: BenchCellOptions
    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard overwrite else {
            throw ValidationError(
                "This overwrites cells of '\(field)'. Add --overwrite if they may go.")
        }
    }

    func run() async throws {
        let definition = try await cells.definition(of: field, options)
        guard options.worker != nil else {
            let clients = BenchClients(
                title: cells.title("write \(field)"), options: options,
                expectedSeconds: options.seconds.seconds + options.warmup.seconds)
            return try await clients.run()
        }
        try options.work(
            WriteWorkload(
                field: field, rows: cells.rows, cellBytes: definition.cellBytes,
                stream: cells.stream(definition, options), random: options.random))
    }
}

/// Which cells a benchmark of a field touches.
struct BenchCellOptions: ParsableArguments {
    @Option(help: "In which order cells are touched: zipf, uniform, sequential or paths.")
    var pattern = AccessPattern.zipf
    @Option(help: "Cells of one request: 1 to \(Limits.cellsPerRequest).")
    var rows = 48
    @Option(help: "Skew of zipf and paths: more than 0; 0.99 is usual.")
    var theta = 0.99

    func validate() throws {
        guard (1...Limits.cellsPerRequest).contains(rows) else {
            throw ValidationError("--rows must be 1 to \(Limits.cellsPerRequest), not \(rows).")
        }
        guard theta > 0, theta < 10 else {
            throw ValidationError("--theta must be more than 0 and less than 10, not \(theta).")
        }
    }

    func definition(
        of field: String, _ options: BenchOptions
    ) async throws -> FieldDefinition {
        guard let found = try await options.common.client().describe().field(named: field) else {
            throw LociError(
                .notFound, "There is no field '\(field)'.",
                advice: "`loci field list` shows those that exist.")
        }
        guard rows * found.cellBytes <= Limits.chunkBytes else {
            throw LociError(
                .invalidArgument,
                "\(rows) cells of \(found.cellBytes) bytes are more than one request takes.",
                advice: "Use --rows \(max(1, Limits.chunkBytes / found.cellBytes)) or fewer.")
        }
        return found
    }

    func stream(_ field: FieldDefinition, _ options: BenchOptions) -> CellStream {
        CellStream(pattern, count: field.cellCount, theta: theta, random: options.random)
    }

    func title(_ what: String) -> BenchTitle {
        let skew = pattern == .zipf || pattern == .paths ? " \(theta)" : ""
        return BenchTitle(
            what: what, pattern: "\(pattern.rawValue)\(skew), \(rows) rows per request",
            unit: "rows", unitsPerRequest: rows)
    }
}

private struct ReadWorkload: BenchWorkload {
    let field: String
    let rows: Int
    let cellBytes: Int
    var stream: CellStream

    mutating func next() -> BenchRequest? {
        let cells = (0..<rows).map { _ in stream.next() }
        let body = ReadCells(field: field, count: UInt64(rows), isScattered: true)
        return BenchRequest(body: .readCells(body), bulk: [Bytes(values: cells)], tag: 0)
    }

    func judge(_ answer: Message, tag: Int, into result: inout BenchResult) -> Bool {
        guard case .cells(let cells) = answer.body, answer.bulk.count == 1,
            answer.bulk[0].count == rows * cellBytes
        else { return false }
        result.units += UInt64(rows)
        result.hash &+= answer.bulk[0].checksum()
        result.count(cells.receipt)
        return true
    }
}

private struct WriteWorkload: BenchWorkload {
    let field: String
    let rows: Int
    let cellBytes: Int
    var stream: CellStream
    var random: SeededRandom

    mutating func next() -> BenchRequest? {
        let cells = (0..<rows).map { _ in stream.next() }
        let words = (0..<((rows * cellBytes + 7) / 8)).map { _ in random.next() }
        let bytes = Bytes(values: words).slice(0..<(rows * cellBytes))
        let body = WriteCells(field: field, count: UInt64(rows), isScattered: true)
        return BenchRequest(body: .writeCells(body), bulk: [Bytes(values: cells), bytes], tag: 0)
    }

    func judge(_ answer: Message, tag: Int, into result: inout BenchResult) -> Bool {
        guard case .acknowledged(let done) = answer.body else { return false }
        result.units += done.count
        result.hash &+= mix64(done.count)
        result.count(done.receipt)
        return true
    }
}
