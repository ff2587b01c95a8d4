import LociSimulation
import Testing

/// 1,000 objects, 100 periods, a fast tier for a quarter of them.
@Suite struct PeriodicTrialTests {
    @Test func aLinkOfAWorkingSetAPeriodLeavesHardlyAStall() {
        var trial = PeriodicTrial(PeriodicTrial.Options())
        let result = trial.run()
        #expect(result.stallShare <= 0.16, "\(result)")
        #expect(result.boundShare == 0)
        #expect(result.mostFastBytes <= result.workingSetBytes / 4)
        #expect(result.mostBytesInFlight <= 2 << 20)
    }

    @Test func halfTheLinkStallsAsLittleAsAnyScheduleCan() {
        var options = PeriodicTrial.Options()
        options.linkShare = 0.5
        var trial = PeriodicTrial(options)
        let result = trial.run()
        #expect(abs(result.boundShare - (2 + 1.5 * 99 - 100) / 100) < 1e-9)
        #expect(result.stallShare >= result.boundShare * 0.999, "\(result)")
        #expect(result.stallShare <= result.boundShare * 1.1, "\(result)")
    }
}
