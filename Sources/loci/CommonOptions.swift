import ArgumentParser
import Foundation
import LociClient

/// Where the cluster is, and how answers are printed.
struct ClusterOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the coordinator is; also LOCI_COORDINATOR in the environment.",
            valueName: "endpoint"))
    var coordinator: String =
        ProcessInfo.processInfo.environment["LOCI_COORDINATOR"] ?? "tcp://127.0.0.1:7100"

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    var endpoint: Endpoint {
        get throws {
            do {
                return try Endpoint(coordinator)
            } catch {
                throw ValidationError("\(error.message) \(error.advice)")
            }
        }
    }

    func validate() throws {
        _ = try endpoint
    }
}

/// What every command that talks to a cluster takes.
struct CommonOptions: ParsableArguments {
    @OptionGroup var cluster: ClusterOptions

    @Option(help: "Time for an answer, such as 500ms, 10s or 2m.")
    var deadline = TimeSpan(duration: .seconds(10))

    var coordinator: String { cluster.coordinator }
    var json: Bool { cluster.json }
    var endpoint: Endpoint { get throws { try cluster.endpoint } }

    func client(_ routing: Routing = .coordinator) throws -> LociClient {
        try LociClient(
            coordinator: try endpoint, deadline: deadline.duration, routing: routing)
    }
}

/// Which way requests for cells take.
struct RoutingOption: ParsableArguments {
    @Flag(
        help: ArgumentHelp(
            "Ask the shards directly.",
            discussion: "What they do not answer is asked of the coordinator."))
    var direct = false

    var routing: Routing { direct ? .direct : .coordinator }
}

/// The field that is meant, whatever has its name by now.
struct IdentityOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Refuse any field but the one of this identity; `loci field info` shows it.",
            valueName: "hexadecimal"), transform: Self.number)
    var identity: UInt64 = 0

    static func number(_ text: String) throws -> UInt64 {
        guard text.utf8.count <= 16, let number = UInt64(text, radix: 16), number != 0,
            text.first != "+"
        else {
            throw ValidationError("'\(text)' is not an identity: 1 to 16 hexadecimal digits.")
        }
        return number
    }
}

/// Whether to say what an answer cost.
struct ExplainOption: ParsableArguments {
    @Flag(help: "Print what the answer cost: shards, pages, bytes and time.")
    var explain = false
}

/// How wide the address of a vector is.
struct WidthOptions: ParsableArguments, Equatable {
    @Option(help: "Hard locations to look at, with --radius at least so many; 0: chosen.")
    var probes = 0
    @Option(help: "The part of the true neighbours that is wanted, such as 0.95.")
    var recall: Float = 0
    @Option(
        help: ArgumentHelp(
            "Look at hard locations within this factor of the nearest one's squared distance.",
            valueName: "factor"))
    var radius: Float = 0

    var isNone: Bool { probes == 0 && recall == 0 && radius == 0 }

    var description: String {
        var parts: [String] = []
        if probes > 0 { parts.append("\(probes) probes") }
        if recall > 0 { parts.append("recall \(recall)") }
        if radius > 0 { parts.append("radius \(radius)") }
        return parts.isEmpty ? "by address" : parts.joined(separator: ", ")
    }

    func validate() throws {
        guard probes >= 0 else { throw ValidationError("--probes must not be negative.") }
        guard recall >= 0, recall < 1 else {
            throw ValidationError("--recall must be below 1, such as 0.95; --exact finds all.")
        }
        guard radius == 0 || radius >= 1, radius.isFinite else {
            throw ValidationError("--radius must be at least 1.")
        }
    }

    static func == (left: WidthOptions, right: WidthOptions) -> Bool {
        left.probes == right.probes && left.recall == right.recall && left.radius == right.radius
    }
}

/// The slowest tier that an answer may come from.
struct TierOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Skip what lies in slower tiers: \(names).", valueName: "tier"),
        transform: Self.tier)
    var maxTier: Tier?

    private static let names = Tier.allCases.map(\.name).joined(separator: " ")

    private static func tier(_ name: String) throws -> Tier {
        guard let tier = Tier(named: name) else {
            throw ValidationError("'\(name)' is not a tier. Choose one of: \(names).")
        }
        return tier
    }
}

/// A span of time as people write it: `500ms`, `10s`, `2m`, or seconds without a unit.
struct TimeSpan: ExpressibleByArgument, CustomStringConvertible {
    let duration: Duration

    init(duration: Duration) { self.duration = duration }

    init?(argument: String) {
        let units: [(suffix: String, seconds: Double)] = [("ms", 0.001), ("s", 1), ("m", 60)]
        let unit = units.first { argument.hasSuffix($0.suffix) }
        let digits = argument.dropLast(unit?.suffix.count ?? 0)
        guard let number = Double(digits), number >= 0, number < 1e6 else { return nil }
        duration = .seconds(number * (unit?.seconds ?? 1))
    }

    var description: String { "\(seconds)s" }
    var defaultValueDescription: String {
        seconds == seconds.rounded() ? "\(Int(seconds))s" : description
    }

    var seconds: Double { duration.inSeconds }
}

extension Duration {
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
