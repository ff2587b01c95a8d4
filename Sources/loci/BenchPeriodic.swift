import ArgumentParser
import LociSimulation

struct BenchPeriodic: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "periodic",
        abstract: "Simulates a periodic run that knows when everything is used next; no cluster.",
        discussion: """
            Objects are used once a period, one after the other, as tensors are in training. Each \
            leaves the fast tier right after its use, if there is time to bring it back, and comes \
            back just in time. Time is virtual. Prints the stalls as a share of the run with all \
            objects in the fast tier, beside the least that any schedule could stall.
            """)

    @Option(help: "Objects of the working set: 1 to 1000000.")
    var objects: UInt64 = 1000
    @Option(help: "Periods: 1 to 10000.")
    var periods: UInt64 = 100
    @Option(help: "Size of the fast tier, in percent of the working set.")
    var fast = PercentList(percents: [25])
    @Option(help: "What the link moves in a period, in percent of the working set.")
    var link = PercentList(percents: [100, 75, 50])
    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func validate() throws {
        guard (1...1_000_000).contains(objects), (1...10_000).contains(periods),
            objects * periods <= 10_000_000
        else {
            throw ValidationError("--objects times --periods must be 1 to 10000000.")
        }
    }

    func run() throws {
        var lines: [PeriodicLine] = []
        for fastPercent in fast.percents {
            for linkPercent in link.percents {
                var options = PeriodicTrial.Options()
                options.objects = objects
                options.periods = periods
                options.fastShare = fastPercent / 100
                options.linkShare = linkPercent / 100
                var trial = PeriodicTrial(options)
                lines.append(PeriodicLine(fastPercent, linkPercent, trial.run()))
            }
        }
        if json { return try Terminal.printJSON(lines) }
        var table = Table(["#fast tier", "#link", "#stalls (simulated)", "#least possible"])
        for line in lines {
            table.add([
                "\(PercentList.text(line.fastPercent))%", "\(PercentList.text(line.linkPercent))%",
                Show.decimal(line.stallShare, places: 5),
                Show.decimal(line.leastStallShare, places: 5),
            ])
        }
        table.print()
    }
}

private struct PeriodicLine: Encodable {
    let fastPercent: Double
    let linkPercent: Double
    let stallShare: Double
    let leastStallShare: Double

    init(_ fast: Double, _ link: Double, _ result: PeriodicTrial.Result) {
        fastPercent = fast
        linkPercent = link
        stallShare = result.stallShare
        leastStallShare = result.boundShare
    }
}
