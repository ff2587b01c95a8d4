import ArgumentParser
import LociClient

struct PrefetchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prefetch", abstract: "Tells the cluster which cells will be read.",
        discussion: """
            loci prefetch rows 0:5000                        the pages of cells 0 to 4999
            loci prefetch rows --cells @ids.u64 --deadline 20ms
            loci prefetch rows --cells @ids.u64 --wait       until all pages are there
            loci prefetch --ticket 5f3a09c2d1e4b687          how an earlier one stands
            loci prefetch --cancel 5f3a09c2d1e4b687          gives it up
            Prints a ticket, and how the pages stand: resident (were in memory), waiting, loading,
            arrived, expired (time was up before their fetch began), cancelled, failed.
            Prefetches never hold up reads. The exit code is 3 if some shard did not hear it.
            """)

    @Argument(help: "Name of the field.")
    var field: String?
    @OptionGroup var named: NamedCellsOption
    @Option(help: "Pages whose fetch has not begun by then are given up, such as 20ms.")
    var deadline: TimeSpan?
    @Option(help: "The cells will be read so long from now; they need not be there earlier.")
    var neededIn: TimeSpan?
    @Flag(help: "Wait until every page is there or given up, for 60 s at the most.")
    var wait = false
    @Option(
        help: ArgumentHelp("Show how a prefetch stands.", valueName: "ticket"),
        transform: TicketText.numbers)
    var ticket: [UInt64]?
    @Option(
        help: ArgumentHelp("Give a prefetch up.", valueName: "ticket"),
        transform: TicketText.numbers)
    var cancel: [UInt64]?
    @OptionGroup var identity: IdentityOption
    @OptionGroup var routing: RoutingOption
    @OptionGroup var cluster: ClusterOptions

    /// Time for answers, and for `--wait`.
    private static let answerTime = Duration.seconds(10)
    private static let waitTime = Duration.seconds(60)

    func validate() throws {
        let isQuestion = ticket != nil || cancel != nil
        guard (field != nil) != isQuestion, ticket == nil || cancel == nil else {
            throw ValidationError("Give a field and its cells, or --ticket, or --cancel.")
        }
        if isQuestion {
            guard named.isEmpty, deadline == nil, neededIn == nil else {
                throw ValidationError("With --ticket or --cancel give nothing of a new prefetch.")
            }
        }
        guard !wait || cancel == nil else {
            throw ValidationError("A prefetch that is given up is not waited for.")
        }
    }

    func run() async throws {
        let client = try LociClient(
            coordinator: try cluster.endpoint, deadline: Self.answerTime,
            routing: routing.routing)
        if let cancel {
            let ticket = client.ticket(cancel)
            return try report(ticket.numbers, try await ticket.cancel())
        }
        let ticket = try await begin(client)
        var answer = ticket.issued
        if wait {
            answer = try await ticket.wait(Self.waitTime)
        } else if answer == nil {
            answer = try await ticket.status()
        }
        if let answer { try report(ticket.numbers, answer) }
    }

    /// A new prefetch, or one that was begun earlier.
    private func begin(_ client: LociClient) async throws -> PrefetchTicket {
        if let ticket { return client.ticket(ticket) }
        let name = field ?? ""
        switch try named.selection {
        case .range(let range):
            return try await client.prefetch(
                name, range: range, deadline: deadline?.duration, neededIn: neededIn?.duration,
                identity: identity.identity)
        case .scattered(let cells):
            return try await client.prefetch(
                name, cells: cells, deadline: deadline?.duration, neededIn: neededIn?.duration,
                identity: identity.identity)
        }
    }

    private func report(_ numbers: [UInt64], _ answer: TicketAnswer) throws {
        let report = PrefetchReport(numbers, answer)
        if cluster.json {
            try Terminal.printJSON(report)
        } else {
            report.printTable()
        }
        guard answer.receipt.isComplete else {
            Terminal.note(
                "\(answer.receipt.shardsAnswered) of \(answer.receipt.shardsAsked) shards "
                    + "answered. `loci status` shows which are down.")
            throw Loci.partial
        }
    }
}

/// Tickets as text: hexadecimal numbers with commas between.
enum TicketText {
    static func numbers(_ text: String) throws -> [UInt64] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in
            part.utf8.count <= 16 && part.first != "+" ? UInt64(part, radix: 16) : nil
        }
        guard numbers.count == parts.count, !numbers.contains(0) else {
            throw ValidationError("'\(text)' is not a ticket: hexadecimal digits, as printed.")
        }
        return numbers
    }

    static func show(_ numbers: [UInt64]) -> String {
        numbers.map(Show.identity).joined(separator: ",")
    }
}

/// How a prefetch stands, for people and for programs.
private struct PrefetchReport: Encodable {
    let ticket: String
    let isDone: Bool
    let pages: UInt64
    let resident: UInt64
    let waiting: UInt64
    let loading: UInt64
    let arrived: UInt64
    let expired: UInt64
    let cancelled: UInt64
    let failed: UInt64
    let shardsAsked: UInt32
    let shardsAnswered: UInt32

    init(_ numbers: [UInt64], _ answer: TicketAnswer) {
        ticket = TicketText.show(numbers)
        isDone = answer.isDone
        pages = answer.pages
        resident = answer.resident
        waiting = answer.waiting
        loading = answer.loading
        arrived = answer.arrived
        expired = answer.expired
        cancelled = answer.cancelled
        failed = answer.failed
        shardsAsked = answer.receipt.shardsAsked
        shardsAnswered = answer.receipt.shardsAnswered
    }

    func printTable() {
        print("ticket \(ticket)")
        var table = Table(
            "#pages", "#resident", "#waiting", "#loading", "#arrived", "#expired", "#cancelled",
            "#failed")
        table.add(
            [pages, resident, waiting, loading, arrived, expired, cancelled, failed]
                .map { Show.count($0) })
        table.print()
    }
}
