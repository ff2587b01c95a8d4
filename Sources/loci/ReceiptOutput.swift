import LociClient

/// A receipt as JSON.
struct ReceiptReport: Encodable {
    let shardsAsked: UInt32
    let shardsAnswered: UInt32
    let partitions: UInt32
    let pagesTouched: UInt64
    let pagesResident: UInt64
    let bytesRead: UInt64
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
        pagesTouched = receipt.pagesTouched
        pagesResident = receipt.pagesResident
        bytesRead = receipt.bytesRead
        vectorsScored = receipt.vectorsScored
        hardLocations = receipt.locationsActive
        totalMicroseconds = receipt.totalMicroseconds
        coordinatorMicroseconds = receipt.coordinatorMicroseconds
        networkMicroseconds = receipt.networkMicroseconds
        shardMicroseconds = receipt.shardMicroseconds
        scoringMicroseconds = receipt.scoringMicroseconds
    }
}

extension Receipt {
    /// The receipt as a table for people.
    func printTable() {
        var table = Table("receipt", "")
        table.add("shards asked", Show.count(shardsAsked))
        table.add("shards answered", Show.count(shardsAnswered))
        table.add("partitions", Show.count(partitions))
        table.add("hard locations", Show.count(locationsActive))
        table.add("vectors scored", Show.count(vectorsScored))
        table.add("pages touched", Show.count(pagesTouched))
        table.add("pages resident", Show.count(pagesResident))
        table.add("bytes read", Show.bytes(bytesRead))
        table.add("time total", Show.time(microseconds: totalMicroseconds))
        table.add("  coordinator", Show.time(microseconds: coordinatorMicroseconds))
        table.add("  network", Show.time(microseconds: networkMicroseconds))
        table.add("  slowest shard", Show.time(microseconds: shardMicroseconds))
        table.add("    scoring", Show.time(microseconds: scoringMicroseconds))
        print()
        table.print()
    }
}
