import LociClient

/// What became of a shard's prefetches, by what they were begun for.
struct PrefetchStatus: Encodable {
    /// Clients said that they would read the pages.
    let told: Tally
    /// The shard guessed it.
    let guessed: Tally
    /// Others hinted at it.
    let hinted: Tally

    struct Tally: Encodable {
        let issued: UInt64
        let used: UInt64
        let late: UInt64
        let wasted: UInt64
        let dropped: UInt64
        let open: UInt64
        let bytes: UInt64
        let precision: Double
        let timeliness: Double

        init(_ tally: PrefetchTally) {
            issued = tally.issued
            used = tally.used
            late = tally.late
            wasted = tally.wasted
            dropped = tally.dropped
            open = tally.open
            bytes = tally.bytes
            precision = tally.precision
            timeliness = tally.timeliness
        }
    }

    init(_ vitals: ShardVitals) {
        told = Tally(vitals.told)
        guessed = Tally(vitals.guessed)
        hinted = Tally(vitals.hinted)
    }

    /// Prints what there was: shards that never prefetched, and that never gossiped, have no line.
    static func show(_ status: StatusAnswer) {
        var table = Table(
            "#shard", "prefetch", "#issued", "#used", "#late", "#wasted", "#dropped", "#open",
            "#bytes", "#precision", "#in time")
        var count = 0
        for shard in status.shards {
            let vitals = shard.vitals
            let tallies = [
                ("told", vitals.told), ("guessed", vitals.guessed), ("hinted", vitals.hinted),
            ]
            for (name, tally) in tallies where tally != PrefetchTally() {
                table.add(
                    "\(shard.shard)", name, Show.count(tally.issued), Show.count(tally.used),
                    Show.count(tally.late), Show.count(tally.wasted), Show.count(tally.dropped),
                    Show.count(tally.open), Show.bytes(tally.bytes),
                    Show.decimal(tally.precision, places: 3),
                    Show.decimal(tally.timeliness, places: 3))
                count += 1
            }
        }
        if count > 0 {
            print()
            table.print()
        }
        GossipStatus.show(status)
    }
}

/// Counters of a shard's gossip.
struct GossipStatus: Encodable {
    let rounds: UInt64
    let messages: UInt64
    let bytesSent: UInt64
    let bytesReceived: UInt64
    let entries: UInt64
    let dropped: UInt64

    init(_ vitals: GossipVitals) {
        rounds = vitals.rounds
        messages = vitals.messages
        bytesSent = vitals.bytesSent
        bytesReceived = vitals.bytesReceived
        entries = vitals.entries
        dropped = vitals.dropped
    }

    fileprivate static func show(_ status: StatusAnswer) {
        let shards = status.shards.filter { $0.vitals.gossip != GossipVitals() }
        guard !shards.isEmpty else { return }
        var table = Table(
            "#shard", "gossip", "#rounds", "#messages", "#sent", "#received", "#entries",
            "#dropped")
        for shard in shards {
            let gossip = shard.vitals.gossip
            table.add(
                "\(shard.shard)", "", Show.count(gossip.rounds), Show.count(gossip.messages),
                Show.bytes(gossip.bytesSent), Show.bytes(gossip.bytesReceived),
                Show.count(gossip.entries), Show.count(gossip.dropped))
        }
        print()
        table.print()
    }
}
