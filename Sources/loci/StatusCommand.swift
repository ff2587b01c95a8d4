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

    /// A table of the tiers of all shards, and what is wrong with any.
    private func showTiers(_ status: StatusAnswer) {
        var tiers = Table(
            "#shard", "tier", "#resident", "#budget", "#hits", "#moved in", "#moved out", "#dirty")
        for shard in status.shards {
            for tier in shard.vitals.tiers {
                let hits =
                    tier.requests == 0
                    ? ""
                    : Show.decimal(100 * Double(tier.hits) / Double(tier.requests), places: 1) + "%"
                tiers.add(
                    "\(shard.shard)", tier.tier.name + (tier.isEmulated ? " (emulated)" : ""),
                    Show.bytes(tier.residentBytes), Show.bytes(tier.budgetBytes), hits,
                    Show.count(tier.movedIn), Show.count(tier.movedOut),
                    Show.bytes(tier.dirtyBytes))
            }
        }
        if status.shards.contains(where: { !$0.vitals.tiers.isEmpty }) {
            print()
            tiers.print()
        }
        for shard in status.shards {
            let vitals = shard.vitals
            if vitals.isFull {
                Terminal.note("Shard \(shard.shard): the disk is full; writes are refused.")
            }
            if vitals.pagesDamaged > 0 {
                Terminal.note(
                    "Shard \(shard.shard): \(Show.amount(vitals.pagesDamaged, "page")) of "
                        + "\(Show.count(vitals.pagesVerified)) checked damaged. `loci scrub` "
                        + "names them.")
            }
            if vitals.overflowBytes > 0 {
                Terminal.note(
                    "Shard \(shard.shard): \(Show.bytes(vitals.overflowBytes)) of memory beyond "
                        + "the budget.")
            }
        }
    }

    private func show(_ status: StatusAnswer) {
        print("cluster      \(Show.identity(status.clusterID)) at \(common.coordinator)")
        print("partitions   \(status.partitions)")
        print("in flight    \(status.requestsInFlight) requests")
        print()
        var shards = Table(
            "#shard", "state", "endpoint", "#partitions", "#points", "#log", "#in flight",
            "#rejected")
        for shard in status.shards {
            let vitals = shard.vitals
            shards.add(
                "\(shard.shard)", shard.isUp ? "up" : "down", shard.endpoint,
                Show.count(vitals.partitions), Show.count(vitals.points),
                Show.bytes(vitals.logBytes), Show.count(vitals.requestsInFlight),
                Show.count(vitals.rejectedMessages))
        }
        shards.print()
        showTiers(status)
        PrefetchStatus.show(status)
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
        let tiers: [TierStatus]
        let pagesVerified: UInt64
        let pagesDamaged: UInt64
        let overflowBytes: UInt64
        let isFull: Bool
        let prefetch: PrefetchStatus
        let gossip: GossipStatus
    }

    struct TierStatus: Encodable {
        let tier: String
        let residentBytes: UInt64
        let budgetBytes: UInt64
        let requests: UInt64
        let hits: UInt64
        let movedIn: UInt64
        let movedOut: UInt64
        let isEmulated: Bool
        let dirtyBytes: UInt64

        init(_ vitals: TierVitals) {
            tier = vitals.tier.name
            residentBytes = vitals.residentBytes
            budgetBytes = vitals.budgetBytes
            requests = vitals.requests
            hits = vitals.hits
            movedIn = vitals.movedIn
            movedOut = vitals.movedOut
            isEmulated = vitals.isEmulated
            dirtyBytes = vitals.dirtyBytes
        }
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
                rejectedMessages: $0.vitals.rejectedMessages,
                tiers: $0.vitals.tiers.map(TierStatus.init),
                pagesVerified: $0.vitals.pagesVerified, pagesDamaged: $0.vitals.pagesDamaged,
                overflowBytes: $0.vitals.overflowBytes, isFull: $0.vitals.isFull,
                prefetch: PrefetchStatus($0.vitals), gossip: GossipStatus($0.vitals.gossip))
        }
        collections = status.collections.map {
            Collection(
                name: $0.name, points: $0.points, hardLocations: $0.locations,
                generation: $0.generation, isUnroutable: $0.isUnroutable, isMoving: $0.isMoving)
        }
    }
}
