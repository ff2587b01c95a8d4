import ArgumentParser
import Foundation
import LociClient

/// The command line of a Loci cluster.
@main
struct Loci: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loci",
        abstract: "Reads, writes and queries a Loci cluster.",
        discussion: """
            Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a partial answer (a shard is
            missing, or --max-tier left something out).
            The coordinator is named with --coordinator or the environment's LOCI_COORDINATOR.
            """,
        version: LociVersion.program,
        subcommands: [
            FieldCommand.self, CollectionCommand.self, MemoryCommand.self, ReadCommand.self,
            WriteCommand.self,
            PrefetchCommand.self, ReleaseCommand.self,
            ImportCommand.self, QueryCommand.self, RetrieveCommand.self, ScrollCommand.self,
            CountCommand.self, DeleteCommand.self, CompleteCommand.self, TuneCommand.self,
            StatusCommand.self, ResidencyCommand.self,
            ScrubCommand.self, SnapshotCommand.self, RestoreCommand.self, VerifyCommand.self,
            InspectCommand.self,
            BenchCommand.self,
        ])

    /// An answer came, but some shard's part of it is missing.
    static let partial = ExitCode(3)
    static let failure = ExitCode(failed)
    private static let failed: Int32 = 1
    private static let usage: Int32 = 2

    static func main() async {
        let command: any ParsableCommand
        do {
            command = try parseAsRoot()
        } catch {
            leave(error)
        }
        do {
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                var command = command
                try command.run()
            }
        } catch let error as ValidationError {
            // Found only after parsing: the parser no longer knows which command's usage to show.
            Terminal.note(error.message)
            Foundation.exit(usage)
        } catch let error as LociError {
            Terminal.complain(error)
            Foundation.exit(failed)
        } catch let error as ExitCode {
            Foundation.exit(error.rawValue)
        } catch {
            leave(error)
        }
    }

    /// Help and versions are answers; what the parser refuses is wrong usage; the rest has failed.
    private static func leave(_ error: any Error) -> Never {
        switch exitCode(for: error) {
        case .success:
            exit(withError: error)
        case .validationFailure:
            Terminal.standardError(fullMessage(for: error) + "\n")
            Foundation.exit(usage)
        default:
            Terminal.standardError("loci: \(error.localizedDescription)\n")
            Foundation.exit(failed)
        }
    }
}
