import LociClient

/// A receipt as JSON.
struct ReceiptReport: Encodable {
    let shardsAsked: UInt32
    let shardsAnswered: UInt32
    let partitions: UInt32
    let wholePartitions: UInt32
    let rounds: UInt32
    let pagesTouched: UInt64
    let tiers: [TierReport]
    let joulesModelled: Double
    let bytesRead: UInt64
    let codesScanned: UInt64
    let vectorsScored: UInt64
    let hardLocations: UInt32
    let totalMicroseconds: UInt64
    let coordinatorMicroseconds: UInt64
    let networkMicroseconds: UInt64
    let shardMicroseconds: UInt64
    let scoringMicroseconds: UInt64

    init(_ receipt: Receipt) {
        shardsAsked = receipt.shardsAsked
        shardsAnswered = receipt.shardsAnswered
        partitions = receipt.partitions
        wholePartitions = receipt.wholePartitions
        rounds = receipt.rounds
        pagesTouched = receipt.pagesTouched
        tiers = TierReport.all(receipt)
        joulesModelled = receipt.joules()
        bytesRead = receipt.bytesRead
        codesScanned = receipt.codesScanned
        vectorsScored = receipt.vectorsScored
        hardLocations = receipt.locationsActive
        totalMicroseconds = receipt.totalMicroseconds
        coordinatorMicroseconds = receipt.coordinatorMicroseconds
        networkMicroseconds = receipt.networkMicroseconds
        shardMicroseconds = receipt.shardMicroseconds
        scoringMicroseconds = receipt.scoringMicroseconds
    }
}

/// What one tier did for an answer, as JSON.
struct TierReport: Encodable {
    let tier: String
    let hits: UInt64
    let soft: UInt64
    let hard: UInt64
    let skipped: UInt64
    let bytes: UInt64
    let waitMicroseconds: UInt64
    let joulesModelled: Double

    /// Tiers that had a part in it, the fastest first.
    static func all(_ receipt: Receipt) -> [TierReport] {
        let model = EnergyModel()
        return Tier.allCases.filter { receipt.tiers[$0] != TierCost() }.map { tier in
            let cost = receipt.tiers[tier]
            return TierReport(
                tier: tier.name, hits: cost.hits, soft: cost.soft, hard: cost.hard,
                skipped: cost.skipped, bytes: cost.bytes, waitMicroseconds: cost.waitMicroseconds,
                joulesModelled: model.joules(cost, of: tier))
        }
    }
}

extension Receipt {
    /// Pages by tier: found in memory, come without a device, read from a device, left out.
    private func printTiers() {
        let reports = TierReport.all(self)
        guard !reports.isEmpty else { return }
        var table = Table(
            "tier", "#hit", "#soft", "#hard", "#skipped", "#bytes", "#wait", "#energy, modelled")
        for report in reports {
            table.add(
                report.tier, Show.count(report.hits), Show.count(report.soft),
                Show.count(report.hard), Show.count(report.skipped), Show.bytes(report.bytes),
                Show.time(microseconds: report.waitMicroseconds),
                Show.energy(joules: report.joulesModelled))
        }
        print()
        table.print()
    }

    /// The receipt as a table for people.
    func printTable() {
        var table = Table("receipt", "")
        table.add("shards asked", Show.count(shardsAsked))
        table.add("shards answered", Show.count(shardsAnswered))
        if rounds > 0 { table.add("rounds", Show.count(rounds)) }
        table.add("partitions", Show.count(partitions))
        if wholePartitions > 0 {
            table.add("  of them compared as a whole", Show.count(wholePartitions))
        }
        table.add("hard locations", Show.count(locationsActive))
        table.add("codes scanned", Show.count(codesScanned))
        table.add("vectors compared", Show.count(vectorsScored))
        table.add("pages touched", Show.count(pagesTouched))
        table.add("bytes read", Show.bytes(bytesRead))
        table.add("time total", Show.time(microseconds: totalMicroseconds))
        table.add("  coordinator", Show.time(microseconds: coordinatorMicroseconds))
        table.add("  network", Show.time(microseconds: networkMicroseconds))
        table.add("  slowest shard", Show.time(microseconds: shardMicroseconds))
        table.add("    scoring", Show.time(microseconds: scoringMicroseconds))
        table.add("energy, modelled", Show.energy(joules: joules()))
        print()
        table.print()
        printTiers()
    }
}
