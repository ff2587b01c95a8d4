import LociBase
import LociModel
import LociSearch
import Testing

@testable import LociSimulation

/// The trials of sparse distributed memories at a size for a debug build.
@Suite struct MemoryTrialTests {
    @Test(.timeLimit(.minutes(1)))
    func theTableShowsRecallAndWhatIsSplitGivesTheSameBits() throws {
        var memories: [Int] = []
        let trial = MemoryRecallTrial(
            memories: 2, trials: 15, partitions: 3, seed: 2,
            rows: [.init(stored: 100, noises: [0, 20, 45]), .init(stored: 300, noises: [10])])
        let report = try trial.run { memories.append($0) }
        print(report.table)
        #expect(memories == [1, 2])
        #expect(report.isPassed && report.isSplitExactly)
        #expect(report.cells.map(\.trials) == [30, 30, 30, 30])
        #expect(report.comparedSums >= 120)
        #expect(report.cells[0].share == 1 && report.cells[0].fixedPoints == 30)
        // Stored patterns are found at once, noisy ones in some steps, and what is like nothing
        // that is stored never.
        #expect(report.cells[0].steps == 30 && report.cells[1].steps > 60)
        #expect(report.cells[2].share < 0.2)
        #expect(report.table.contains("the same bits"))
    }

    @Test func aMissedMarkAndADifferenceOfTheSplitMemoryAreSeen() throws {
        var report = MemoryRecallReport(partitions: 4, cells: [])
        for (stored, noise) in [(100, 20), (300, 10), (1000, 5), (600, 10)] {
            report.cells.append(.init(stored: stored, noise: noise))
            report.cells[report.cells.count - 1].trials = 100
        }
        for (recalled, isPassed) in [
            ([95, 95, 50, 0], true), ([94, 95, 0, 0], false), ([100, 94, 0, 0], false),
            ([100, 100, 51, 100], false),
        ] {
            for (index, count) in recalled.enumerated() { report.cells[index].recalled = count }
            #expect(report.isPassed == isPassed, "\(recalled)")
            #expect(report.table.contains("missed") != isPassed)
        }
        report.cells = []
        #expect(report.isPassed)
        report.differentSums = 1
        #expect(!report.isPassed && report.table.contains("not the same"))
        report.differentSums = 0
        report.differentReadings = 1
        #expect(!report.isPassed)
    }

    @Test func countersThatNoReadingNeedsCanBeLeftOut() throws {
        var random = SeededRandom(seed: 3)
        let definition = try MemoryDefinition(
            space: 1, name: "memory", bits: 100, locations: 3000, radius: 44, seed: 4)
        let probes = (0..<5).map { _ in BinaryVector(random: 100, using: &random) }
        let all = PartitionedMemory(definition)
        var few = PartitionedMemory(
            definition, kept: Set(probes.flatMap { all.active($0, in: 0) }))
        var split = PartitionedMemory(definition, partitions: 7)
        for _ in 0..<40 {
            let pattern = BinaryVector(random: 100, using: &random)
            few.write(pattern)
            split.write(pattern)
        }
        for probe in probes {
            let sums = split.sums(at: probe)
            #expect(sums.active > 100 && sums.values.contains { $0 != 0 })
            #expect(few.sums(at: probe) == sums)
        }
        // Of others they cannot be.
        let other = BinaryVector(random: 100, using: &random)
        #expect(few.sums(at: other) != split.sums(at: other))
    }

    @Test(.timeLimit(.minutes(1)))
    func aSmallKanervaMemoryHasTheKnownOverlapsAndRestoresWhatIsNear() throws {
        var stored: [Int] = []
        let report = try MemoryFullSizeTrial(
            locations: 60_000, stored: 200, probes: 3, pairs: 20, seed: 5
        ).run { if case .stored(let done) = $0 { stored.append(done) } }
        print(report.table)
        #expect(stored == [0, 100])
        #expect(abs(report.active.mean / report.expectedActive - 1) < 0.1)
        let off = report.overlaps.filter(\.isOff).map(\.distance)
        #expect(off == [])
        let shares = report.overlaps.map(\.share.mean)
        for (near, far) in zip(shares, shares.dropFirst()) { #expect(far < near) }
        // Hardly any noise of other patterns: what is near comes back, and not because all does.
        #expect(report.readings[0].wrong.mean < 3 && report.readings[1].wrong.mean < 3)
        #expect(report.readings.map(\.wrong.mean).max()! > 50)
    }

    @Test func figuresFarFromWhatIsKnownAreOff() {
        let near = Figure([88, 90, 91, 87])
        let far = Figure([130, 131, 129, 130])
        for (figure, isOff) in [(near, false), (far, true)] {
            let reading = MemoryFullSizeReport.Reading(
                distance: 150, wrong: figure, reference: 89, referenceDeviation: 12)
            #expect(reading.isOff == isOff)
            let overlap = MemoryFullSizeReport.Overlap(
                distance: 150, share: figure, reference: 89, counted: 100)
            #expect(overlap.isOff == isOff)
        }
    }

    @Test func theSameSeedGivesTheSameTable() throws {
        let rows = [MemoryRecallTrial.Row(stored: 20, noises: [10])]
        let trial = MemoryRecallTrial(memories: 1, trials: 5, partitions: 2, seed: 6, rows: rows)
        let first = try trial.run()
        let second = try trial.run()
        #expect(first.table == second.table)
    }
}
