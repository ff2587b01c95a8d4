import Foundation
import LociBase
import LociPrefetch
import LociSimulation
import LociTiering
import Testing

@Suite struct PrefetchTrialTests {
    private func governed(_ keys: [UInt64], percent: Double = 10) -> PrefetchResult {
        let trace = AccessTrace(keys: keys)
        var predictor = StreamPredictor()
        return PrefetchTrial(trace, capacity: trace.capacity(percent: percent)).run(&predictor)
    }

    private func raw(_ keys: [UInt64]) -> PrefetchResult {
        var predictor = StreamPredictor()
        return RawPrefetchTrial(AccessTrace(keys: keys)).run(&predictor)
    }

    @Test(arguments: [SyntheticStream.uniform, .markov, .zipfAndScans])
    func whoIsToldIsAlwaysRight(stream: SyntheticStream) {
        let trace = AccessTrace(keys: stream.keys(count: 20_000, seed: 1))
        let keys = trace.requests.map { trace.keys[Int($0)] }
        var told = ToldPredictor(keys: keys, lookahead: 1)
        let raw = RawPrefetchTrial(trace).run(&told)
        #expect(raw.precision == 1 && raw.usefulRecall == 1)
        told = ToldPredictor(keys: keys, lookahead: 8)
        let result = PrefetchTrial(trace, capacity: trace.capacity(percent: 10)).run(&told)
        #expect(result.issued == result.used + result.late)
        // A page that was there when it was told may be evicted just before its use.
        #expect(result.coverage >= 0.999)
        #expect(result.modelledTimeRatio < 0.75)
    }

    @Test func aScanOfAHundredThousand() {
        let keys = SyntheticStream.sequential.keys(count: 100_000, seed: 1)
        let result = governed(keys)
        #expect(result.precision >= 0.99)
        #expect(result.coverage >= 0.95)
        #expect(result.timeliness >= 0.9)
    }

    @Test func aHundredThousandAtRandomStaySilent() {
        for keys in [1000, 100_000] as [UInt64] {
            var random = SeededRandom(seed: keys)
            let stream = (0..<100_000).map { _ in random.next() % keys }
            let result = governed(stream)
            #expect(Double(result.issued) <= 1000)
            #expect(result.modelledTimeRatio <= 1.03)
        }
    }

    @Test(arguments: SyntheticStream.allCases)
    func neverMuchSlowerThanWithout(stream: SyntheticStream) {
        for percent in [1.0, 10] {
            let result = governed(stream.keys(count: 5000, seed: 7), percent: percent)
            #expect(result.modelledTimeRatio <= 1.03)
            #expect(result.issued <= 200 || result.precision >= 0.5)
        }
    }

    /// The books are right: every request hits, waits or misses, and every fetch is used, late,
    /// wasted or still there.
    @Test(arguments: [SyntheticStream.phases, .shortRuns, .sessions])
    func countsAddUp(stream: SyntheticStream) {
        let keys = stream.keys(count: 8000, seed: 2)
        let trace = AccessTrace(keys: keys)
        let capacity = trace.capacity(percent: 5)
        let trial = PrefetchTrial(trace, capacity: capacity)
        var silent = SoloPredictor(.stride, leastConfidence: 4)
        let without = trial.run(&silent)
        #expect(without.misses == without.missesWithout && without.issued == 0)
        #expect(without.modelledNanoseconds == without.modelledNanosecondsWithout)
        let reference = trace.hitRatio(.standard, capacity: capacity)
        #expect(without.missesWithout == reference.requests - reference.hits)
        var predictor = StreamPredictor()
        let result = trial.run(&predictor)
        let open = result.issued - result.used - result.late - result.wasted
        #expect(open >= 0 && open <= capacity + trial.costs.channels)
        #expect(result.missesWithout - result.avoided + result.caused == result.misses)
    }

    /// A scan that gets every page ahead, but not in time, hits nothing: it only waits less.
    @Test func whoComesLateHitsNothing() {
        let trace = AccessTrace(keys: SyntheticStream.sequential.keys(count: 2000, seed: 1))
        var costs = PrefetchTrial.Costs()
        costs.latency = 10 * costs.request
        let trial = PrefetchTrial(trace, capacity: 200, costs: costs)
        var next = SoloPredictor(.next)
        let result = trial.run(&next)
        #expect(result.late == 1999 && result.coverage > 0.99)
        #expect(result.hitRatio == 0 && result.hitRatioWithout == 0)
        // In time, all but the first are hits.
        var told = ToldPredictor(keys: trace.keys, lookahead: 100)
        let inTime = PrefetchTrial(trace, capacity: 200).run(&told)
        let hits = result.requests - inTime.misses - inTime.late
        #expect(inTime.used > 1900 && inTime.hitRatio == Double(hits) / 2000)
    }

    private func trace(_ name: String, limit: Int) throws -> [UInt64]? {
        let root = ProcessInfo.processInfo.environment["LOCI_DATA"] ?? "../shared/data"
        let path = "\(root)/traces/\(name).u64.xz"
        guard FileManager.default.fileExists(atPath: path) else {
            print("\(path) is not there: this test did not run.")
            return nil
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["sh", "-c", "xz -dkc \"$1\" | head -c \(limit * 8)", "sh", path]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let bytes = [UInt8](try pipe.fileHandleForReading.readToEnd() ?? Data())
        process.waitUntilExit()
        return stride(from: 0, to: bytes.count - 7, by: 8).map { start in
            (0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
        }
    }

    @Test func aVirtualMachinesDiskIsPredictedBetterThanByItsLastSuccessors() throws {
        guard let keys = try trace("cloudphysics-w106", limit: 60_000) else { return }
        let result = raw(keys)
        print("w106: recall \(result.usefulRecall) at precision \(result.precision)")
        #expect(result.usefulRecall >= 0.30)
        #expect(result.precision >= 0.65)
        var last = SoloPredictor(.lastSuccessor)
        let baseline = RawPrefetchTrial(AccessTrace(keys: keys)).run(&last)
        #expect(result.usefulRecall > baseline.usefulRecall)
        #expect(result.precision > baseline.precision)
    }

    @Test(arguments: [
        "cloudphysics-sample", "cloudphysics-w106", "lirs-2_pools", "lirs-loop", "lirs-multi3",
        "lirs-sprite", "scarab-recs",
    ])
    func noRecordedStreamIsSlowerThanWithout(name: String) throws {
        guard let keys = try trace(name, limit: 20_000) else { return }
        let result = governed(keys)
        #expect(result.modelledTimeRatio <= 1.03)
        print("\(name): \(result.issued) issued at precision \(result.precision)")
        // What misses in the recommendations is the hardest to tell; whole traces do better than
        // their beginnings.
        let least = name == "scarab-recs" ? 0.6 : 0.72
        #expect(result.issued <= 250 || result.precision >= least)
    }
}
