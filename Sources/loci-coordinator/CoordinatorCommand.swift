import ArgumentParser
import LociBase
import LociModel
import LociRuntime

@main
struct CoordinatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loci-coordinator",
        abstract: "Serves the clients of a Loci cluster until it gets a SIGTERM.",
        version: LociVersion.program)

    @Option(help: "The cluster file, the same for all processes of a cluster.")
    var config: String

    func run() throws {
        do throws(LociError) {
            try CoordinatorProcess.run(try ClusterConfiguration.load(path: config))
        } catch {
            endProcess(reporting: error)
        }
    }
}
