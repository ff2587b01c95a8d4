import Foundation
import LociClient

/// The parent of a benchmark: starts client processes, waits for what they measured, merges it.
struct BenchClients {
    let title: BenchTitle
    let options: BenchOptions
    /// Seconds after which clients should be done; nil if they end with their work.
    let expectedSeconds: Double?

    /// Starts this program again for each client, with the same arguments and a number.
    /// - Throws: What a client could not do, or `Loci.partial` after the report.
    func run() async throws {
        let executable = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        var clients: [(process: Process, output: Pipe)] = []
        defer {
            for client in clients where client.process.isRunning { client.process.terminate() }
        }
        for number in 0..<options.clients {
            let process = Process()
            let output = Pipe()
            process.executableURL = executable
            process.arguments =
                Array(CommandLine.arguments.dropFirst()) + ["--worker", "\(number)"]
            process.standardOutput = output
            do {
                try process.run()
            } catch {
                throw LociError(
                    .resourceExhausted, "A client process cannot be started.",
                    advice: "Use fewer --clients.")
            }
            clients.append((process, output))
        }
        let watch = Task { await showProgress() }
        var result = BenchResult()
        for client in clients {
            let data = try client.output.fileHandleForReading.readToEnd() ?? Data()
            client.process.waitUntilExit()
            guard client.process.terminationStatus == 0 else {
                watch.cancel()
                throw LociError(
                    .unavailable, "A client process of the benchmark failed.",
                    advice: "Its reason stands above.")
            }
            result.add(try JSONDecoder().decode(BenchResult.self, from: data))
        }
        watch.cancel()
        await watch.value
        try report(result)
    }

    private func report(_ result: BenchResult) throws {
        let report = BenchReport(title, options, result)
        if options.common.json {
            try Terminal.printJSON(report)
        } else {
            report.printTable()
        }
        if result.errors > 0 {
            Terminal.note(
                "\(Show.count(result.errors)) of \(Show.count(result.requests)) requests failed: "
                    + (result.firstError ?? ""))
            throw result.errors == result.requests ? Loci.failure : Loci.partial
        }
        if result.partials > 0 {
            Terminal.note("\(Show.count(result.partials)) answers were partial.")
            throw Loci.partial
        }
    }

    /// Seconds that have passed, of those that are expected.
    private func showProgress() async {
        let total = expectedSeconds.map { UInt64($0 * 10) }
        var progress = Progress(title.what, unit: "tenths of a second", total: total)
        let start = ContinuousClock.now
        while !Task.isCancelled {
            progress.update(UInt64((ContinuousClock.now - start).inSeconds * 10))
            try? await Task.sleep(for: .milliseconds(250))
        }
        progress.finish()
    }
}

extension BenchOptions {
    /// Warms up, measures, and prints the result for the parent.
    func work(
        _ workload: some BenchWorkload, endsByItself: Bool = false,
        routing: Routing = .coordinator
    ) throws {
        let worker = try BenchWorker(self, routing: routing)
        var workload = workload
        if warmup.seconds > 0 {
            // A workload that ends is measured whole: its warm-up runs on a copy.
            var rehearsal = workload
            _ = try worker.run(&rehearsal, seconds: warmup.seconds)
            if !endsByItself { workload = rehearsal }
        }
        let result = try worker.run(&workload, seconds: endsByItself ? nil : seconds.seconds)
        print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
    }
}
