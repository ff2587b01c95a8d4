import ArgumentParser
import LociClient
import LociRuntime

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Makes the data of a new cluster out of a snapshot.",
        discussion: """
            Works on the folders that the cluster file names, which must be empty, while nothing
            runs; start the cluster afterwards. The number of shards may differ from that of the
            cluster that was copied, up to its number of partitions.
            """)

    @Argument(help: "The snapshot: a name in the cluster file's snapshot-folder, or a folder.")
    var snapshot: String
    @Option(help: "The cluster file.")
    var config: String
    @Flag(help: "Print JSON.")
    var json = false

    private struct Report: Encodable {
        var partitions = 0
        var pages: UInt64 = 0
    }

    func run() throws {
        let configuration = try ClusterConfiguration.load(path: config)
        let restore = try ClusterRestore(snapshot, into: configuration)
        var report = Report()
        try restore.run { progress in
            report.partitions += 1
            report.pages += progress.pages
            if !json {
                print(
                    "shard \(progress.shard), partition \(progress.partition): "
                        + Show.amount(progress.pages, "page"))
            }
        }
        if json { return try Terminal.printJSON(report) }
        print(
            "restored \(Show.amount(report.pages, "page")); start the cluster with this file, or "
                + "with scripts/cluster up")
    }
}
