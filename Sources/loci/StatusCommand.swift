import ArgumentParser
import LociClient

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows the cluster: its shards and collections.",
        discussion: "The exit code is 3 when some shard is down.")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let status = try await common.client().status()
        let isComplete = status.shards.allSatisfy(\.isUp)
        if common.json {
            try Terminal.printJSON(StatusReport(status, coordinator: common.coordinator))
        } else {
            show(status)
        }
        guard isComplete else {
            let down = status.shards.filter { !$0.isUp }.map { "\($0.shard)" }
            Terminal.note(
                "Down: \(down.map { "shard \($0)" }.joined(separator: ", ")). "
                    + "`scripts/cluster up` starts what is dead."
            )
            throw Loci.partial
        }
    }

    private func show(_ status: StatusAnswer) {
        print("cluster      \(Show.identity(status.clusterID)) at \(common.coordinator)")
        print("partitions   \(status.partitions)")
        print("in flight    \(status.requestsInFlight) requests")
        print()
        var shards = Table(
            "#shard", "state", "endpoint", "#partitions", "#points", "#resident", "#budget",
            "#page hits", "#log", "#in flight", "#rejected")
        for shard in status.shards {
            let vitals = shard.vitals
            let hits =
                vitals.pagesRequested == 0
                ? ""
                : Show.decimal(
                    100 * Double(vitals.pagesHit) / Double(vitals.pagesRequested), places: 1) + "%"
            shards.add(
                "\(shard.shard)", shard.isUp ? "up" : "down", shard.endpoint,
                Show.count(vitals.partitions), Show.count(vitals.points),
                Show.bytes(vitals.residentBytes), Show.bytes(vitals.budgetBytes), hits,
                Show.bytes(vitals.logBytes), Show.count(vitals.requestsInFlight),
                Show.count(vitals.rejectedMessages))
        }
        shards.print()
        guard !status.collections.isEmpty else { return }
        print()
        var collections = Table("collection", "#points", "#locations", "#generation", "routing")
        for collection in status.collections {
            let routing = collection.isUnroutable ? "all shards" : "by address"
            collections.add(
                collection.name, Show.count(collection.points), Show.count(collection.locations),
                "\(collection.generation)", collection.isMoving ? routing + ", moving" : routing)
        }
        collections.print()
    }
}

/// The cluster as JSON.
private struct StatusReport: Encodable {
    struct Shard: Encodable {
        let shard: UInt32
        let isUp: Bool
        let endpoint: String
        let incarnation: String
        let partitions: UInt32
        let points: UInt64
        let residentBytes: UInt64
        let budgetBytes: UInt64
        let pagesRequested: UInt64
        let pagesHit: UInt64
        let logBytes: UInt64
        let requestsInFlight: UInt32
        let rejectedMessages: UInt64
    }

    struct Collection: Encodable {
        let name: String
        let points: UInt64
        let hardLocations: UInt32
        let generation: UInt32
        let isUnroutable: Bool
        let isMoving: Bool
    }

    let cluster: String
    let coordinator: String
    let partitions: UInt32
    let requestsInFlight: UInt32
    let isComplete: Bool
    let shards: [Shard]
    let collections: [Collection]

    init(_ status: StatusAnswer, coordinator: String) {
        cluster = Show.identity(status.clusterID)
        self.coordinator = coordinator
        partitions = status.partitions
        requestsInFlight = status.requestsInFlight
        isComplete = status.shards.allSatisfy(\.isUp)
        shards = status.shards.map {
            Shard(
                shard: $0.shard, isUp: $0.isUp, endpoint: $0.endpoint,
                incarnation: Show.identity($0.incarnation), partitions: $0.vitals.partitions,
                points: $0.vitals.points, residentBytes: $0.vitals.residentBytes,
                budgetBytes: $0.vitals.budgetBytes, pagesRequested: $0.vitals.pagesRequested,
                pagesHit: $0.vitals.pagesHit, logBytes: $0.vitals.logBytes,
                requestsInFlight: $0.vitals.requestsInFlight,
                rejectedMessages: $0.vitals.rejectedMessages)
        }
        collections = status.collections.map {
            Collection(
                name: $0.name, points: $0.points, hardLocations: $0.locations,
                generation: $0.generation, isUnroutable: $0.isUnroutable, isMoving: $0.isMoving)
        }
    }
}
