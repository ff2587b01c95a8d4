import Dispatch
import LociBase
import LociClient
import LociModel
import LociRuntime
import Synchronization

/// Asks settings of all seats at once, in rounds.
struct SearchRun {
    let seats: [SearchSeat]
    let rounds: Int
    /// Of the process, before it opened a collection.
    let residentBefore: Double

    private struct Round {
        let passes: [SearchSeat.Pass]
        let seconds: Double
        let cpuSeconds: Double
    }

    /// One workload for each share of the points that a filter passes; without any, as it is.
    func workloads(
        _ workload: SearchWorkload, shares: [Double]
    ) throws -> [SearchWorkload] {
        var workloads: [SearchWorkload] = []
        for share in shares {
            workloads.append(try seats[0].filtered(workload, share: share))
        }
        return workloads.isEmpty ? [workload] : workloads
    }

    func measure(
        _ workload: SearchWorkload, _ setting: SearchSetting
    ) throws -> SearchFigures {
        _ = try round(workload, setting)
        var measured: [Round] = []
        for _ in 0..<rounds { measured.append(try round(workload, setting)) }
        let asked = Double(workload.vectors.count * seats.count)
        func latency(_ part: Double) -> PageInReport.Figure {
            .init(
                measured.map { round in
                    let sorted = round.passes.flatMap(\.nanoseconds).sorted()
                    return Double(sorted[min(Int(part * asked), sorted.count - 1)]) / 1000
                })
        }
        let passes = measured.flatMap(\.passes)
        let total = asked * Double(rounds)
        func mean(_ count: (SearchSeat.Pass) -> UInt64) -> Double {
            Double(passes.reduce(0) { $0 + count($1) }) / total
        }
        let resident = ProcessMemory.residentMebibytes()
        return SearchFigures(
            probes: setting.probes, radius: setting.radius, bound: setting.bound,
            filterShare: workload.share, threads: seats.count, queries: workload.vectors.count,
            rounds: rounds,
            recall: Double(passes.reduce(0) { $0 + $1.found })
                / Double(max(passes.reduce(0) { $0 + $1.wanted }, 1)),
            cpuMicroseconds: .init(measured.map { $0.cpuSeconds * 1e6 / asked }),
            queriesPerSecond: .init(measured.map { asked / $0.seconds }),
            p50Microseconds: latency(0.5), p99Microseconds: latency(0.99),
            locations: mean(\.locations), codes: mean(\.receipt.codesScanned),
            vectors: mean(\.receipt.vectorsScored),
            pageIns: mean { pass in
                Tier.allCases.reduce(0) { $0 + pass.receipt.tiers[$1].hard }
            },
            bytesRead: mean(\.receipt.bytesRead), residentMebibytes: resident,
            collectionMebibytes: resident - residentBefore)
    }

    private func round(
        _ workload: SearchWorkload, _ setting: SearchSetting
    ) throws -> Round {
        let start = (Clock.now(), StoreFigures.processorSeconds())
        let passes = try ask(workload, setting)
        return Round(
            passes: passes,
            seconds: Double(Clock.now().nanoseconds - start.0.nanoseconds) / 1e9,
            cpuSeconds: StoreFigures.processorSeconds() - start.1)
    }

    /// All seats at once, each on a thread of its own.
    private func ask(
        _ workload: SearchWorkload, _ setting: SearchSetting
    ) throws -> [SearchSeat.Pass] {
        if seats.count == 1 { return [try seats[0].pass(workload, setting)] }
        let answers = Mutex<[Result<SearchSeat.Pass, any Error>]>([])
        let seats = seats
        DispatchQueue.concurrentPerform(iterations: seats.count) { index in
            let answer = Result { try seats[index].pass(workload, setting) }
            answers.withLock { $0.append(answer) }
        }
        return try answers.withLock { try $0.map { try $0.get() } }
    }
}

/// What one setting found and cost. Counts are means of a query.
struct SearchFigures: Encodable {
    let kind = "setting"
    let probes: Int
    let radius: Float
    let bound: Float
    let filterShare: Double?
    let threads: Int
    /// Of each thread in a round.
    let queries: Int
    let rounds: Int
    let recall: Double
    /// User and system time of the process for a query.
    let cpuMicroseconds: PageInReport.Figure
    /// Of all threads together.
    let queriesPerSecond: PageInReport.Figure
    let p50Microseconds: PageInReport.Figure
    let p99Microseconds: PageInReport.Figure
    let locations: Double
    let codes: Double
    let vectors: Double
    /// Pages that a query waited for.
    let pageIns: Double
    let bytesRead: Double
    /// Of the process now, not at its peak.
    let residentMebibytes: Double
    /// ... of them since before the collections were opened.
    let collectionMebibytes: Double

    func show(asJSON: Bool) throws {
        if asJSON { return try Terminal.printJSONLine(self) }
        let share = filterShare.map { " filter share \($0)" } ?? ""
        func decimal(_ value: Double, _ places: Int) -> String {
            Show.decimal(value, places: places)
        }
        print(
            "probes \(probes) radius \(radius) bound \(bound)\(share): recall "
                + "\(decimal(recall, 4)), CPU \(decimal(cpuMicroseconds.median, 1)) us, "
                + "\(Int(queriesPerSecond.median)) queries/s, p50 "
                + "\(decimal(p50Microseconds.median, 1)) us, p99 "
                + "\(decimal(p99Microseconds.median, 1)) us, locations \(decimal(locations, 1)), "
                + "codes \(decimal(codes, 0)), vectors \(decimal(vectors, 1)), page-ins "
                + "\(decimal(pageIns, 2)), resident \(decimal(residentMebibytes, 0)) MiB")
    }
}
