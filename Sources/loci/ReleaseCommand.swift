import ArgumentParser
import LociClient

struct ReleaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Tells the cluster which cells were read for the last time.",
        discussion: """
            loci release rows 0:5000                           their pages are the first to go
            loci release rows --cells @ids.u64 --needed-in 2s  and are back in time for then
            Nothing is lost by it: the cells can be read as before.
            """)

    @Argument(help: "Name of the field.")
    var field: String
    @OptionGroup var named: NamedCellsOption
    @Option(help: "The cells will be read again so long from now.")
    var neededIn: TimeSpan?
    @OptionGroup var identity: IdentityOption
    @OptionGroup var routing: RoutingOption
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let client = try common.client(routing.routing)
        let outcome: Outcome
        switch try named.selection {
        case .range(let range):
            outcome = try await client.release(
                field, range: range, neededIn: neededIn?.duration, identity: identity.identity)
        case .scattered(let cells):
            outcome = try await client.release(
                field, cells: cells, neededIn: neededIn?.duration, identity: identity.identity)
        }
        if common.json {
            try Terminal.printJSON(
                ReleaseReport(
                    field: field, released: outcome.count, receipt: ReceiptReport(outcome.receipt)))
        } else {
            print("Released \(Show.amount(outcome.count, "cell")) of '\(field)'.")
        }
        if outcome.isDegraded { try Terminal.leavePartial(outcome.receipt) }
    }
}

/// What was released, as JSON.
private struct ReleaseReport: Encodable {
    let field: String
    let released: UInt64
    let receipt: ReceiptReport
}
