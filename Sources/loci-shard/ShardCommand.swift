import ArgumentParser
import LociBase
import LociModel
import LociRuntime

@main
struct ShardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loci-shard",
        abstract: "Serves one shard of a Loci cluster until it gets a SIGTERM.",
        version: LociVersion.program)

    @Option(help: "The cluster file, the same for all processes of a cluster.")
    var config: String

    @Option(help: "Which shard of the cluster file this is, from 0.")
    var shard: UInt32

    func run() throws {
        do throws(LociError) {
            try ShardProcess.run(try ClusterConfiguration.load(path: config), shard: shard)
        } catch {
            endProcess(reporting: error)
        }
    }
}
