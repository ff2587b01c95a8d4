import Foundation
import Glibc
import LociBase
import LociClient

/// A cluster of real processes on free ports, with its files in a folder of its own.
///
/// Invariants:
/// - Every process that was started is ended by the `deinit` at the latest.
/// - The folder is removed then, too.
final class LocalCluster {
    let folder: String
    let endpoints: [Endpoint]
    let shards: Int
    private var processes: [String: ChildProcess] = [:]
    /// Where each process's log began when it was last started.
    private var logStarts: [String: Int] = [:]

    struct NotReady: Error, CustomStringConvertible {
        let description: String
    }

    /// Writes the configuration; starts nothing yet.
    init(shards: Int = 3) throws {
        self.shards = shards
        folder = FileManager.default.temporaryDirectory
            .appending(path: "loci-\(UUID().uuidString.prefix(8))").path()
        try FileManager.default.createDirectory(
            atPath: "\(folder)/state", withIntermediateDirectories: true)
        endpoints = try FreePorts.take(shards + 1).map { try Endpoint("tcp://127.0.0.1:\($0)") }
        try write(Self.configuration(endpoints), to: "cluster.yaml")
    }

    /// With all processes running.
    static func running(shards: Int = 3) async throws -> LocalCluster {
        let cluster = try LocalCluster(shards: shards)
        try cluster.startAll()
        try await cluster.waitUntilReady()
        return cluster
    }

    deinit {
        for process in processes.values { process.end(SIGKILL) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    static func configuration(_ endpoints: [Endpoint]) -> String {
        """
        name: tests
        id: 10c1
        data-folder: data
        coordinator: \(endpoints[0])
        shards: [\(endpoints.dropFirst().map(\.text).joined(separator: ", "))]
        tiers: [{kind: dram, capacity: 32MiB}, {kind: ssd}]
        checkpoint-after: 1MiB

        """
    }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
    }

    // MARK: Processes

    var names: [String] { ["coordinator"] + (0..<shards).map { "shard-\($0)" } }

    func process(_ name: String) -> ChildProcess? { processes[name] }

    func startAll() throws { for name in names.reversed() { try start(name) } }

    func start(_ name: String, configuration: String = "cluster.yaml") throws {
        let log = logPath(name)
        logStarts[name] = (try? String(contentsOfFile: log, encoding: .utf8).utf8.count) ?? 0
        let (program, arguments) = Self.command(name, "\(folder)/\(configuration)")
        processes[name] = try ChildProcess(
            Programs.path(program), arguments,
            environment: ["SWIFT_BACKTRACE": "registers=none,images=none,limit=16,color=no"],
            output: log, errors: log)
    }

    /// Program and arguments of a process.
    static func command(_ name: String, _ configuration: String) -> (String, [String]) {
        let arguments = ["--config", configuration]
        return name == "coordinator"
            ? ("loci-coordinator", arguments)
            : ("loci-shard", arguments + ["--shard", String(name.dropFirst("shard-".count))])
    }

    /// SIGKILL: the process gets no chance to do anything.
    func kill(_ name: String) {
        processes[name]?.end(SIGKILL)
        processes[name] = nil
    }

    func killAll() { for name in names { kill(name) } }

    /// Waits until every process says that it is ready, and the coordinator that it is in touch
    /// with just these shards.
    func waitUntilReady() async throws {
        let client = try client(deadline: .seconds(1))
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            for name in names where processes[name]?.isRunning != true {
                throw NotReady(description: "\(name) has ended.\n\(logs)")
            }
            let wanted = names.map { incarnation($0) }
            if !wanted.contains(nil), let status = try? await client.status(),
                status.incarnation == wanted[0],
                zip(status.shards, wanted.dropFirst()).allSatisfy({
                    $0.isUp && $0.incarnation == $1
                })
            {
                return
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw NotReady(description: "The cluster is not ready after 30 s.\n\(logs)")
    }

    /// What a process said of its present start.
    private func incarnation(_ name: String) -> UInt64? {
        let text = (try? String(contentsOfFile: logPath(name), encoding: .utf8)) ?? ""
        let present = text.utf8.dropFirst(logStarts[name] ?? 0)
        let line = String(decoding: Array(present), as: UTF8.self).split(separator: "\n")
            .first { $0.contains("ready") && $0.contains("incarnation=") }
        let digits = line?.components(separatedBy: "incarnation=").last?.prefix { $0.isNumber }
        return digits.flatMap { UInt64($0) }
    }

    private func logPath(_ name: String) -> String { "\(folder)/\(name).log" }

    /// The last lines of all logs, to be shown with a failure.
    var logs: String {
        names.map { name in
            let text = (try? String(contentsOfFile: logPath(name), encoding: .utf8)) ?? ""
            let lines = text.split(separator: "\n").suffix(40).joined(separator: "\n")
            return "== \(name)\n\(lines)"
        }.joined(separator: "\n")
    }

    // MARK: Clients

    func client(deadline: Duration = .seconds(20)) throws -> LociClient {
        try LociClient(coordinator: endpoints[0], deadline: deadline)
    }

    /// Runs `loci` against the cluster until it ends.
    func loci(_ arguments: String...) async throws -> Ended {
        try await Ended(
            startLoci(arguments), errors: "\(folder)/loci.err", output: "\(folder)/loci.out")
    }

    func startLoci(_ arguments: [String]) throws -> ChildProcess {
        for name in ["loci.out", "loci.err"] { try write("", to: name) }
        return try ChildProcess(
            Programs.path("loci"), arguments,
            environment: [
                "LOCI_COORDINATOR": endpoints[0].text, "XDG_STATE_HOME": "\(folder)/state",
            ], output: "\(folder)/loci.out", errors: "\(folder)/loci.err")
    }
}

/// How a program ended, and what it said.
struct Ended {
    let code: Int32
    let output: String
    let errors: String

    init(_ process: ChildProcess, errors: String, output: String) async throws {
        guard let code = try await process.wait(.seconds(60)) else {
            process.end(SIGKILL)
            throw LocalCluster.NotReady(description: "A program did not end within 60 s.")
        }
        self.code = code
        self.output = try String(contentsOfFile: output, encoding: .utf8)
        self.errors = try String(contentsOfFile: errors, encoding: .utf8)
    }
}

/// Ports on which nobody listens. They lie below those that the system hands to outgoing
/// connections, so that none of these can take the port of a process that is down.
enum FreePorts {
    static func take(_ count: Int) throws -> [UInt16] {
        var ports: [UInt16] = []
        while ports.count < count {
            let port = UInt16.random(in: 12_000..<30_000)
            if !ports.contains(port), isFree(port) { ports.append(port) }
        }
        return ports
    }

    private static func isFree(_ port: UInt16) -> Bool {
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(file) }
        return LoopbackAddress(port).use { bind(file, $0, $1) } == 0
    }
}

/// 127.0.0.1 and a port, as the system's calls take it.
struct LoopbackAddress {
    private var address = sockaddr_in()

    init(_ port: UInt16) {
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    }

    func use(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
