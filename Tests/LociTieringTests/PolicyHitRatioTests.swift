import Foundation
import LociBase
import LociTiering
import Testing

/// Hit ratios on recorded traces against those of an independent implementation. Tolerances: .005,
/// and .01 for S3-FIFO and W-TinyLFU, of which variants exist.
@Suite struct PolicyHitRatioTests {
    private struct Reference {
        let percent: Double
        let fifo, clock, lru, sieve, s3fifo, wTinyLFU, optimum: Double
    }

    @Test func cloudPhysicsSample() throws {
        try check(
            "cloudphysics-sample",
            [
                Reference(
                    percent: 1, fifo: 0.1524, clock: 0.1628, lru: 0.1620, sieve: 0.1708,
                    s3fifo: 0.1696, wTinyLFU: 0.1661, optimum: 0.2074),
                Reference(
                    percent: 10, fifo: 0.1946, clock: 0.1956, lru: 0.1951, sieve: 0.2093,
                    s3fifo: 0.2475, wTinyLFU: 0.2097, optimum: 0.3711),
                Reference(
                    percent: 30, fifo: 0.3600, clock: 0.3296, lru: 0.3392, sieve: 0.3672,
                    s3fifo: 0.3720, wTinyLFU: 0.3922, optimum: 0.4981),
            ])
    }

    /// The longest; the policies that do best on it, so that it ends soon.
    @Test func recommendations() throws {
        try check(
            "scarab-recs", kinds: [.s3fifo, .sieve],
            [
                Reference(
                    percent: 3, fifo: 0.4226, clock: 0.4639, lru: 0.4576, sieve: 0.4939,
                    s3fifo: 0.5125, wTinyLFU: 0.4992, optimum: 0.6401)
            ])
    }

    @Test(arguments: 1...4) func severalProgramsAtOnceWithAnySeed(seed: UInt64) throws {
        try check(
            "lirs-multi3", seed: seed,
            [
                Reference(
                    percent: 10, fifo: 0.2918, clock: 0.3642, lru: 0.3549, sieve: 0.3735,
                    s3fifo: 0.4528, wTinyLFU: 0.4695, optimum: 0.5292)
            ])
    }

    @Test func aLoopLongerThanTheMemory() throws {
        try check(
            "lirs-loop",
            [
                Reference(
                    percent: 10, fifo: 0, clock: 0, lru: 0, sieve: 0, s3fifo: 0, wTinyLFU: 0.0726,
                    optimum: 0.0997)
            ])
    }

    private func check(
        _ name: String, kinds: [EvictionKind] = EvictionKind.allCases, seed: UInt64 = 1,
        _ references: [Reference]
    ) throws {
        guard let trace = try trace(name) else { return }
        for reference in references {
            let capacity = trace.capacity(percent: reference.percent)
            let rows: [(EvictionKind, Double, Double)] = [
                (.fifo, reference.fifo, 0.005), (.clock, reference.clock, 0.005),
                (.lru, reference.lru, 0.005), (.sieve, reference.sieve, 0.005),
                (.s3fifo, reference.s3fifo, 0.01), (.wTinyLFU, reference.wTinyLFU, 0.01),
            ]
            let optimum = trace.optimalHitRatio(capacity: capacity).ratio
            #expect(abs(optimum - reference.optimum) <= 0.005)
            for (kind, expected, tolerance) in rows where kinds.contains(kind) {
                let ratio = trace.hitRatio(kind, capacity: capacity, seed: seed).ratio
                #expect(
                    abs(ratio - expected) <= tolerance,
                    "\(kind) on \(name) at \(reference.percent) %: \(ratio), not \(expected)")
                #expect(ratio <= optimum)
            }
        }
    }

    private func trace(_ name: String) throws -> AccessTrace? {
        let folder = ProcessInfo.processInfo.environment["LOCI_DATA"] ?? "../shared/data"
        let path = "\(folder)/traces/\(name).u64.xz"
        guard FileManager.default.fileExists(atPath: path) else {
            print("skipped: there is no \(path); set LOCI_DATA to the folder of test data")
            return nil
        }
        let unpack = Process()
        unpack.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        unpack.arguments = ["xz", "-dc", path]
        let pipe = Pipe()
        unpack.standardOutput = pipe
        try unpack.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        unpack.waitUntilExit()
        try #require(unpack.terminationStatus == 0 && !data.isEmpty)
        return AccessTrace(
            keys: data.withUnsafeBytes { bytes in
                bytes.bindMemory(to: UInt64.self).map { UInt64(littleEndian: $0) }
            })
    }

    /// Belady's rule against trying every choice.
    @Test func nothingBeatsTheOptimum() {
        for seed in UInt64(1)...30 {
            var random = SeededRandom(seed: seed)
            let stream = (0..<14).map { _ in UInt64(random.below(6)) }
            let trace = AccessTrace(keys: stream)
            for capacity in 1...3 {
                let best = mostHits(stream[...], resident: [], capacity: capacity)
                #expect(trace.optimalHitRatio(capacity: capacity).hits == best)
            }
        }
    }

    private func mostHits(
        _ stream: ArraySlice<UInt64>, resident: Set<UInt64>, capacity: Int
    ) -> Int {
        guard let key = stream.first else { return 0 }
        let rest = stream.dropFirst()
        if resident.contains(key) {
            return 1 + mostHits(rest, resident: resident, capacity: capacity)
        }
        let full = resident.count == capacity
        let choices = full ? resident.map { resident.subtracting([$0]) } : [resident]
        return choices.map { mostHits(rest, resident: $0.union([key]), capacity: capacity) }.max()!
    }

    /// The worst of a scan: ten times as many pages as fit, in one go, and only the requests right
    /// after it are counted.
    @Test(arguments: [EvictionKind.s3fifo, .wTinyLFU])
    func aScanDoesNotFlushTheHotSet(kind: EvictionKind) {
        let loss = Self.loss(kind)
        #expect(loss.undisturbed.ratio > 0.5)
        #expect(loss.points <= 5, "\(kind) loses \(loss.points) points")
    }

    @Test func aScanFlushesLRU() { #expect(Self.loss(.lru).points > 15) }

    private static func loss(_ kind: EvictionKind) -> ScanLoss {
        var random = SeededRandom(seed: 4)
        // Skewed with an exponent of about 1.
        let stream = (0..<60_000).map { _ in UInt64(pow(10_000, random.unit())) }
        return ScanLoss(
            kind, stream: stream, resumption: 1000, scanLength: 10_000, capacity: 1000)
    }
}
