import ArgumentParser
import Foundation
import LociClient

/// What all benchmarks take: who asks, how long, and from which seed.
struct BenchOptions: ParsableArguments {
    @Option(help: "Client processes: 1 to 256.")
    var clients = 2
    @Option(help: "Requests that each client keeps on the way: 1 to 1024.")
    var inFlight = 1
    @Option(help: "How long to measure.")
    var seconds = TimeSpan(duration: .seconds(5))
    @Option(help: "How long to run before measuring.")
    var warmup = TimeSpan(duration: .seconds(1))
    @Option(help: "Where the random numbers start. The same seed asks for the same things.")
    var seed: UInt64 = 1
    /// Number of this client process; the parent has none.
    @Option(help: .hidden)
    var worker: Int?
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (1...256).contains(clients) else {
            throw ValidationError("--clients must be 1 to 256, not \(clients).")
        }
        guard (1...1024).contains(inFlight) else {
            throw ValidationError("--in-flight must be 1 to 1024, not \(inFlight).")
        }
        guard seconds.seconds > 0 else { throw ValidationError("--seconds must be more than 0.") }
    }

    /// A generator of its own for each client.
    var random: SeededRandom { SeededRandom(seed: mix64(seed) &+ UInt64(worker ?? 0)) }
}

/// What is known about a benchmark before it starts, for the report.
struct BenchTitle: Encodable {
    /// `read rows`, for people.
    let what: String
    let pattern: String
    /// What is counted: `rows` or `queries`.
    let unit: String
    let unitsPerRequest: Int
}

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures reads, writes and queries of a cluster under load.",
        discussion: """
            Closed loop: every client process sends its next request when an answer is there.
            Latency is measured at the client, around the whole request.
            """,
        subcommands: [
            BenchRead.self, BenchWrite.self, BenchQuery.self, BenchComplete.self, BenchDecode.self,
            BenchPrefetch.self,
            BenchPolicies.self, BenchSearch.self, BenchStore.self, BenchPages.self,
            BenchPeriodic.self,
            BenchWire.self, BenchKernels.self,
        ])
}
