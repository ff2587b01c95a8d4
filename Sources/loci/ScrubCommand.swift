import ArgumentParser
import LociClient
import LociRuntime

struct ScrubCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub", abstract: "Reads and checks everything that the shards store.",
        discussion: """
            loci scrub                      as fast as it suits the shards
            loci scrub --rate 50MiB/s       each shard reads at most so much
            The scrub goes on in the background if this command is interrupted; started again, the
            command shows it. The exit code is 1 if damage was found that no repair could save, or
            if a shard was started again meanwhile; 3 if a shard is down or did not answer, so that
            its pages may not have been read.
            """)

    @Option(help: "Bytes per second that each shard may read, such as 50MiB/s.")
    var rate: ByteRate?
    @OptionGroup var common: CommonOptions

    private static let interval = Duration.milliseconds(500)

    func run() async throws {
        let client = try common.client()
        var report = try await client.startScrub(bytesPerSecond: rate?.bytesPerSecond ?? 0)
        let isStartedEverywhere = report.receipt.isComplete
        var progress = Progress("scrub", unit: "pages", total: nil)
        while report.shardsRunning > 0 {
            progress.update(report.pagesVerified)
            try await Task.sleep(for: Self.interval)
            report = try await client.scrubReport()
        }
        progress.finish()
        let isComplete = isStartedEverywhere && report.receipt.isComplete
        let catalog = report.damaged.isEmpty ? nil : try await client.describe()
        let pages = report.damaged.map { DamagedPageReport($0, catalog) }
        if common.json {
            try Terminal.printJSON(
                ScrubOutput(
                    pagesVerified: report.pagesVerified, pagesDamaged: report.pagesDamaged,
                    damaged: pages, isComplete: isComplete))
        } else {
            print("\(Show.amount(report.pagesVerified, "page")) verified")
            print("\(Show.amount(report.pagesDamaged, "page")) damaged")
            for page in pages {
                print("  \(page.of): partition \(page.partition), page \(page.page)")
            }
            let unnamed = report.pagesDamaged - min(report.pagesDamaged, UInt64(pages.count))
            if unnamed > 0 { print("  and \(Show.count(unnamed)) more") }
        }
        if !isComplete { try await noteMissing(client) }
        if report.pagesDamaged > 0 { throw Loci.failure }
        if !isComplete { throw Loci.partial }
    }

    /// Says which shards are down, so far as they still are.
    private func noteMissing(_ client: LociClient) async throws {
        let down = try await client.status().shards.filter { !$0.isUp }.map { "\($0.shard)" }
        let who =
            down.isEmpty
            ? "a shard did not answer at times"
            : "shard \(down.joined(separator: ", ")) is down"
        Terminal.note("The scrub is partial: \(who). Its pages may not have been read.")
    }
}

/// What a scrub found, as JSON.
private struct ScrubOutput: Encodable {
    let pagesVerified: UInt64
    let pagesDamaged: UInt64
    let damaged: [DamagedPageReport]
    let isComplete: Bool
}

private struct DamagedPageReport: Encodable {
    /// The field or collection, as people know it.
    let of: String
    let partition: UInt32
    let page: UInt64

    init(_ address: PageAddress, _ catalog: Catalog?) {
        partition = address.partition
        page = address.page
        if let field = catalog?.field(space: address.space) {
            of = "field \(field.name)"
        } else if let collection = catalog?.collections.first(where: {
            $0.vectorSpace == address.space || $0.payloadSpace == address.space
        }) {
            let part = collection.vectorSpace == address.space ? "vectors" : "payloads"
            of = "collection \(collection.name), \(part)"
        } else {
            of = "space \(address.space), which was dropped"
        }
    }
}

/// `50MiB/s`, or `50MiB`.
struct ByteRate: ExpressibleByArgument {
    let bytesPerSecond: UInt64

    init?(argument: String) {
        let size = argument.hasSuffix("/s") ? String(argument.dropLast(2)) : argument
        guard let count = ByteCount(size), count.bytes > 0 else { return nil }
        bytesPerSecond = UInt64(count.bytes)
    }
}
