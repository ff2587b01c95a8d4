import Foundation
import Glibc
import Histogram
import LociClient

/// What a benchmark asks, and how it judges an answer.
protocol BenchWorkload {
    /// The next request; nil when there are no more. `tag` comes back with the answer.
    mutating func next() -> BenchRequest?
    /// Counts units, partial answers, recall and the hash into `result`; false if the answer is
    /// wrong.
    func judge(_ answer: Message, tag: Int, into result: inout BenchResult) -> Bool
}

struct BenchRequest {
    let body: Body
    let bulk: [Bytes]
    let tag: Int
}

/// What one client measured, or all of them together.
struct BenchResult: Codable {
    var requests: UInt64 = 0
    /// Rows or queries of complete or partial answers.
    var units: UInt64 = 0
    var errors: UInt64 = 0
    var firstError: String?
    /// Answers that some shard did not contribute to.
    var partials: UInt64 = 0
    var recallHits: UInt64 = 0
    var recallTotal: UInt64 = 0
    var shardsAsked: UInt64 = 0
    /// How many answers asked 0, 1, 2 ... shards; the last element also counts those with more.
    var shardCounts: [UInt64] = []
    /// Times that shards were asked, one after the other.
    var rounds: UInt64 = 0
    var locationsActive: UInt64 = 0
    var codesScanned: UInt64 = 0
    var vectorsScored: UInt64 = 0
    /// Answers with all points that there are.
    var exhausted: UInt64 = 0
    var pagesTouched: UInt64 = 0
    var pagesResident: UInt64 = 0
    var bytesRead: UInt64 = 0
    /// Sum of the answers' hashes, so that nothing can be left out unseen.
    var hash: UInt64 = 0
    var seconds: Double = 0
    /// Processor time of the client.
    var clientSeconds: Double = 0
    /// Units per second, summed over clients.
    var unitsPerSecond: Double = 0
    /// Latencies in nanoseconds and how often each occurred, in the histogram's resolution.
    var latencies: [[UInt64]] = []

    static let mostShardsCounted = 4096

    /// The least number of shards that this part of the answers did not exceed.
    func shardsAsked(percentile: Double) -> Int {
        let total = shardCounts.reduce(0, +)
        var sum: UInt64 = 0
        for (shards, count) in shardCounts.enumerated() {
            sum += count
            if Double(sum) >= percentile / 100 * Double(total) { return shards }
        }
        return 0
    }

    private mutating func count(shards: Int, times: UInt64) {
        let index = min(shards, Self.mostShardsCounted)
        while shardCounts.count <= index { shardCounts.append(0) }
        shardCounts[index] += times
    }

    mutating func count(_ receipt: Receipt) {
        shardsAsked += UInt64(receipt.shardsAsked)
        count(shards: Int(receipt.shardsAsked), times: 1)
        rounds += UInt64(receipt.rounds)
        locationsActive += UInt64(receipt.locationsActive)
        codesScanned += receipt.codesScanned
        vectorsScored += receipt.vectorsScored
        pagesTouched += receipt.pagesTouched
        pagesResident += receipt.tiers[.dram].hits
        bytesRead += receipt.bytesRead
        if !receipt.isComplete { partials += 1 }
    }

    mutating func fail(_ sentence: String) {
        errors += 1
        if firstError == nil { firstError = sentence }
    }

    mutating func add(_ other: BenchResult) {
        requests += other.requests
        units += other.units
        errors += other.errors
        firstError = firstError ?? other.firstError
        partials += other.partials
        recallHits += other.recallHits
        recallTotal += other.recallTotal
        shardsAsked += other.shardsAsked
        for (shards, times) in other.shardCounts.enumerated() {
            count(shards: shards, times: times)
        }
        rounds += other.rounds
        locationsActive += other.locationsActive
        codesScanned += other.codesScanned
        vectorsScored += other.vectorsScored
        exhausted += other.exhausted
        pagesTouched += other.pagesTouched
        pagesResident += other.pagesResident
        bytesRead += other.bytesRead
        hash &+= other.hash
        seconds = max(seconds, other.seconds)
        clientSeconds += other.clientSeconds
        unitsPerSecond += other.unitsPerSecond
        latencies += other.latencies
    }
}

/// The closed loop of one client process: as many requests on the way as wanted, the next one when
/// an answer is there.
struct BenchWorker {
    private let connection: Connection
    private let deadline: Duration
    private let inFlight: Int

    /// Latencies are kept from 1 us to 10 minutes with 3 digits.
    static func emptyHistogram() -> Histogram<UInt64> {
        Histogram<UInt64>(
            lowestDiscernibleValue: 1000, highestTrackableValue: 600_000_000_000,
            numberOfSignificantValueDigits: .three)
    }

    init(_ options: BenchOptions, routing: Routing = .coordinator) throws {
        connection = try Connection(
            coordinator: try options.common.endpoint, routing: routing)
        deadline = options.common.deadline.duration
        inFlight = options.inFlight
    }

    /// Runs until the time is over or, if there is none, until the workload has no more requests.
    func run(
        _ workload: inout some BenchWorkload, seconds: Double?
    ) throws(LociError) -> BenchResult {
        var result = BenchResult()
        var histogram = Self.emptyHistogram()
        var pending: [UInt64: (start: ContinuousClock.Instant, tag: Int)] = [:]
        let start = ContinuousClock.now
        let processorStart = clock()
        let end = seconds.map { start + .seconds($0) }
        var isOver = false
        while true {
            while !isOver, pending.count < inFlight {
                guard end.map({ ContinuousClock.now < $0 }) ?? true, let request = workload.next()
                else {
                    isOver = true
                    break
                }
                let now = ContinuousClock.now
                let id = try connection.send(
                    request.body, bulk: request.bulk, deadline: deadline)
                pending[id] = (now, request.tag)
            }
            if pending.isEmpty { break }
            guard let answer = try connection.receive(timeout: deadline) else {
                for _ in pending { result.fail("No answer came before the deadline.") }
                result.requests += UInt64(pending.count)
                pending.removeAll()
                continue
            }
            guard let asked = pending.removeValue(forKey: answer.header.requestID) else { continue }
            let latency = ContinuousClock.now - asked.start
            histogram.record(UInt64(max(0, latency.inSeconds * 1e9)))
            result.requests += 1
            if case .failure(let error) = answer.body {
                result.fail(error.description)
            } else if !workload.judge(answer, tag: asked.tag, into: &result) {
                result.fail("An answer does not fit its question.")
            }
        }
        result.seconds = (ContinuousClock.now - start).inSeconds
        result.clientSeconds = Double(clock() - processorStart) / Double(CLOCKS_PER_SEC)
        result.unitsPerSecond = result.seconds > 0 ? Double(result.units) / result.seconds : 0
        for value in histogram.recordedValues() {
            result.latencies.append([value.value, value.count])
        }
        return result
    }
}
