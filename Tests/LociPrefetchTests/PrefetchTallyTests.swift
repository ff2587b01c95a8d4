import LociModel
import Testing

@Suite struct PrefetchTallyTests {
    @Test func sharesAreOfPagesWhoseFateIsKnown() {
        var tally = PrefetchTally()
        #expect(tally.precision == 1 && tally.timeliness == 1)
        tally.issued = 10
        tally.used = 3
        tally.late = 1
        tally.wasted = 4
        #expect(tally.open == 2)
        #expect(tally.precision == 0.5)
        #expect(tally.timeliness == 0.75)
    }
}
