import ArgumentParser
import Foundation
import Histogram
import LociClient

struct BenchWire: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wire",
        abstract: "Measures the floor of a read: the same messages, and nothing done with them.",
        discussion: """
            Needs no cluster. Processes of its own exchange frames of the sizes that a read of
            rows has, over tcp, with the sockets and options of Loci, but nothing is encoded,
            checked, looked up or gathered. 'two hops': client, proxy, workers, proxy, client, as
            through the coordinator. 'direct': client, workers, client. Processor time is that of
            the proxy and the workers, from /proc/PID/stat.
            """)

    @Option(help: "Cells of one request: 1 to \(Limits.cellsPerRequest).")
    var rows = 48
    @Option(help: "Bytes of a cell.")
    var cellBytes = 264
    @Option(help: "Workers, each of which has its share of the cells: 1 to 64.")
    var workers = 4
    @Option(help: "Requests that the client keeps on the way: 1 to 512.")
    var inFlight = 1
    @Option(help: "How long to measure each pattern.")
    var seconds = TimeSpan(duration: .seconds(3))
    @Option(help: "How long to run before measuring.")
    var warmup = TimeSpan(duration: .milliseconds(500))
    @Flag(help: "Print JSON instead of a table.")
    var json = false
    /// What this process is for; the first of them has no role.
    @Option(help: .hidden)
    var role: WireRole?
    /// Where a proxy finds its workers.
    @Option(help: .hidden)
    var peers: [String] = []

    func validate() throws {
        guard (1...Limits.cellsPerRequest).contains(rows) else {
            throw ValidationError("--rows must be 1 to \(Limits.cellsPerRequest), not \(rows).")
        }
        guard cellBytes > 0, rows * cellBytes <= Limits.frameBytes else {
            throw ValidationError(
                "--rows times --cell-bytes must be 1 to \(Limits.frameBytes) bytes.")
        }
        guard (1...64).contains(workers) else {
            throw ValidationError("--workers must be 1 to 64, not \(workers).")
        }
        guard (1...512).contains(inFlight) else {
            throw ValidationError("--in-flight must be 1 to 512, not \(inFlight).")
        }
        guard seconds.seconds > 0 else { throw ValidationError("--seconds must be more than 0.") }
    }

    func run() throws {
        switch role {
        case .worker: try WireWorker(shape).serve()
        case .proxy: try WireProxy(shape, workers: peers.map { try Endpoint($0) }).serve()
        case nil: try measure()
        }
    }

    private var shape: WireShape {
        WireShape(rows: rows, cellBytes: cellBytes, workers: workers)
    }

    private func measure() throws {
        var children: [WireChild] = []
        defer { for child in children { child.end() } }
        for _ in 0..<workers { children.append(try WireChild(["--role", "worker"])) }
        let endpoints = children.map(\.endpoint)
        let proxy = try WireChild(
            ["--role", "proxy"] + endpoints.flatMap { ["--peers", $0.text] })
        children.append(proxy)
        let context = try TransportContext()
        let patterns: [(name: String, ends: [Endpoint], sends: [Bytes], servers: [WireChild])] = [
            ("two hops", [proxy.endpoint], shape.request, children),
            ("direct", endpoints, shape.part, Array(children.dropLast())),
        ]
        var reports: [WireReport] = []
        for pattern in patterns {
            let fan = try WireFan(context, pattern.ends)
            let client = WireClient(fan: fan, message: pattern.sends, inFlight: inFlight)
            _ = try client.run(seconds: max(warmup.seconds, 0.01))
            let before = try WireChild.processorSeconds(pattern.servers)
            let measured = try client.run(seconds: seconds.seconds)
            let spent = try WireChild.processorSeconds(pattern.servers) - before
            reports.append(
                WireReport(
                    pattern: pattern.name, rows: rows, measured, processorSeconds: spent))
        }
        if json { return try Terminal.printJSON(reports) }
        var table = Table(
            "floor of",
            "\(rows) rows of \(cellBytes) bytes, \(workers) workers, tcp, "
                + "\(inFlight) in flight")
        for report in reports { report.add(to: &table) }
        table.print()
    }
}

enum WireRole: String, ExpressibleByArgument {
    case worker, proxy
}

/// The frames of a read, with what an envelope takes beside them.
struct WireShape {
    let rows: Int
    let cellBytes: Int
    let workers: Int

    /// Encoded envelopes of a read and its answer have about so many bytes.
    private static let envelope = Bytes(zeros: 96)

    private func share(_ bytes: Int) -> Bytes {
        Bytes(zeros: max(1, (rows + workers - 1) / workers) * bytes)
    }

    /// From a client to the proxy.
    var request: [Bytes] { [Self.envelope, Bytes(zeros: rows * 8)] }
    /// To a worker.
    var part: [Bytes] { [Self.envelope, share(8)] }
    /// From a worker.
    var answer: [Bytes] { [Self.envelope, share(cellBytes)] }
    /// From the proxy to a client.
    var whole: [Bytes] { [Self.envelope, Bytes(zeros: rows * cellBytes)] }
}

struct WireReport: Encodable {
    let pattern: String
    let requests: Int
    let rowsPerSecond: Double
    let p50Microseconds: Double
    let p99Microseconds: Double
    let serverCpuMicrosecondsPerRequest: Double
    let rowsPerServerCpuSecond: Double

    init(pattern: String, rows: Int, _ measured: WireClient.Measured, processorSeconds: Double) {
        func microseconds(_ percentile: Double) -> Double {
            Double(measured.latencies.valueAtPercentile(percentile)) / 1000
        }
        self.pattern = pattern
        requests = measured.requests
        rowsPerSecond = Double(measured.requests * rows) / measured.seconds
        p50Microseconds = microseconds(50)
        p99Microseconds = microseconds(99)
        serverCpuMicrosecondsPerRequest = processorSeconds * 1e6 / Double(max(requests, 1))
        rowsPerServerCpuSecond = Double(requests * rows) / max(processorSeconds, 1e-9)
    }

    func add(to table: inout Table) {
        table.add(
            pattern,
            "p50 \(Show.decimal(p50Microseconds, places: 0)) us, "
                + "p99 \(Show.decimal(p99Microseconds, places: 0)) us, "
                + "\(Show.count(UInt64(rowsPerSecond))) rows per second, "
                + "\(Show.decimal(serverCpuMicrosecondsPerRequest, places: 1)) us of server "
                + "processors per request")
    }
}
