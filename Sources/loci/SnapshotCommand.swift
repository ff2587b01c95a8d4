import ArgumentParser
import Foundation
import LociClient

struct SnapshotCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "Makes and lists snapshots of the whole cluster.",
        subcommands: [Create.self, List.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Makes a snapshot at one consistent point while writes go on.",
            discussion: """
                Writes are held back while the point is fixed, for 5 s at the most, and go on while
                the shards copy. If a shard fails meanwhile, nothing of the snapshot is kept. It
                lies in the folder that `snapshot-folder` in the cluster file names; shards on other
                machines must reach it by the same path.
                """)

        @Argument(help: "Name of the snapshot.")
        var name: String
        @OptionGroup var common: CommonOptions

        /// The longest that one request may wait; longer copying is waited for by asking again.
        private static let patience = Duration.seconds(600)

        func run() async throws {
            let client = try common.client()
            let started = ContinuousClock.now
            do {
                _ = try await client.withDeadline(Self.patience).createSnapshot(name)
            } catch {
                guard error.code == .deadlineExceeded else { throw error }
                try await wait(client, error)
            }
            let made = try await client.snapshots().snapshots.first { $0.name == name }
            guard let made else {
                throw LociError(.internal, "The snapshot '\(name)' is complete but not listed.")
            }
            let seconds = (ContinuousClock.now - started).inSeconds
            if common.json {
                try Terminal.printJSON(SnapshotReport(made))
            } else {
                print(
                    "snapshot \(name): \(Show.bytes(made.bytes)), "
                        + "\(Show.amount(made.partitions, "partition")), "
                        + "\(Show.decimal(seconds, places: 1)) s")
            }
        }

        private func wait(_ client: LociClient, _ error: LociError) async throws {
            while true {
                let answer = try await client.snapshots()
                if answer.snapshots.contains(where: { $0.name == name }) { return }
                guard answer.active == name else { throw error }
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists the snapshots that are complete.")

        @OptionGroup var common: CommonOptions

        func run() async throws {
            let answer = try await common.client().snapshots()
            if common.json {
                return try Terminal.printJSON(answer.snapshots.map(SnapshotReport.init))
            }
            var table = Table("snapshot", "time", "#bytes", "#partitions", "#shards")
            for snapshot in answer.snapshots {
                table.add(
                    snapshot.name, SnapshotReport(snapshot).time, Show.bytes(snapshot.bytes),
                    Show.count(snapshot.partitions), Show.count(snapshot.shards))
            }
            table.print()
            if !answer.active.isEmpty {
                Terminal.note("The snapshot '\(answer.active)' is being made.")
            }
        }
    }
}

/// A snapshot as JSON.
private struct SnapshotReport: Encodable {
    let name: String
    let id: String
    /// ISO 8601, UTC.
    let time: String
    let bytes: UInt64
    let partitions: UInt32
    let shards: UInt32

    init(_ entry: SnapshotEntry) {
        name = entry.name
        id = Show.identity(entry.id)
        time = Date(timeIntervalSince1970: Double(entry.unixSeconds)).ISO8601Format()
        bytes = entry.bytes
        partitions = entry.partitions
        shards = entry.shards
    }
}
